"""A person who types a passage of a file again, key by key, with slips, and judges what is offered.

The typist looks at what stands before the cursor and at what should stand there, and does the next sensible thing;
so whatever the editor adds or a suggestion brings, the passage ends up as the file has it.
"""

import re
from dataclasses import dataclass

from jouline.completion import Completion
from jouline.replay.editor import CLOSER_OF, CLOSERS, QUOTES, Editor, Key
from jouline.replay.passages import Passage
from jouline.replay.rhythm import Rhythm

_SLIP_CHANCE = 0.012  # a letter; about the rate at which practised typists correct themselves
_NOTICED_AFTER = (0, 0, 1, 1, 2)  # further characters typed before a slip is seen
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LEAST_WHOLE = 2  # accepting one character takes the key that typing it takes
_LEAST_WORDS = 6  # characters that make reaching for "accept word" worth while
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")  # what VS Code's "accept next word" takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A key and the time since the one before it."""

    key: Key
    gap_ms: float


class Typist:
    """Types `goal[passage.start:passage.end]` into an editor that holds the rest of `goal`."""

    __slots__ = ("_goal", "_noticed_at", "_passage", "_rhythm", "_slipped")

    def __init__(self, *, goal: str, passage: Passage, rhythm: Rhythm) -> None:
        self._goal = goal
        self._passage = passage
        self._rhythm = rhythm
        self._slipped: set[int] = set()
        self._noticed_at = 0

    def next(self, editor: Editor) -> Press | None:
        """Return what the person does next if nothing is offered; None when the passage is as the file has it.

        Asking changes nothing: only `pressed` does.
        """
        key = self._next_key(editor)
        if key is None:
            return None
        position = len(editor.before)
        if key.deletes:
            return Press(key=key, gap_ms=self._rhythm.correction_ms(position))
        return Press(key=key, gap_ms=self._rhythm.gap_ms(position, editor.before[-2:], key.text))

    def pressed(self, editor: Editor, key: Key) -> None:
        """Note that `key` was pressed in `editor`, which shows the result."""
        position = len(editor.before) - 1
        if key.kind == "backspace":
            self._noticed_at = 0  # Once a slip is seen, nothing more is typed until it is gone.
        if key.kind == "char" and self._agreed(editor) == position and position not in self._slipped:
            self._slipped.add(position)
            self._noticed_at = position + 1 + self._rhythm.draw(position, "notice").choice(_NOTICED_AFTER)

    def judge(self, editor: Editor, completion: Completion) -> Key | None:
        """Return the key that takes the suggestion, or as much of it as agrees with the file; None to type on.

        The person takes the whole with Tab when it agrees to its own end, else whole lines, then words of it.
        """
        agreed = self._agreed(editor)
        if agreed < len(editor.before) or completion.replace > len(editor.pending):
            return None
        text = completion.text
        common = _common_length(text, self._goal[agreed : self._passage.end])
        if common == len(text) >= _LEAST_WHOLE:
            return _accept(text, editor.pending, replace=completion.replace)
        taken, presses = _agreeing_part(text, common)
        return _accept(text[:taken], editor.pending, presses=presses) if taken > presses else None

    def _agreed(self, editor: Editor) -> int:
        """How far the text before the cursor is what the file has there, as an offset."""
        start, end = self._passage.start, self._passage.end
        return start + _common_length(editor.before[start:], self._goal[start:end])

    def _next_key(self, editor: Editor) -> Key | None:
        agreed = self._agreed(editor)
        if agreed < len(editor.before):
            return self._correct(editor, agreed)
        if agreed == self._passage.end:
            return Key(kind="delete") if editor.pending else None
        return self._forward(editor, agreed)

    def _correct(self, editor: Editor, agreed: int) -> Key:
        wrong = editor.before[agreed:]
        position = len(editor.before)
        if agreed in self._slipped and position < self._noticed_at:
            ahead = self._goal[position : self._passage.end][:1]
            if ahead.isalnum():  # The slip is not seen yet.
                return Key(kind="char", text=ahead)
        if editor.line.isspace() and wrong.isspace() and "\n" not in wrong and self._line_break(agreed):
            return Key(kind="enter", text=self._line_break(agreed))
        return Key(kind="backspace")

    def _forward(self, editor: Editor, at: int) -> Key:
        char = self._goal[at]
        lead = _lead(editor.pending)
        if lead and self._goal.startswith(lead, at, self._passage.end):
            return Key(kind="over", text=lead[:-1])
        if char in CLOSERS and editor.pending[:1].isspace() and editor.pending.lstrip().startswith(char):
            return Key(kind="delete")  # The bracket went to a line of its own; the file has it here.
        if (line_break := self._line_break(at)) and not editor.line.isspace():
            return Key(kind="enter", text=line_break)
        return self._indent(editor, at) or Key(kind="char", text=self._slip(at, char))

    def _line_break(self, at: int) -> str:
        """Return the line break that the passage has at `at`, or nothing."""
        if self._goal.startswith("\r\n", at, self._passage.end):
            return "\r\n"
        return "\n" if self._goal.startswith("\n", at, self._passage.end) else ""

    def _indent(self, editor: Editor, at: int) -> Key | None:
        blanks = " " * editor.blanks_to_stop()
        at_indent = not editor.line.strip(" ")
        fits = self._goal.startswith(blanks, at) and at + len(blanks) <= self._passage.end
        return Key(kind="tab", text=blanks) if at_indent and fits else None

    def _slip(self, at: int, char: str) -> str:
        chance = self._rhythm.draw(at, "slip")
        if at in self._slipped or chance.random() >= _SLIP_CHANCE:
            return char
        return chance.choice(_neighbours(char) or char)


def _accept(text: str, pending: str, *, presses: int = 1, replace: int = 0) -> Key:
    """Return the key that takes `text`; a bracket in it that the editor had closed already costs a Delete."""
    doubled = max(replace, _brings_again(text, pending))
    return Key(kind="accept", text=text, presses=presses + doubled - replace, replace=doubled)


def _agreeing_part(text: str, common: int) -> tuple[int, int]:
    """How much of the first `common` characters whole lines and then whole words take, and with how many presses."""
    lines = text.rfind("\n", 0, common) + 1
    presses = text.count("\n", 0, lines)
    words_end, words = _words(text, lines, common)
    return (words_end, presses + words) if words_end - lines >= _LEAST_WORDS else (lines, presses)


def _brings_again(text: str, pending: str) -> int:
    """How many of the closing brackets and quotes in `pending` are in `text` too, without their openers."""
    open_here: list[str] = []
    brought = 0
    for char in text:
        if open_here and char == open_here[-1]:
            open_here.pop()
        elif char == pending[brought : brought + 1] and (char in CLOSERS or char in QUOTES) and not open_here:
            brought += 1
        elif char in CLOSER_OF or char in QUOTES:
            open_here.append(CLOSER_OF.get(char, char))
    return brought


def _words(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the last whole word before `end` ends, and how many words there are from `start`."""
    place, count = start, 0
    while (word := _WORD.match(text, place)) and word.end() <= end and "\n" not in word.group():
        place, count = word.end(), count + 1
    return place, count


def _lead(pending: str) -> str:
    """Return the line break and blanks at the head of `pending` and the bracket behind them, or nothing."""
    blanks = len(pending) - len(pending.lstrip())
    return pending[: blanks + 1] if pending.startswith(("\n", "\r")) and blanks < len(pending) else ""


def _neighbours(char: str) -> str:
    """Return the letters beside a letter on a QWERTY keyboard, in its case."""
    for row in _ROWS:
        if (place := row.find(char.lower())) >= 0:
            beside = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            return beside.upper() if char.isupper() else beside
    return ""


def _common_length(left: str, right: str) -> int:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
