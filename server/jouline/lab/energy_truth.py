"""`scripts/energy_truth`: are the joules right? Requests are summed and held against other readings of the same time.

Three questions, each answered with numbers or with the reason why this machine cannot answer it: does another reader
see what our meters see; do a session's requests add up to what was spent meanwhile; does the cost model, which prices
what cannot be measured, foretell batches of requests that it was not fitted on.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jouline.app import build
from jouline.cancel import CancelToken
from jouline.catalogue.card import StageCard
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.store import ModelStore
from jouline.completion import CompletionRequest, Tier
from jouline.config import Config, Folders
from jouline.energy.costbook import CostBook
from jouline.energy.meter import Meters, open_meters
from jouline.energy.savings import Work
from jouline.energy.second import Second, find_seconds
from jouline.energy.window import Measurement
from jouline.engine.generate import Limits
from jouline.errors import JoulineError
from jouline.hardware import probe, sysfs_root
from jouline.lab.places import sources
from jouline.lab.retype import Block, blocks
from jouline.opening import open_pair
from jouline.pipeline.account import work_of
from jouline.pipeline.completer import Completer
from jouline.pipeline.costs import Costs
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.warmup import warm_up

SESSION_PERCENT = 5.0
BATCH_PERCENT = 15.0
BATCH = 20
TYPED = 4  # keystrokes at a place, each a request
IDLE_S = 3.0  # for an idle baseline before the session, where counters are read
TIERS: tuple[Tier, Tier] = ("small", "large")
TEXTS = Path(statistics.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Our own reading of something and another one of the same; None is unknown."""

    compares: str
    name: str
    ours: float | None
    other: float | None

    @property
    def error_percent(self) -> float | None:
        """How far ours is above the other, in percent of it."""
        return percent(self.ours, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a session's lines sum to, and what the other readings say was spent in the same minutes."""

    requests: int
    seconds: float
    summed_joules: float | None
    reference_joules: float | None
    method: str
    source: str

    @property
    def error_percent(self) -> float | None:
        """How far the sum is above the reference, in percent of it."""
        return percent(self.summed_joules, self.reference_joules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Requests that no cost model was fitted on: what they took together and what was foretold, in joules.

    `again` is what the same requests took, by what was foretold, when they were made once more: 1 where the machine
    had not changed meanwhile. No model can foretell better than that.
    """

    requests: int
    measured_joules: float
    predicted_joules: float
    again: float

    @property
    def error_percent(self) -> float:
        """How far the prediction is above the measurement, in percent of it."""
        return 100.0 * (self.predicted_joules / self.measured_joules - 1.0)

    @property
    def noise_percent(self) -> float:
        """By how much the same requests differed when they were made once more."""
        return 100.0 * abs(self.again * self.predicted_joules / self.measured_joules - 1.0)


def percent(ours: float | None, other: float | None) -> float | None:
    """Return by how many percent `ours` is above `other`; None where either is unknown or nothing was spent."""
    return None if ours is None or not other else 100.0 * (ours / other - 1.0)


def draw(seed: int) -> tuple[list[CompletionRequest], list[CompletionRequest]]:
    """Return requests as typing makes them, of Python's own library: two lists from different files."""
    found = sources(sorted(TEXTS.glob("*.py")))
    random.Random(seed).shuffle(found)
    half = len(found) // 2
    return _typed(found[:half], seed), _typed(found[half:], seed)


def _typed(part: Sequence[Any], seed: int) -> list[CompletionRequest]:
    drawn = blocks(part, per_group=1, seed=seed)
    random.Random(seed).shuffle(drawn)
    return [request for block in drawn for request in _keystrokes(block)]


def _keystrokes(block: Block) -> list[CompletionRequest]:
    requests = []
    for place, line_end in block.places:
        for offset in range(place, min(place + TYPED, line_end)):
            text = block.text[:offset] + block.text[line_end:]
            uri = f"truth:{block.source.name}"
            requests.append(CompletionRequest(uri=uri, language="python", text=text, offset=offset))
    return requests


def hold_session(config: Config, folders: Folders, requests: Sequence[CompletionRequest], root: Path) -> dict[str, Any]:
    """Serve requests as the editor's would be, routes mixed, while other readers read the same minutes."""
    routes = ("auto", "small", "large")
    with open_meters() as outer, build(config, folders, keep_ledger=False, meters=open_meters()) as app:
        outer.use_gpu(app.on_gpu)
        if outer.sample_every_s() is not None:
            time.sleep(IDLE_S)
        before = app.session_energy(settle=True)
        seconds, missing = find_seconds(outer, root)
        for second in seconds:
            second.begin()
        with outer.window() as whole:
            for number, request in enumerate(requests):
                app.complete(replace(request, route=routes[number % len(routes)]), CancelToken())
        others = [(second, second.end()) for second in seconds]
        after = app.session_energy(settle=True)
        on_gpu = app.on_gpu
    readings = [_reading(second, other, whole.measurement) for second, other in others]
    session = Session(
        requests=after.requests - before.requests,
        seconds=whole.measurement.duration_s,
        summed_joules=_spent(after) - _spent(before) if after.spent_joules is not None else None,
        reference_joules=_reference(whole.measurement, readings),
        method=after.method,
        source=after.source,
    )
    return {"session": session, "readings": readings, "missing": missing, "on_gpu": on_gpu}


def _spent(energy: Any) -> float:
    return sum(joules or 0.0 for joules in (energy.spent_joules, energy.cancelled_joules, energy.residency_joules))


def _reading(second: Second, other: float | None, whole: Measurement) -> Reading:
    prefix = {"processor package": ("rapl package", "perf package"), "graphics board": ("nvml",)}.get(second.compares)
    if prefix is None:
        return Reading(compares=second.compares, name=second.name, ours=whole.cpu_seconds, other=other)
    shown = [part.gross_joules for part in whole.parts if part.meter.startswith(prefix)]
    known = [joules for joules in shown if joules is not None]
    ours = sum(known) if known and len(known) == len(shown) else None
    return Reading(compares=second.compares, name=second.name, ours=ours, other=other)


def _reference(whole: Measurement, readings: Sequence[Reading]) -> float | None:
    """Return the joules of the whole time with each device's part scaled to what the other reader saw."""
    if whole.joules is None:
        return None
    scale = {each.compares: each.other / each.ours for each in readings if each.ours and each.other is not None}
    total = 0.0
    for part in whole.parts:
        if part.counted and part.joules is not None:
            device = "graphics board" if part.domain == "gpu" else "processor package"
            device = "processor time" if part.method == "estimated" else device
            total += part.joules * scale.get(device, 1.0)
    return total


class Foreteller:
    """Cost models fitted on some requests, and the means to measure others. Closes nothing of what it is given."""

    def __init__(self, completer: Completer, meters: Meters, *, seed: int) -> None:
        self._completer = completer
        self._meters = meters
        self._costs = Costs(meters, CostBook(None), {"small": "small", "large": "large"}, "this machine")
        self._limits = Limits(max_tokens=PipelineOptions().max_line_tokens)
        self._rng = random.Random(seed)
        for tier in TIERS:
            self._costs.begin(tier, warm_up(completer, meters, tier, CancelToken()))

    def fit(self, requests: Sequence[CompletionRequest]) -> None:
        """Learn from requests one by one, as the product does, each asked of either model."""
        for request in requests:
            tier = self._rng.choice(TIERS)
            with self._meters.window() as window:
                work = self._generate(request, tier)
            self._costs.learn(tier, work, window.measurement)

    def batch(self, requests: Sequence[CompletionRequest]) -> Batch | None:
        """Measure requests as one, and foretell the same work; nothing is learnt. None where a counter was silent."""
        tiers = [self._rng.choice(TIERS) for _ in requests]
        first, again = self._measure(requests, tiers), self._measure(requests, tiers)
        if first is None or again is None:
            return None
        joules, foretold = first
        return Batch(requests=len(tiers), measured_joules=joules, predicted_joules=foretold, again=again[0] / again[1])

    def _measure(self, requests: Sequence[CompletionRequest], tiers: Sequence[Tier]) -> tuple[float, float] | None:
        """Return what requests took and what was foretold, in joules."""
        with self._meters.window() as window:
            done = [(tier, self._generate(request, tier)) for request, tier in zip(requests, tiers, strict=True)]
        cost = self._meters.unit.cost(window.measurement)
        foretold = [self._costs.predict(tier, work) for tier, work in done]
        known = [estimate.value for estimate in foretold if estimate is not None]
        if not cost or len(known) < len(done):
            return None
        return cost * self._meters.unit.joules_per_cost, sum(known)

    def _generate(self, request: CompletionRequest, tier: Tier) -> Work:
        return work_of(self._completer.generate(request, tier, CancelToken(), self._limits))


def hold_batches(
    config: Config,
    folders: Folders,
    requests: tuple[Sequence[CompletionRequest], Sequence[CompletionRequest]],
    batch: int,
    *,
    on_gpu: bool,
) -> list[Batch]:
    """Fit the cost models on the first requests, then foretell what batches of the others take together."""
    card = choose_pair(ModelStore.under(folders.data).catalogue(), config.model_small, config.model_large)
    with open_meters() as meters:
        pair, context_tokens = open_pair(card, folders)
        try:
            meters.use_gpu(on_gpu)
            tiers: dict[Tier, StageCard] = {"small": card.small, "large": card.large}
            foreteller = Foreteller(Completer(pair, tiers, PipelineOptions(), context_tokens), meters, seed=batch)
            foreteller.fit(requests[0])
            held = requests[1]
            parts = [held[start : start + batch] for start in range(0, len(held) - batch + 1, batch)]
            return [measured for part in parts if (measured := foreteller.batch(part)) is not None]
        finally:
            pair.close()


def compare(config: Config, *, requests: int, batches: int, batch: int, seed: int) -> dict[str, Any]:
    """Return the whole comparison as one JSON-ready dict; what could not be compared is named with the reason."""
    folders, root = Folders.find(), sysfs_root()
    fitted, held = draw(seed)
    held = held[: batches * batch]
    found = hold_session(config, folders, fitted[:requests], root)
    session: Session = found["session"]
    done = hold_batches(config, folders, (fitted[:requests], held), batch, on_gpu=found["on_gpu"])
    errors = sorted(abs(each.error_percent) for each in done)
    return {
        "machine": {"cpu": probe().cpu_name, "threads": os.cpu_count(), "load_1_min": os.getloadavg()[0]},
        "on_gpu": found["on_gpu"],
        "readings": [asdict(each) | {"error_percent": each.error_percent} for each in found["readings"]],
        "session": asdict(session) | {"error_percent": session.error_percent, "limit_percent": SESSION_PERCENT},
        "batches": {
            "count": len(done),
            "requests_each": batch,
            "requests_fitted": len(fitted[:requests]),
            "errors_percent": [each.error_percent for each in done],
            "median_percent": statistics.median(errors) if errors else None,
            "worst_percent": errors[-1] if errors else None,
            "noise_percent": statistics.median(each.noise_percent for each in done) if done else None,
            "within_limit": sum(error <= BATCH_PERCENT for error in errors),
            "total_percent": percent(_sum(done, "predicted_joules"), _sum(done, "measured_joules")),
            "limit_percent": BATCH_PERCENT,
        },
        "not_compared": [asdict(each) for each in found["missing"]],
    }


def _sum(batches: Sequence[Batch], field: str) -> float:
    return float(sum(getattr(each, field) for each in batches))


def holds(report: dict[str, Any]) -> bool:
    """Return whether the session's total and every held-out batch are within their limits."""
    session, batches = report["session"], report["batches"]
    known = session["error_percent"] is not None and batches["count"] > 0
    return bool(
        known and abs(session["error_percent"]) <= SESSION_PERCENT and batches["within_limit"] == batches["count"]
    )


def table(report: dict[str, Any]) -> Table:
    """Return the report as a table for people."""
    shown = Table(title="Are the joules right?")
    for heading in ("compared", "ours", "other reading", "error", "limit"):
        shown.add_column(heading, justify="left" if heading == "compared" else "right")
    for each in report["readings"]:
        unit = "s" if each["compares"] == "processor time" else "J"
        ours, other = (_number(each[name], unit) for name in ("ours", "other"))
        shown.add_row(f"{each['compares']} by {each['name']}", ours, other, _percent(each["error_percent"]), "")
    session, batches = report["session"], report["batches"]
    shown.add_row(
        f"{session['requests']} requests of a session, summed ({session['method']})",
        _number(session["summed_joules"], "J"),
        _number(session["reference_joules"], "J"),
        _percent(session["error_percent"]),
        f"{SESSION_PERCENT:.0f} %",
    )
    what = f"{batches['count']} batches of {batches['requests_each']}, cost model against measurement"
    limit = f"{BATCH_PERCENT:.0f} %"
    shown.add_row(f"{what}: median", "", "", _size(batches["median_percent"]), limit)
    shown.add_row(f"{what}: worst", "", "", _size(batches["worst_percent"]), limit)
    shown.add_row("the same batches made once more: median", "", "", _size(batches["noise_percent"]), "")
    shown.add_row("all these batches together", "", "", _percent(batches["total_percent"]), "")
    return shown


def _number(value: float | None, unit: str) -> str:
    return "—" if value is None else f"{value:.2f} {unit}"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:+.1f} %"


def _size(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f} %"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; returns 0 where all is within the limits, 1 where not or nothing could be compared."""
    parser = argparse.ArgumentParser(prog="scripts/energy_truth", description="Hold joules against other readings.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--requests", type=int, default=300, metavar="N", help="requests summed, and fitted on")
    parser.add_argument("--batches", type=int, default=15, metavar="N", help="held-out batches")
    parser.add_argument("--batch", type=int, default=BATCH, metavar="N", help="requests in each")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which code is typed")
    parser.add_argument("--small", default="", metavar="MODEL", help="catalogue id; else the embedded pair")
    parser.add_argument("--large", default="", metavar="MODEL", help="catalogue id; else the embedded pair")
    args = parser.parse_args(arguments)
    try:
        report = compare(
            Config(model_small=args.small, model_large=args.large),
            requests=max(1, args.requests),
            batches=max(1, args.batches),
            batch=max(1, args.batch),
            seed=args.seed,
        )
    except JoulineError as error:
        sys.stderr.write(f"energy_truth: {error}\n")
        return 1
    if args.json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    else:
        console = Console(highlight=False)
        console.print(table(report))
        for each in report["not_compared"]:
            console.print(f"Not compared here: {each['compares']} by {each['name']}: {each['reason']}.")
    return 0 if holds(report) else 1


if __name__ == "__main__":
    sys.exit(main())
