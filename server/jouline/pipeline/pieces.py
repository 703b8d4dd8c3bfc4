"""The piece of a document around the cursor that can be looked at on its own (pure)."""

import re

from jouline.completion import CompletionRequest
from jouline.pipeline.lexis import CLOSERS

WINDOW_CHARS = 6_000
_INSIDE = frozenset(" \t\r\n\f\v#/") | CLOSERS.keys()
_LABEL = re.compile(r"(?:public|private|protected|default|case\b[^\n]*?)\s*:")


def piece_around(request: CompletionRequest) -> tuple[int, str]:
    """Return where the top-level statement around the cursor begins, and its text behind the cursor.

    By indentation alone, and not further than `WINDOW_CHARS` either way.
    """
    return begin_before(request), piece_behind(request)


def begin_before(request: CompletionRequest) -> int:
    """Return where the piece begins."""
    text, least = request.text, max(0, request.offset - WINDOW_CHARS)
    start = text.rfind("\n", 0, request.offset) + 1
    while start > least and not _begins_statement(text, start):
        start = text.rfind("\n", 0, start - 1) + 1
    return max(start, least)


def piece_behind(request: CompletionRequest) -> str:
    """Return the piece from the cursor to its end."""
    text, begin = request.text, request.offset
    most = begin + WINDOW_CHARS
    end = text.find("\n", begin, most)
    while end >= 0 and not _begins_statement(text, end + 1):
        end = text.find("\n", end + 1, most)
    return text[begin : end if end >= 0 else most]


def _begins_statement(text: str, start: int) -> bool:
    first = text[start : start + 1]
    if not first or first in _INSIDE:
        return False
    return not _LABEL.match(text, start)
