"""Set keys in a TOML text and leave every other line, comment and order as its owner wrote it."""

import json
import re
import tomllib
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*\[([^\[\]]+)\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""^(\s*)((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_ROOT = "jouline"


def set_text(text: str, dotted: str, value: str) -> str | None:
    """Return the TOML text with the key `dotted` set to a string; None where the text's form is not understood.

    A key may stand in a table, dotted, quoted, and below the table `jouline`. The result always parses.
    """
    lines, wanted = text.splitlines(), dotted.split(".")
    table: list[str] = []
    for number, line in enumerate(lines):
        if header := _HEADER.match(line):
            table = _parts(header[1])
        elif (found := _ASSIGNMENT.match(line)) and _plain([*table, *_parts(found[2])]) == wanted:
            lines[number] = f"{found[1]}{found[2]} = {_string(value)}"
            return _checked(lines)
    return _checked(_added(lines, wanted, value))


def _added(lines: Sequence[str], wanted: Sequence[str], value: str) -> list[str]:
    *table, key = wanted
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        if header and table and _plain(_parts(header[1])) == table:
            return [*lines[: number + 1], f"{key} = {_string(value)}", *lines[number + 1 :]]
    first = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    while (
        first > 0 and (lines[first - 1].lstrip().startswith("#") or not lines[first - 1].strip()) and first < len(lines)
    ):
        first -= 1  # above the comment that belongs to the table
    return [*lines[:first], f"{'.'.join(wanted)} = {_string(value)}", *lines[first:]]


def _checked(lines: Sequence[str]) -> str | None:
    text = "\n".join(lines) + "\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    return text


def _parts(dotted: str) -> list[str]:
    return [part for found in _PART.findall(dotted) for part in found.strip("\"'").split(".")]


def _plain(parts: Sequence[str]) -> list[str]:
    return list(parts[1:]) if parts and parts[0] == _ROOT else list(parts)


def _string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
