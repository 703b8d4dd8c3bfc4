"""Outcome tables: what every model did at every query, one row a query, as JSON Lines or Parquet.

Fields and their meaning are fixed by the contract; whatever else a row or an outcome carries is kept.
"""

import contextlib
import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

from jouline.errors import ConfigError

Row = dict[str, Any]

FORMATS = (".jsonl", ".jsonl.gz", ".parquet")
_REQUIRED: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("query_id", str),
    ("task", str),
    ("cost_unit", str),
    ("outcomes", dict),
)


def read(path: Path) -> list[Row]:
    """Return a table's rows, checked; raise `ConfigError` naming the file, the row and what is wrong with it."""
    rows = []
    seen: set[str] = set()
    for number, row in enumerate(_parse(path), 1):
        if problem := check(row) or (f"query_id {row['query_id']!r} comes twice" if row["query_id"] in seen else None):
            raise ConfigError(f"Row {number} of {path} is no outcome: {problem}.")
        seen.add(row["query_id"])
        rows.append(row)
    if not rows:
        raise ConfigError(f"{path} holds no rows.")
    return rows


def read_all(paths: Iterable[Path]) -> list[Row]:
    """Return the rows of several tables, which must not share a query."""
    rows = [row for path in paths for row in read(path)]
    if len({row["query_id"] for row in rows}) < len(rows):
        raise ConfigError("Two of the tables given share a query: give each table once.")
    return rows


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write a table in the format of its name; raise `ConfigError` for a row that is no outcome."""
    checked = []
    for row in rows:
        if problem := check(row):
            raise ConfigError(f"Row {row.get('query_id')!r} cannot be written: {problem}.")
        checked.append(row)
    if _format(path) == ".parquet":
        _write_parquet(path, checked)
    else:
        path.unlink(missing_ok=True)
        append(path, checked)


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to a JSON Lines table, in one compressed member where it is compressed; Parquet cannot grow."""
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()
    with path.open("ab") as file:
        file.write(gzip.compress(text, 6) if _format(path) == ".jsonl.gz" else text)


def salvage(path: Path) -> list[Row]:
    """Return the whole rows at the beginning of a JSON Lines table whose writing may have been cut short."""
    rows: list[Row] = []
    with contextlib.suppress(ConfigError):
        rows.extend(_parse(path))
    return rows


def check(row: Any) -> str | None:
    """Return what keeps a value from being an outcome row, in a few words, or None."""
    if not isinstance(row, dict):
        return "it is not an object"
    for name, kind in _REQUIRED:
        if not isinstance(row.get(name), kind):
            return f"{name} is missing or of another type"
    if not isinstance(row.get("text"), str) and not (
        isinstance(row.get("prefix"), str) and isinstance(row.get("suffix"), str)
    ):
        return "it has neither text nor prefix and suffix"
    problems = (_check_outcome(model, outcome) for model, outcome in row["outcomes"].items())
    return next(filter(None, problems), None) or _check_numbers("features", row.get("features"))


def _check_outcome(model: str, outcome: Any) -> str | None:
    if not isinstance(outcome, dict):
        return f"the outcome of {model} is not an object"
    quality, cost = outcome.get("quality"), outcome.get("cost")
    if not is_number(quality) or not 0 <= quality <= 1:
        return f"the quality of {model} is not a number from 0 to 1"
    if not is_number(cost) or cost < 0:
        return f"the cost of {model} is not a number from 0 on"
    return _check_numbers(f"the evidence of {model}", outcome.get("evidence"))


def _check_numbers(what: str, numbers: Any) -> str | None:
    if numbers is None or (isinstance(numbers, dict) and all(map(is_number, numbers.values()))):
        return None
    return f"{what} is not an object of numbers"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _format(path: Path) -> str:
    found = next((ending for ending in FORMATS[::-1] if path.name.endswith(ending)), None)
    if found is None:
        raise ConfigError(f"{path} is no outcome table: its name must end in {', '.join(FORMATS)}.")
    return found


def _parse(path: Path) -> Iterator[Row]:
    kind = _format(path)
    try:
        if kind == ".parquet":
            yield from _read_parquet(path)
            return
        opener = gzip.open if kind == ".jsonl.gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield json.loads(line)
    except FileNotFoundError:
        raise ConfigError(f"There is no outcome table at {path}.") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigError(f"The outcome table {path} cannot be read to its end ({error}).") from error


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet  # noqa: PLC0415  heavy, and only for this format

    for row in pyarrow.parquet.read_table(path).to_pylist():
        yield _without_nulls(row)


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow as pa  # noqa: PLC0415  heavy, and only for this format
    import pyarrow.parquet  # noqa: PLC0415

    columns = dict.fromkeys(name for row in rows for name in row)  # pyarrow takes the first row's otherwise
    whole = [dict.fromkeys(columns) | _without_nulls(row) for row in rows]
    pyarrow.parquet.write_table(pa.Table.from_pylist(whole), path)


def _without_nulls(value: Any) -> Any:
    """Drop what a struct column adds for keys that a row does not have, and objects that hold nothing."""
    if isinstance(value, dict):
        kept = {key: _without_nulls(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part is not None and part != {}}
    return value
