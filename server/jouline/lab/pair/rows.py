"""Training rows: fixed-length runs of token ids, in part plain text, in part in the layout that the engine prompts in.

The layout is `<|fim_suffix|>` suffix `<|fim_prefix|>` prefix and middle `<|endoftext|>`. Prefix and middle are read as
one text with no marker between them, since the engine heals the token at the cursor; the suffix begins with the
line after the middle and has at most 64 tokens. An example is never cut; plain text fills what is left of a row.
"""

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from jouline.lab.pair.tokenizer import Markers, encode_all, markers

SUFFIX_TOKENS = 64
SEGMENT_CHARS = 3000
BLOCK_LINES = 10
COMMENTS = ("#", "//", "/*", "* ", "*/")
CONTROL = "<|"  # texts that spell a control token are left out

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How rows are made: tokens in a row, and the share of the text that is shown as infilling."""

    length: int = 640
    infill_share: float = 0.32


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An infilling example in characters: `before` ends where `middle` begins, `after` begins on the next line."""

    after: str
    before: str
    middle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`tokens`, (rows, length + 1), and `middle` of the same shape, 1 where a token belongs to a middle."""

    tokens: NDArray[np.uint16]
    middle: NDArray[np.uint8]

    def save(self, path: Path) -> None:
        """Write both arrays; a half-written file is never seen under the name."""
        part = path.with_suffix(".part.npz")
        np.savez(part, tokens=self.tokens, middle=self.middle)
        part.replace(path)


def load(path: Path) -> Rows:
    """Read what `Rows.save` wrote."""
    with np.load(path) as arrays:
        return Rows(tokens=arrays["tokens"], middle=arrays["middle"])


def segments(text: str) -> Iterator[tuple[int, int]]:
    """Cut a text at line ends into (start, end) of about `SEGMENT_CHARS` characters."""
    start = 0
    while start < len(text):
        end = start + SEGMENT_CHARS
        end = (text.find("\n", end) + 1 or len(text)) if end < len(text) else len(text)
        yield start, end
        start = end


def line_end(text: str, place: int) -> int:
    """Where the line that holds a place ends, before its newline."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def block_end(text: str, place: int) -> int:
    """Return the end of the block that the line at a place opens: deeper lines below it, `BLOCK_LINES` at most.

    Blank lines inside the block belong to it, those after it do not. Without deeper lines it is the line's own end.
    """
    start = text.rfind("\n", 0, place) + 1
    indent = _indent(text[start : line_end(text, place)])
    end = scan = line_end(text, place)
    for _ in range(BLOCK_LINES):
        line = text[scan + 1 : (scan := line_end(text, scan + 1))]
        if line.strip() and _indent(line) <= indent:
            break
        if line.strip():
            end = scan
        if scan >= len(text):
            break
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def example(text: str, low: int, high: int, rng: random.Random) -> Example | None:
    """Cut an infilling example out of a text, its cursor in [low, high); None where the place drawn is no use."""
    drawn = rng.randrange(low, high)
    start, end = text.rfind("\n", 0, drawn) + 1, line_end(text, drawn)
    code = start + _indent(text[start:end])
    if end - code < 4 or (text.startswith(COMMENTS, code) and rng.random() < 0.7):
        return None
    block = rng.random() < 0.35
    cursor = rng.randrange(code, end)
    stop = block_end(text, cursor) if block else end
    prefix = rng.randrange(500, 2100) if rng.random() < 0.8 else rng.randrange(60, 500)
    with_suffix = block or rng.random() < 0.5
    after = text[stop + rng.randrange(2) : stop + 420] if with_suffix else ""
    return Example(
        after=after, before=text[_line_start(text, cursor - prefix, cursor) : cursor], middle=text[cursor:stop]
    )


def _line_start(text: str, wanted: int, limit: int) -> int:
    if wanted <= 0:
        return 0
    found = text.find("\n", wanted, limit)
    return wanted if found < 0 else found + 1


def draw(texts: list[str], shape: Shape, rng: random.Random) -> tuple[list[str], list[Example]]:
    """Deal the segments of all texts out to plain text and to infilling examples, both shuffled."""
    plain: list[str] = []
    examples: list[Example] = []
    for text in texts:
        for start, end in segments(text):
            if rng.random() >= shape.infill_share:
                plain.append(text[start:end])
                continue
            found = (example(text, start, end, rng) for _ in range(4))
            examples.extend([e for e in found if e][:2])
    rng.shuffle(plain)
    rng.shuffle(examples)
    return plain, examples


def encode_examples(tokenizer: Tokenizer, examples: list[Example], rng: random.Random) -> list[tuple[list[int], int]]:
    """(ids, length of the middle with its end token) of every example."""
    mark = markers(tokenizer)
    whole = encode_all(tokenizer, [e.before + e.middle for e in examples])
    before = encode_all(tokenizer, [e.before for e in examples])
    after = encode_all(tokenizer, [e.after for e in examples])
    return [_layout(*parts, mark, rng) for parts in zip(after, before, whole, strict=True)]


def _layout(
    after: list[int], before: list[int], whole: list[int], mark: Markers, rng: random.Random
) -> tuple[list[int], int]:
    limit = SUFFIX_TOKENS if rng.random() < 0.7 else rng.randrange(1, SUFFIX_TOKENS)
    shared = next(
        (i for i, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b), min(len(before), len(whole))
    )
    return [mark.suffix, *after[:limit], mark.prefix, *whole, mark.end], len(whole) - shared + 1


def pack(plain: list[int], examples: list[tuple[list[int], int]], length: int, rng: random.Random) -> Rows:
    """Fill rows of `length` + 1 with whole examples and plain text in their proportion, until one runs out.

    Examples longer than a row are dropped.
    """
    size = length + 1
    examples = [e for e in examples if len(e[0]) <= size]
    total = sum(len(e[0]) for e in examples)
    share = total / (total + len(plain))
    rows: list[tuple[list[int], list[int]]] = []
    used = taken = spent = 0
    while taken < len(examples) and used + size <= len(plain):
        row: list[int] = []
        middle: list[int] = []
        while (
            taken < len(examples) and spent <= share * size * len(rows) and len(row) + len(examples[taken][0]) <= size
        ):
            ids, count = examples[taken]
            row, middle, taken = row + ids, middle + [0] * (len(ids) - count) + [1] * count, taken + 1
            spent += len(ids)
        fill = size - len(row)
        text, used = plain[used : used + fill], used + fill
        rows.append((text + row, [0] * fill + middle) if rng.random() < 0.5 else (row + text, middle + [0] * fill))
    rng.shuffle(rows)
    tokens = np.array([r for r, _ in rows], np.uint16)
    return Rows(tokens=tokens, middle=np.array([m for _, m in rows], np.uint8))


def build(texts: list[str], tokenizer: Tokenizer, shape: Shape, seed: int) -> Rows:
    """Rows of one epoch; another seed cuts other examples from the same texts."""
    rng = random.Random(seed)
    texts = [text for text in texts if CONTROL not in text]
    rng.shuffle(texts)
    plain, examples = draw(texts, shape, rng)
    end = markers(tokenizer).end
    stream = [i for ids in encode_all(tokenizer, plain) for i in (*ids, end)]
    return pack(stream, encode_examples(tokenizer, examples, rng), shape.length, rng)


def prepare(texts: list[str], tokenizer: Tokenizer, folder: Path, *, epochs: int, seed: int) -> None:
    """Write what is missing of `validation.npz`, from every 200th text, and `rows-1.npz`… from the others."""
    jobs = [("validation", texts[::200])]
    rest = [text for i, text in enumerate(texts) if i % 200]
    jobs += [(f"rows-{epoch}", rest) for epoch in range(1, epochs + 1)]
    for number, (name, part) in enumerate(jobs):
        path = folder / f"{name}.npz"
        if not path.exists():
            made = build(part, tokenizer, Shape(), seed + number)
            made.save(path)
            log.info("%s: %d rows, %.1f M tokens", name, len(made.tokens), made.tokens.size / 1e6)
