"""When a text has said what there is to say: loops, ends of blocks, lines that stand in the file already (pure)."""

import re

_LOOPS = ((1, 5), (2, 8), *((period, 3 * period) for period in range(3, 9)))  # tokens: period, length in all
_LINE_TIMES = 3
_LONGEST_PERIOD = 3  # lines
_LEAST_LINE = 4  # characters: shorter lines, such as a closing bracket, repeat by right
_BRACKETS = re.compile(rb"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|#[^\n]*|[()\[\]{}]")
_OPENERS, _CLOSERS = b"([{", b")]}"


def repeats(tokens: list[int]) -> bool:
    """Whether the last tokens are one short group over and over (small models fall into such loops)."""
    count = len(tokens)
    for period, span in _LOOPS:
        # the first comparison is nearly always all there is to do
        if (
            count >= span
            and tokens[-1] == tokens[-1 - period]
            and tokens[-span:] == tokens[-period:] * (span // period)
        ):
            return True
    return False


def repeats_lines(text: bytes) -> bool:
    """Whether the last whole lines are one line, or two or three in turn, three times running; blank ones aside."""
    lines = [line for line in text.split(b"\n")[:-1] if line.strip()]
    for period in range(1, _LONGEST_PERIOD + 1):
        span = period * _LINE_TIMES
        if len(lines) >= span and lines[-span:] == lines[-period:] * _LINE_TIMES:
            return True
    return False


def block_end(text: bytes, indent: int) -> int | None:
    """Return where the first whole line after the first that is indented at most `indent` begins, None if none."""
    start = text.find(b"\n") + 1
    while start:
        line = text[start : text.find(b"\n", start) if b"\n" in text[start:] else len(text)]
        body = line.lstrip(b" \t").rstrip(b"\r")
        if body and len(line) - len(body) <= indent:
            return start
        start = text.find(b"\n", start) + 1
    return None


def suffix_start(text: bytes, next_line: bytes) -> int | None:
    """Return where the last whole line of `text` begins if it is what stands next in the file, None if it is not.

    Indentation and blanks at the end are not compared; lines too short to tell are never taken for it.
    """
    wanted = next_line.strip()
    if len(wanted) < _LEAST_LINE or not text.endswith(b"\n"):
        return None
    start = text.rfind(b"\n", 0, len(text) - 1) + 1
    return start if start and text[start:].strip() == wanted else None


def closer_start(text: bytes, open_brackets: int) -> int | None:
    """Return where the first bracket is closed that nothing opened, `open_brackets` being open before `text`.

    None if there is none. Brackets in strings and comments do not count.
    """
    depth = open_brackets
    for match in _BRACKETS.finditer(text):
        mark = match.group()
        depth += (mark in _OPENERS) - (mark in _CLOSERS)
        if depth < 0:
            return match.start()
    return None


def open_brackets(text: bytes) -> int:
    """Return how many brackets are open behind `text`."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        mark = match.group()
        depth = max(0, depth + (mark in _OPENERS) - (mark in _CLOSERS))
    return depth
