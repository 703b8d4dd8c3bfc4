"""`jouline replay PATH… --table RUNS.jsonl`: the table of ways to ask, cell after cell, resumable."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from jouline.cli import cells
from jouline.cli.opening import open_app, settings
from jouline.errors import ConfigError
from jouline.replay.asking import EMBEDDED_PACE
from jouline.replay.sources import SourceFile
from jouline.replay.table import Fresh, Row, Variant, cell, summarise, variants

_WIDE_COLUMNS = 132  # figures are not cut where a terminal, or a file, has fewer


def table(args: argparse.Namespace, sources: Sequence[SourceFile]) -> int:
    """Fill the missing cells of the table, then print it."""
    config = settings(energy_saving=args.energy_saving)
    rows = cells.read(args.table)
    seeds = range(args.seed, args.seed + args.seeds)
    wanting = cells.missing(rows, sources, variants(config.energy_saving), seeds)
    if wanting:
        with open_app(config, keep_ledger=False) as app:
            rows += cells.fill(args.table, wanting, partial(_typed, app, chars=args.chars))
    if not rows:
        raise ConfigError("There is nothing to type again; give files with code in them.")
    report = summarise(rows)
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        Console(width=max(Console().width, _WIDE_COLUMNS)).print(_plain(report))
    return 0


def _typed(app: Fresh, source: SourceFile, seed: int, variant: Variant, *, chars: int) -> Row | None:
    return cell(app, source, variant, seed=seed, chars=chars, pace=EMBEDDED_PACE)


def _plain(report: Mapping[str, Any]) -> Table:
    """Return the table as a person reads it."""
    title = (
        f"{report['files']} files, {report['seeds']} seeds, {len(report['packages'])} packages; peers' triggers on our "
        f"engine; ratios to {report['reference']} (in brackets: 95 %, packages resampled); ~: estimated, a server with "
        f"one slot in the peer's own order of the prompt{_priced(report['cpu_ms_a_prompt_token'])}"
    )
    shown = Table(title=title, box=None, padding=(0, 1, 0, 0))
    for name in ("", "requests", "model\nruns", "tokens\nin", "tokens\nout", "CPU s"):
        shown.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in ("p50\nms", "keys\nsaved %", "keys / ref-\nerence %", "CPU / ref-\nerence %"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("~CPU s,\nown order", "~CPU / own\norder %"):
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
        "cpu_seconds_own_order",
        "cpu_own_order_of_reference_percent",
    ):
        low, high = figures["ci95"][name]
        yield "—" if figures[name] is None else f"{figures[name]:.1f}\n[{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _priced(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f", at {milliseconds:.3f} ms of CPU a prompt token"
