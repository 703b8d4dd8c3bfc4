"""Places to complete at, drawn evenly over the characters of code lines, whole packages at a time.

A place stands at least 3 characters after the indentation and has at least 3 characters other than white space right
of it on its line; blank lines, comment-only lines and docstrings hold none.
"""

import io
import random
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jouline.languages import CODE_SUFFIXES

LEAST_WRITTEN = 3
LEAST_LEFT = 3
MAX_BYTES = 400_000
SKIPPED_FOLDERS = frozenset(
    {"_vendor", "vendor", "_vendored", "tests", "test", "testing", "node_modules", "__pycache__"}
)
_COMMENT_STARTS = ("#", "//", "/*", "*", "--", ";")
_SILENT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
                     tokenize.ENCODING, tokenize.ENDMARKER})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to draw from; `group` is the package it belongs to, `name` is unique among all sources."""

    path: Path
    name: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A code line with room for a cursor: offsets, in code points, of its start, its places and its end."""

    start: int
    first: int
    last: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The places drawn in one line of one source, left to right, as a person typing meets them."""

    line: Line
    offsets: tuple[int, ...]


def sources(roots: Sequence[Path]) -> list[Source]:
    """Return the code files below the roots in a fixed order; a root's own name is the group of its files.

    A root that is a file stands alone. Vendored code, tests and files over 400 kB are left out.
    """
    found = []
    for root in map(Path.absolute, roots):
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if _is_code(path))
        for path in files:
            parts = path.relative_to(root).parts if path != root else (path.name,)
            if SKIPPED_FOLDERS.isdisjoint(parts[:-1]) and path.stat().st_size <= MAX_BYTES:
                found.append(Source(path=path, name="/".join((root.name, *parts)), group=root.name))
    return found


def _is_code(path: Path) -> bool:
    return path.suffix.lower() in CODE_SUFFIXES and path.is_file()


def lines_with_room(text: str, language: str) -> list[Line]:
    """Return the code lines that hold places, in order."""
    wanted = python_code_lines(text) if language == "python" else None
    return list(_lines(text, wanted))


def _lines(text: str, wanted: set[int] | None) -> Iterator[Line]:
    start = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip()
        code = line.lstrip()
        is_code = number in wanted if wanted is not None else not code.startswith(_COMMENT_STARTS)
        room = _room(line) if code and is_code else None
        if room:
            yield Line(start=start, first=start + room[0], last=start + room[1], end=start + len(line))
        start += len(raw) + 1


def _room(line: str) -> tuple[int, int] | None:
    """Return the first and last column that may hold the cursor, None if there are none."""
    first = len(line) - len(line.lstrip()) + LEAST_WRITTEN
    left, last = 0, len(line)
    while last > first and left < LEAST_LEFT:
        last -= 1
        left += not line[last].isspace()
    return (first, last) if left >= LEAST_LEFT and last >= first else None


def python_code_lines(text: str) -> set[int]:
    """Return the numbers, from 1, of lines that hold code; of text that cannot be tokenised, none."""
    code: set[int] = set()
    try:
        for statement in _statements(text):
            if not (len(statement) == 1 and statement[0].type == tokenize.STRING):  # a docstring
                for token in statement:
                    code.update(range(token.start[0], token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return set()
    return code


def _statements(text: str) -> Iterator[list[tokenize.TokenInfo]]:
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SILENT:
            statement.append(token)
        elif token.type == tokenize.NEWLINE and statement:
            yield statement
            statement = []
    if statement:
        yield statement


def draw(lines: Sequence[Line], lines_wanted: int, *, per_line: int, rng: random.Random) -> list[Walk]:
    """Draw lines without replacement, each with a chance that grows with its room, and places evenly in each.

    A line gives at most `per_line` places. Fewer lines come back where there are not enough.
    """
    # Efraimidis and Spirakis 2006: the largest u^(1/w) are a weighted sample without replacement.
    keys = {id(line): rng.random() ** (1.0 / (line.last - line.first + 1)) for line in lines}
    chosen = sorted(lines, key=lambda line: keys[id(line)], reverse=True)[:lines_wanted]
    return [_walk(line, per_line, rng) for line in sorted(chosen, key=lambda line: line.start)]


def _walk(line: Line, per_line: int, rng: random.Random) -> Walk:
    columns = range(line.first, line.last + 1)
    return Walk(line=line, offsets=tuple(sorted(rng.sample(columns, min(per_line, len(columns))))))
