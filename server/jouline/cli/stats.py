"""`jouline stats`: what the ledger holds: requests by route, accepted, joules spent and saved, by day."""

import argparse
import csv
import json
import os
import re
import sys
import time
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from jouline.errors import LedgerError
from jouline.units import format_energy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jouline.energy.entry import Totals
    from jouline.energy.ledger import Ledger

BASELINE = "the large model"
JOULES_PER_KWH = 3.6e6
HIGHEST_INTENSITY = 2000.0  # lignite without any mix is about 1200 g
EMPTY = "The ledger is empty: nothing has been completed yet."
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("stats", help="show requests, acceptance, joules spent and saved")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument("--csv", action="store_true", help="print one line a day")
    parser.add_argument("--since", type=moment, metavar="1d", help="only what is younger: 30m, 12h, 1d, 2w or a date")
    parser.add_argument("--forget", type=moment, metavar="90d", help="delete what is older, and say how much it was")
    parser.add_argument("--grams-per-kwh", type=intensity, metavar="G", help="your grid's CO2e, to show grams too")
    parser.set_defaults(run=run)


def moment(text: str) -> float:
    """Parse an age (`30m`, `12h`, `1d`, `2w`) or a date (`2026-11-20`) as seconds since 1970."""
    if age := _AGE.fullmatch(text):
        return time.time() - float(age[1]) * _UNIT_S[age[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is neither an age like 1d nor a date like 2026-11-20") from None


def intensity(text: str) -> float:
    """Parse a grid intensity in grams of CO2 equivalent a kilowatt-hour."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= HIGHEST_INTENSITY:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of grams from 0 to {HIGHEST_INTENSITY:.0f}")
    return value


def grams(joules: float | None, grams_per_kwh: float | None) -> float | None:
    """Return grams of CO2 equivalent; None where either is unknown."""
    return None if joules is None or grams_per_kwh is None else joules / JOULES_PER_KWH * grams_per_kwh


def run(args: argparse.Namespace) -> int:
    """Print the ledger's sums; raise LedgerError where it can be neither read nor written."""
    from jouline.config import Folders
    from jouline.energy.ledger import FILE_NAME

    path = Folders.find().data / FILE_NAME
    with _open(path) as ledger:
        if args.forget is not None:
            print(f"Forgot {ledger.forget(args.forget)} rows.", file=sys.stderr)
        totals, days = ledger.totals(args.since), ledger.by_day(args.since)
        if not ledger.writable and not ledger.by_day():  # then nobody knows what it holds
            raise LedgerError(ledger.problem)
        emitted = grams(totals.joules, args.grams_per_kwh)
        if args.json:
            print(json.dumps(document(ledger, path, args.since) | {"grams_co2e": emitted}, ensure_ascii=False))
        elif args.csv:
            _print_csv(days)
        elif not days and ledger.problem is None:
            print(EMPTY if args.since is None else "Nothing was completed in that time.")
        elif days:
            _print_tables(totals, days, ledger.by("route", args.since))
            if emitted is not None:
                print(f"At {args.grams_per_kwh:g} g a kWh, ~{emitted:.2g} g of CO2 equivalent.")
        if ledger.problem:
            print(f"jouline: {ledger.problem}", file=sys.stderr)
    return 0


def document(ledger: "Ledger", path: "Path", since: float | None) -> dict[str, Any]:
    """Return the sums as one JSON-ready dict: counts are numbers, joules nobody knows are None."""
    totals = ledger.totals(since)
    return {
        "ledger": str(path),
        "since_unix_seconds": since,
        **totals_fields(totals),
        "latency_ms_median": median(latencies) if (latencies := ledger.latencies_ms(since)) else None,
        "headline": totals.headline(BASELINE).text,
        "headline_state": totals.headline(BASELINE).state,
        "by_route": _each(ledger.by("route", since)),
        "by_model": _each(ledger.by_model(since)),
        "by_language": _each(ledger.by("language", since)),
        "by_session": _each(ledger.by("session", since)),
        "by_day": _each(ledger.by_day(since)),
        "by_day_and_route": {day: _each(routes) for day, routes in ledger.by_time("day", since).items()},
    }


def totals_fields(totals: "Totals") -> dict[str, Any]:
    """Return one sum of rows under the contract's words."""
    net = totals.net_saving
    return {
        "requests": totals.requests,
        "skipped": totals.skipped,
        "cache_hits": totals.cache_hits,
        "small": totals.small,
        "large": totals.large,
        "shown": totals.shown,
        "accepted": totals.accepted,
        "accepted_chars": totals.accepted_chars,
        "cancelled": totals.cancelled,
        "joules": totals.joules,
        "joules_low": totals.joules_low,
        "joules_high": totals.joules_high,
        "joules_method": totals.method,
        "joules_unknown_requests": totals.joules_unknown,
        "requests_by_method": {
            "measured": totals.measured,
            "attributed": totals.attributed,
            "estimated": totals.estimated,
        },
        "router_joules": totals.router_joules,
        "cancelled_joules": totals.cancelled_joules,
        "prefetch_joules": totals.prefetch_joules,
        "residency_joules": totals.residency_joules,
        "load_joules": totals.load_joules,
        "shadows": totals.shadows,
        "shadow_joules": totals.shadow_joules,
        "baseline_joules": totals.baseline_joules,
        "saved_joules": totals.saved_joules,
        "saved_joules_stddev": totals.saved_stddev,
        "saved_net_joules": net.joules if net else None,
        "saved_percent": totals.headline(BASELINE).saved_percent,
        "saved_by": {
            "route": totals.saved_route,
            "exit": totals.saved_exit,
            "stop": totals.saved_stop,
            "gate": totals.saved_gate,
            "drafts": totals.saved_drafts,
        },
        "accepted_chars_per_joule": totals.accepted_chars_per_joule,
        "cpu_seconds": totals.cpu_seconds,
        "prompt_tokens_evaluated": totals.prompt_evaluated,
        "generated_tokens": totals.generated,
    }


def _open(path: "Path") -> "Ledger":
    from jouline.config import Folders, by_cause, can_write
    from jouline.energy.ledger import Ledger

    if os.path.exists(path):  # noqa: PTH110  Path.exists raises where one may not look
        return Ledger(path)
    if not can_write(path.parent):
        raise LedgerError(by_cause(f"There is no ledger at {path}, and none can be made there.", Folders.find()))
    return Ledger(None)  # looking must not make a file


def _each(sums: "dict[str, Totals]") -> dict[str, Any]:
    return {key: totals_fields(totals) for key, totals in sums.items()}


def _print_csv(days: "dict[str, Totals]") -> None:
    from jouline.energy.entry import Totals

    columns = [key for key, value in totals_fields(Totals()).items() if not isinstance(value, dict)]
    writer = csv.writer(sys.stdout)
    writer.writerow(["day", *columns])
    for day, totals in days.items():
        row = totals_fields(totals)
        writer.writerow([day, *(row[column] for column in columns)])


def _print_tables(totals: "Totals", days: "dict[str, Totals]", routes: "dict[str, Totals]") -> None:
    from rich.console import Console

    console = Console()
    console.print(_table("By route", "route", routes))
    console.print(_table("By day", "day", days))
    for line in _lines(totals):
        console.print(line, highlight=False, markup=False)


def _table(title: str, first: str, sums: "dict[str, Totals]") -> Any:
    from rich.table import Table

    table = Table(title=title)
    table.add_column(first)
    for heading in ("requests", "shown", "accepted", "chars", "spent", "class", "saved"):
        table.add_column(heading, justify="right")
    for key, each in sums.items():
        saved = format_energy(each.saved_joules, exact=False)  # a saving is always an estimate
        counts = (each.requests, each.shown, each.accepted, each.accepted_chars)
        table.add_row(key, *map(str, counts), _spent(each.joules, each), each.method, saved)
    return table


def _lines(totals: "Totals") -> list[str]:
    lines = [f"Spent {_spent(totals.joules, totals)} ({totals.method}); {totals.headline(BASELINE).text}."]
    apart = {
        "cancelled": totals.cancelled_joules,
        "prefetched": totals.prefetch_joules,
        "loading": totals.load_joules,
        "shadow evaluations": totals.shadow_joules,
        "residency": totals.residency_joules,
    }
    known = [f"{name} {_spent(joules, totals)}" for name, joules in apart.items() if joules is not None]
    if known:
        lines.append("Apart from answers: " + ", ".join(known) + ".")
    lines.extend(_means(totals))
    if totals.accepted_chars and totals.accepted_chars_per_joule is not None:
        sign = "" if totals.method == "measured" else "~"
        each = _spent(1 / totals.accepted_chars_per_joule, totals)
        lines.append(f"{sign}{totals.accepted_chars_per_joule:.2g} accepted characters a joule, {each} each.")
    if totals.joules_unknown:
        lines.append(f"The joules of {totals.joules_unknown} requests are not known and not in the sum.")
    return lines


def _means(totals: "Totals") -> "Iterator[str]":
    means = {
        "routing": totals.saved_route,
        "early exit": totals.saved_exit,
        "stopping early": totals.saved_stop,
        "drafts": totals.saved_drafts,
    }
    known = [f"{name} {format_energy(joules, exact=False)}" for name, joules in means.items() if joules]
    if known:
        yield "Saved by " + ", ".join(known) + "."
    if totals.saved_gate:
        yield f"Not asked for, so not in the saving: {format_energy(totals.saved_gate, exact=False)} by the gate."
    classes = {"measured": totals.measured, "attributed": totals.attributed, "estimated": totals.estimated}
    if sum(map(bool, classes.values())) > 1:
        yield "The sum mixes classes: " + ", ".join(f"{count} {name}" for name, count in classes.items() if count) + "."


def _spent(joules: float | None, totals: "Totals") -> str:
    return format_energy(joules, exact=totals.method == "measured")
