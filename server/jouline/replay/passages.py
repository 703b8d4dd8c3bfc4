"""Which parts of a complete file are taken out and typed again: blocks and single lines, drawn by a seed."""

import ast
import random
import warnings
from dataclasses import dataclass

_LONGEST_BLOCK_LINES = 10
_SHORTEST_LINE = 4  # characters; a bracket alone is no place to complete at
_LINES_PER_BLOCK = 3  # single lines drawn for each block
_COMMENT_MARKS = ("#", "//", "/*", "*", "--", ";", "<!--")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The code points `start` to `end` of a file: whole lines, from the end of the line above to their own end."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many code points."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Where the lines of a text begin and end, and which of them are code."""

    spans: list[tuple[int, int]]
    code: list[bool]

    def passage(self, first: int, last: int) -> Passage:
        start = self.spans[first - 1][1] if first else 0
        return Passage(start=start, end=self.spans[last][1])


def choose_passages(text: str, *, language: str, seed: int, chars: int) -> list[Passage]:
    """Return blocks and lines of `text` that do not overlap, about `chars` code points in all, in a seeded order.

    The draw is even over the blocks and lines there are: nothing is chosen because a model might know it. Blank
    lines, lines of comment and docstrings are not typed.
    """
    lines = _split(text, language)
    chance = random.Random(f"{seed}:passages")
    blocks = _blocks(lines)
    singles = [
        (index, index) for index, is_code in enumerate(lines.code) if is_code and _worth_typing(text, lines, index)
    ]
    chance.shuffle(blocks)
    chance.shuffle(singles)
    return _take(lines, _interleave(blocks, singles), chars)


def _worth_typing(text: str, lines: _Lines, index: int) -> bool:
    start, end = lines.spans[index]
    return len(text[start:end].strip()) >= _SHORTEST_LINE


def _take(lines: _Lines, candidates: list[tuple[int, int]], chars: int) -> list[Passage]:
    chosen: list[Passage] = []
    used: set[int] = set()
    left = chars
    for first, last in candidates:
        passage = lines.passage(first, last)
        if used.isdisjoint(range(first, last + 1)) and passage.length <= left:
            chosen.append(passage)
            used.update(range(first, last + 1))
            left -= passage.length
    shortest = min((lines.passage(first, last) for first, last in candidates), key=_length, default=None)
    return chosen or ([shortest] if shortest else [])


def _length(passage: Passage) -> int:
    return passage.length


def _interleave(blocks: list[tuple[int, int]], singles: list[tuple[int, int]]) -> list[tuple[int, int]]:
    order: list[tuple[int, int]] = []
    while blocks or singles:
        order += [blocks.pop()] if blocks else []
        order += [singles.pop() for _ in range(min(_LINES_PER_BLOCK, len(singles)))]
    return order


def _blocks(lines: _Lines) -> list[tuple[int, int]]:
    """Find the runs of two lines of code or more; long runs are cut."""
    blocks: list[tuple[int, int]] = []
    first = None
    for index, is_code in enumerate([*lines.code, False]):
        if first is not None and (not is_code or index - first == _LONGEST_BLOCK_LINES):
            if index - first > 1:
                blocks.append((first, index - 1))
            first = None
        if first is None and is_code:
            first = index
    return blocks


def _split(text: str, language: str) -> _Lines:
    docstrings = _docstring_lines(text) if language == "python" else set()
    spans: list[tuple[int, int]] = []
    code: list[bool] = []
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.removesuffix("\r")
        spans.append((start, start + len(content)))
        is_prose = content.lstrip().startswith(_COMMENT_MARKS) or number in docstrings
        code.append(bool(content.strip()) and not is_prose)
        start += len(line) + 1
    return _Lines(spans=spans, code=code)


def _docstring_lines(text: str) -> set[int]:
    """Return the numbers, from 1, of the lines of Python that hold nothing but a string nobody uses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    numbers: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            numbers.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return numbers
