"""Cells of a table of replays, typed one after the other into a file, so that a stopped run goes on."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jouline.errors import ConfigError
from jouline.replay.sources import SourceFile
from jouline.replay.table import Row, Variant

Cell = tuple[SourceFile, int, Variant]  # a file, typed by a seed, under a variant
_KEY = ("variant", "file", "seed")


def missing(
    rows: Sequence[Row], sources: Sequence[SourceFile], wanted: Sequence[Variant], seeds: Sequence[int]
) -> list[Cell]:
    """Return the cells that `rows` lack, all variants of a file and seed side by side in an order of their own."""
    done = {tuple(row[name] for name in _KEY) for row in rows}
    return [cell for cell in _cells(sources, wanted, seeds) if _key(*cell) not in done]


def read(path: Path) -> list[Row]:
    """Return the rows of a file, none where there is no file; raises ConfigError where it cannot be read."""
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if all(name in row for name in _KEY)]
    except (OSError, ValueError) as error:
        raise ConfigError(f"The table {path} cannot be read ({error}); remove it or name another.") from error


def fill(path: Path, cells: Sequence[Cell], typed: Callable[[SourceFile, int, Variant], Row | None]) -> list[Row]:
    """Type cells, append each to the file at once, and return them; those with nothing to type are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    added: list[Row] = []
    with path.open("a", encoding="utf-8") as out, _bar() as bar:
        task = bar.add_task("cells", total=len(cells))
        for cell in cells:
            row = typed(*cell)
            if row is not None:
                out.write(json.dumps(row) + "\n")
                out.flush()
                added.append(row)
            bar.advance(task)
    return added


def _cells(sources: Sequence[SourceFile], wanted: Sequence[Variant], seeds: Sequence[int]) -> Iterator[Cell]:
    for seed in seeds:
        for source in sources:
            order = random.Random(f"{seed}:{source.path.name}").sample(wanted, len(wanted))
            yield from ((source, seed, variant) for variant in order)


def _key(source: SourceFile, seed: int, variant: Variant) -> tuple[str, str, int]:
    return variant.name, f"{source.group}/{source.path.name}", seed


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
