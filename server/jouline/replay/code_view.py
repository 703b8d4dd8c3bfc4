"""The document on a terminal: line numbers, syntax colours, ghost text after the cursor."""

from dataclasses import dataclass

from rich.syntax import Syntax
from rich.text import Text

from jouline.completion import Completion
from jouline.replay.events import Screen

GHOST = "dim italic"
FLASH = "black on green"
_CURSOR = "reverse"
_NUMBER_WIDTH = 5
_TAB = "    "
_CURSOR_AT = 0.6  # of the height


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """A part of the document, in offsets, that was just accepted."""

    start: int
    end: int


class CodeView:
    """Draws a document that is `goal` but for the passage being typed, so that most lines are coloured only once."""

    def __init__(self, goal: str, language: str) -> None:
        # The terminal's own sixteen colours: legible on dark and on light backgrounds.
        self._syntax = Syntax("", language, theme="ansi_dark")
        self._goal = goal.expandtabs(len(_TAB)).split("\n")
        self._coloured = _unframed(self._syntax, "\n".join(self._goal)).split("\n", allow_blank=True)

    def draw(self, screen: Screen, ghost: Completion | None, flash: Flash | None, *, width: int, height: int) -> Text:
        """Return `height` lines of at most `width` columns around the cursor."""
        above = screen.before.split("\n")
        row = len(above) - 1
        current = self._current_lines(screen, above[-1], ghost)
        below = (screen.pending + screen.after).split("\n")[1:]
        top = max(0, min(row - int(height * _CURSOR_AT), row + len(current) + len(below) - height))
        room = width - _NUMBER_WIDTH
        lines = [self._line(index, above[index]) for index in range(top, row)]
        offsets = _offsets(above, top)
        for line, offset in zip(lines, offsets, strict=False):
            _mark(line, offset, flash)
        _mark(current[0], offsets[-1], flash)
        lines += [_shifted(current[0], _shift(above[-1], ghost, room)), *current[1:]]
        goal_at = len(self._goal) - len(below)
        lines += [self._line(goal_at + index, text) for index, text in enumerate(below[:height])]
        return _numbered(lines[:height], top, room)

    def _current_lines(self, screen: Screen, prefix: str, ghost: Completion | None) -> list[Text]:
        """Return the cursor's line, and the further lines of a suggestion that has several."""
        rest = (screen.pending + screen.after).split("\n", 1)[0]
        line = self._colour(prefix)
        if ghost is None:
            line.append(rest[:1] or " ", style=_CURSOR)
            line.append(rest[1:])
            return [line]
        first, *more = ghost.text.expandtabs(len(_TAB)).split("\n")
        line.append(first[:1] or " ", style=f"{_CURSOR} {GHOST}")
        line.append(first[1:], style=GHOST)
        more_lines = [Text(text, style=GHOST) for text in more]
        (more_lines[-1] if more_lines else line).append(rest[ghost.replace :])
        return [line, *more_lines]

    def _line(self, goal_index: int, text: str) -> Text:
        """Colour a line; one that stands in the complete file at `goal_index` too has its colours already."""
        plain = text.removesuffix("\r").expandtabs(len(_TAB))
        if 0 <= goal_index < len(self._goal) and self._goal[goal_index].removesuffix("\r") == plain:
            return self._coloured[goal_index].copy()
        return self._colour(text)

    def _colour(self, text: str) -> Text:
        return _unframed(self._syntax, text.removesuffix("\r").expandtabs(len(_TAB)))


def _unframed(syntax: Syntax, code: str) -> Text:
    """Colour code without the line break and the background that a whole panel of it would have."""
    text = syntax.highlight(code)
    text.style = ""
    if text.plain.endswith("\n") and not code.endswith("\n"):
        text.right_crop(1)
    return text


def _offsets(lines: list[str], top: int) -> list[int]:
    """Return the offsets at which the lines from `top` on begin."""
    offset = sum(len(line) + 1 for line in lines[:top])
    offsets = []
    for line in lines[top:]:
        offsets.append(offset)
        offset += len(line) + 1
    return offsets


def _mark(line: Text, offset: int, flash: Flash | None) -> None:
    if flash and flash.end > offset:
        line.stylize(FLASH, max(0, flash.start - offset), flash.end - offset)


def _shift(prefix: str, ghost: Completion | None, width: int) -> int:
    """Return how many columns to leave out on the left so that the cursor and the suggestion are seen."""
    ahead = len(ghost.text.split("\n", 1)[0]) if ghost else 1
    column = len(prefix.expandtabs(len(_TAB)))
    return max(0, min(column, column + ahead + 2 - width))


def _shifted(line: Text, columns: int) -> Text:
    """Leave out the first columns of a line, and show that some are missing."""
    return Text("…", style="dim").append_text(line[columns + 1 :]) if columns else line


def _numbered(lines: list[Text], top: int, room: int) -> Text:
    drawn = Text(no_wrap=True)
    for index, line in enumerate(lines):
        drawn.append(f"{top + index + 1:>{_NUMBER_WIDTH - 1}} ", style="dim")
        drawn.append_text(line[:room])
        drawn.append("\n" if index < len(lines) - 1 else "")
    return drawn
