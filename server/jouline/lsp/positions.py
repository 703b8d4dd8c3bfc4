r"""Positions of the Language Server Protocol and offsets in code points, both ways.

LSP 3.18, "Position": a line ends at `\n`, `\r\n` or `\r` and nowhere else (Python's `splitlines` also stops at form
feeds and more, which stand in real source), a character beyond a line's end means its end, and characters are
counted in UTF-8, UTF-16 or UTF-32 units as client and server agreed.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def line_starts(text: str) -> tuple[int, ...]:
    """Return the offset of each line's first character; there is always a first line."""
    return (0, *(match.end() for match in _LINE_END.finditer(text)))


def offset_at(text: str, starts: Sequence[int], line: int, character: int, encoding: Encoding) -> int | None:
    """Return the offset of a position, or None if there is no such line.

    A character beyond the line's end, or within a character, means the line's end, or that character's start.
    """
    if not 0 <= line < len(starts):
        return None
    end = _line_end(text, starts, line)
    return starts[line] + _code_points(text[starts[line] : end], character, encoding)


def position_at(text: str, starts: Sequence[int], offset: int, encoding: Encoding) -> tuple[int, int]:
    """Return the line and the character of an offset, both from 0; an offset beyond the text means its end."""
    offset = max(0, min(offset, len(text)))
    line = bisect_right(starts, offset) - 1
    return line, units(text[starts[line] : offset], encoding)


def units(text: str, encoding: Encoding) -> int:
    """Return how many units of an encoding a text takes."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    codec, width = _CODECS[encoding]
    return len(text.encode(codec, "surrogatepass")) // width


def code_points(text: str, length: int, encoding: Encoding) -> int:
    """Return how many whole characters of a text lie within its first `length` units."""
    return _code_points(text, length, encoding)


def without_lone_surrogates(text: str) -> str:
    """Return the text with each half of a surrogate pair that stands alone replaced by U+FFFD.

    JSON can carry such halves; no tokenizer takes them. The length in every unit stays the same.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _line_end(text: str, starts: Sequence[int], line: int) -> int:
    if line + 1 == len(starts):
        return len(text)
    end = starts[line + 1] - 1
    return end - 1 if text[end] == "\n" and end > starts[line] and text[end - 1] == "\r" else end


def _code_points(line: str, character: int, encoding: Encoding) -> int:
    character = max(0, character)
    if encoding == "utf-32" or line.isascii():
        return min(character, len(line))
    codec, width = _CODECS[encoding]
    return len(line.encode(codec)[: character * width].decode(codec, "ignore"))
