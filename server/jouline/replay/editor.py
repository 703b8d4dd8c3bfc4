"""The document as a code editor keeps it while a person types: it closes brackets, indents, and takes suggestions.

The text is three pieces: `before` the cursor; `pending`, what the editor itself put right of the cursor (closing
brackets and quotes that the person will type over); `after`, the rest of the file, which typing never touches.
The rules are those of Visual Studio Code with its defaults (auto-closing pairs, overtyping, indentation on Enter).
"""

import re
from dataclasses import dataclass
from typing import Literal

KeyKind = Literal["char", "enter", "tab", "over", "backspace", "delete", "accept"]

CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(CLOSER_OF.values())
QUOTES = frozenset("\"'")
# VS Code closes a pair only before these (its Python language configuration, `autoCloseBefore`).
_MAY_STAND_RIGHT = frozenset(";:.,=}])>` \n\t\r")
_STRING_PREFIX = re.compile(r"(?<!\w)[rbfuRBFU]{1,2}$")
_LEAVES_BLOCK = re.compile(r"\s*(return|pass|break|continue|raise)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing a person does at the keyboard.

    `text` is what it puts before the cursor: the character, the line break of Enter, the blanks of Tab, what `over`
    steps over, the suggested text of `accept`. `presses` is how many presses it takes; `replace` is for `accept`
    alone: code points right of the cursor that the text takes the place of.
    """

    kind: KeyKind
    text: str = ""
    presses: int = 1
    replace: int = 0

    @property
    def deletes(self) -> bool:
        """Whether it takes text away."""
        return self.kind in ("backspace", "delete")


class Editor:
    """A text with a cursor, changed one key at a time."""

    __slots__ = ("_indent_unit", "after", "before", "pending")

    def __init__(self, *, before: str, after: str, indent_unit: str = "    ") -> None:
        self.before = before
        self.pending = ""
        self.after = after
        self._indent_unit = indent_unit

    @property
    def text(self) -> str:
        """The whole document."""
        return self.before + self.pending + self.after

    @property
    def line(self) -> str:
        """The cursor's line, left of the cursor."""
        return self.before[self.before.rfind("\n") + 1 :]

    def press(self, key: Key) -> None:
        """Do what `key` does, the editor's own additions included."""
        match key.kind:
            case "char":
                self._type(key.text)
            case "enter":
                self._break_line(key.text)
            case "tab":
                self.before += key.text
            case "over":
                self._step_over(len(key.text))
            case "backspace":
                self._backspace()
            case "delete":
                self.pending = self.pending[1:]
            case "accept":
                self.before += key.text
                self.pending = self.pending[key.replace :]

    def blanks_to_stop(self) -> int:
        """How many blanks Tab puts into an indentation made of spaces."""
        width = len(self._indent_unit)
        return width - len(self.line) % width

    def _type(self, char: str) -> None:
        if self.pending.startswith(char) and (char in CLOSERS or char in QUOTES):
            self._step_over(1)
            return
        closer = self._closer_for(char)
        self.before += char
        self.pending = closer + self.pending

    def _step_over(self, count: int) -> None:
        self.before += self.pending[:count]
        self.pending = self.pending[count:]

    def _closer_for(self, char: str) -> str:
        right = (self.pending or self.after)[:1]
        if right and right not in _MAY_STAND_RIGHT:
            return ""
        if char in CLOSER_OF:
            return CLOSER_OF[char]
        return char if char in QUOTES and self._opens_string(char) else ""

    def _opens_string(self, quote: str) -> bool:
        line = self.line
        if inside_string_or_comment(line) or line.endswith(quote):
            return False
        return not line[-1:].isalnum() or _STRING_PREFIX.search(line) is not None

    def _break_line(self, line_break: str) -> None:
        line = self.line
        if line.isspace():  # Editors take back the indentation of a line that stayed empty.
            self.before = self.before[: len(self.before) - len(line)]
        indent = line[: len(line) - len(line.lstrip())]
        if self._between_brackets():
            self.pending = line_break + indent + self.pending
        self.before += line_break + self._indent_after(line, indent)

    def _between_brackets(self) -> bool:
        closer = CLOSER_OF.get(self.before[-1:])
        return closer is not None and self.pending.startswith(closer)

    def _indent_after(self, line: str, indent: str) -> str:
        code = line.rstrip()
        if code.endswith((":", *CLOSER_OF)):
            return indent + self._indent_unit
        return indent.removesuffix(self._indent_unit) if _LEAVES_BLOCK.match(line) else indent

    def _backspace(self) -> None:
        line = self.line
        if self._between_brackets() or (self.before[-1:] in QUOTES and self.pending.startswith(self.before[-1])):
            self.pending = self.pending[1:]  # An empty pair goes as it came: both halves at once.
        count = 1
        if line.isspace() and line.endswith(" "):
            spaces = len(line) - len(line.rstrip(" "))
            count = min(spaces, (len(line) - 1) % len(self._indent_unit) + 1)
        elif self.before.endswith("\r\n"):
            count = 2
        self.before = self.before[:-count]


def inside_string_or_comment(line: str) -> bool:
    """Whether the end of a line's beginning stands in a string or a comment, as far as this line alone tells."""
    quote, escaped = "", False
    for char in line:
        if escaped:
            escaped = False
        elif quote:
            escaped = char == "\\"
            quote = "" if char == quote else quote
        elif char == "#":
            return True
        elif char in QUOTES:
            quote = char
    return bool(quote)
