"""`jouline replay PATH… --table RUNS.jsonl`: the table of ways to ask, cell after cell, resumable."""

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jouline.cli.opening import open_app, settings
from jouline.errors import ConfigError
from jouline.replay.asking import EMBEDDED_PACE
from jouline.replay.sources import SourceFile
from jouline.replay.table import Fresh, Row, Variant, cell, summarise, variants

_KEY = ("variant", "file", "seed")


def table(args: argparse.Namespace, sources: Sequence[SourceFile]) -> int:
    """Fill the missing cells of the table, then print it."""
    config = settings(energy_saving=args.energy_saving)
    wanted = variants(config.energy_saving)
    rows = _read(args.table)
    seeds = range(args.seed, args.seed + args.seeds)
    done = {tuple(row[name] for name in _KEY) for row in rows}
    missing = [work for work in _cells(sources, wanted, seeds) if _key(*work) not in done]
    if missing:
        rows += _fill(args, missing, energy_saving=config.energy_saving)
    if not rows:
        raise ConfigError("There is nothing to type again; give files with code in them.")
    report = summarise(rows)
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        Console().print(_plain(report))
    return 0


def _cells(
    sources: Sequence[SourceFile], wanted: Sequence[Variant], seeds: Sequence[int]
) -> Iterator[tuple[SourceFile, int, Variant]]:
    """Yield the cells, all variants of a file and seed side by side in an order of their own."""
    for seed in seeds:
        for source in sources:
            order = random.Random(f"{seed}:{source.path.name}").sample(wanted, len(wanted))
            yield from ((source, seed, variant) for variant in order)


def _key(source: SourceFile, seed: int, variant: Variant) -> tuple[str, str, int]:
    return variant.name, f"{source.group}/{source.path.name}", seed


def _fill(
    args: argparse.Namespace, missing: Sequence[tuple[SourceFile, int, Variant]], *, energy_saving: int
) -> list[Row]:
    config = settings(energy_saving=energy_saving)
    added: list[Row] = []
    args.table.parent.mkdir(parents=True, exist_ok=True)
    with open_app(config, keep_ledger=False) as app, args.table.open("a", encoding="utf-8") as out, _bar() as bar:
        task = bar.add_task("cells", total=len(missing))
        for source, seed, variant in missing:
            row = _typed(app, source, seed, variant, chars=args.chars)
            if row is not None:
                out.write(json.dumps(row) + "\n")
                out.flush()
                added.append(row)
            bar.advance(task)
    return added


def _typed(app: Fresh, source: SourceFile, seed: int, variant: Variant, *, chars: int) -> Row | None:
    return cell(app, source, variant, seed=seed, chars=chars, pace=EMBEDDED_PACE)


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if all(name in row for name in _KEY)]
    except (OSError, ValueError) as error:
        raise ConfigError(f"The table {path} cannot be read ({error}); remove it or name another.") from error


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _plain(report: Mapping[str, Any]) -> Table:
    """Return the table as a person reads it."""
    title = (
        f"{report['files']} files, {report['seeds']} seeds, {len(report['packages'])} packages; peers' triggers on our "
        f"engine; ratios to {report['reference']} (in brackets: 95 %, packages resampled)"
    )
    shown = Table(title=title, box=None, padding=(0, 1, 0, 0))
    for name in ("", "requests", "inferences", "tokens in", "tokens out", "CPU s", "p50 ms", "keys saved %"):
        shown.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in ("keys / reference %", "CPU / reference %"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name, figures in report["variants"].items():
        shown.add_row(name, *_cells_of(figures))
    return shown


def _cells_of(figures: Mapping[str, Any]) -> Iterator[str]:
    for name in ("requests", "inferences", "prompt_tokens_evaluated", "generated_tokens"):
        yield f"{figures[name]:.0f}"
    yield f"{figures['cpu_seconds']:.1f}"
    for name in (
        "latency_ms_p50",
        "keystrokes_saved_percent",
        "keystrokes_saved_of_reference_percent",
        "cpu_of_reference_percent",
    ):
        low, high = figures["ci95"][name]
        yield "—" if figures[name] is None else f"{figures[name]:.1f} [{low}, {high}]"
