"""Whether a completion leaves valid syntax: prefix + completion + suffix, looked at where the cursor is (pure)."""

import ast
import re
import warnings

_GOES_ON = re.compile(r"(?:else|elif|except|finally|case)\b|[)\]}]")
_MAX_CHARS = 20_000


def parses(text: str, offset: int, completion: str) -> bool | None:
    """Return whether Python text with `completion` put in at `offset` parses around it.

    Only the top-level statement around the cursor is parsed. None where it cannot be told: it is too long, or does
    not parse even with the cursor's line left out.
    """
    start, end = statement_around(text, offset)
    if end - start > _MAX_CHARS:
        return None
    before, after = text[start:offset], text[offset:end]
    if _is_valid(before + completion + after):
        return True
    line = before[before.rfind("\n") + 1 :]
    indent = line[: len(line) - len(line.lstrip())]
    return False if _is_valid(before[: len(before) - len(line)] + indent + "pass" + after) else None


def statement_around(text: str, offset: int) -> tuple[int, int]:
    """Return where the top-level statement around `offset` begins and ends, by indentation alone."""
    start = text.rfind("\n", 0, offset) + 1
    while start > 0 and not _begins_statement(text, start):
        start = text.rfind("\n", 0, start - 1) + 1
    end = text.find("\n", offset)
    while end >= 0 and not _begins_statement(text, end + 1):
        end = text.find("\n", end + 1)
    return start, len(text) if end < 0 else end + 1


def _begins_statement(text: str, start: int) -> bool:
    first = text[start : start + 1]
    return bool(first) and not first.isspace() and not _GOES_ON.match(text, start)


def _is_valid(code: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd literals in the code under test
        try:
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True
