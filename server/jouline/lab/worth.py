"""What the product's router is worth on packages that neither it nor its pair has seen, held against the goals.

    python -m jouline.lab.worth FOLDER ROUTER [--json]

FOLDER holds `train`, `validate` and `test` tables (`.jsonl.gz`), ROUTER the trained router's files.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jouline.catalogue.card import load_catalogue
from jouline.errors import JoulineError
from jouline.lab.grid import always
from jouline.lab.intervals import Resampling, Sample, holm, interval, p_value, samples
from jouline.lab.judge import Judged, cost_area, judge
from jouline.lab.outcomes import read_all
from jouline.lab.policy import SMALL, choose
from jouline.lab.product import calibration_error, product_scores, told_chances
from jouline.lab.routers.contestant import Split
from jouline.lab.routers.drafted import shipped
from jouline.lab.routers.names import make
from jouline.lab.table import Table, as_shown, request, table
from jouline.router.calibration import load
from jouline.router.classifier import OutcomeClassifier
from jouline.router.features import FeatureExtractor
from jouline.router.learned import CALIBRATION_FILE, PLACES_FILE

_MODELS = ("small", "large")
_RIVALS = ("threshold", "place", "random")
_TIMED = 2_000
_AT_PARITY = "saving_at_parity_percent"


def worth(tables: Path, router: Path, *, times: int = 1000) -> dict[str, Any]:
    """Return the figures of the goals: exact match with texts written out, and what is right and shown."""
    parts = [table(read_all([tables / f"{part}.jsonl.gz"]), *_MODELS) for part in ("train", "validate", "test")]
    calibration = load(router / CALIBRATION_FILE)
    seen = [as_shown(part, calibration.display) for part in parts]
    resampling = Resampling(times=times)
    exact = Split(train=parts[0], validate=parts[1], test=parts[2], models=_MODELS)
    shown = Split(train=seen[0], validate=seen[1], test=seen[2], models=_MODELS)
    told = told_chances(parts[2], router, calibration)
    return {
        "places": len(parts[2]),
        "packages": len(np.unique(parts[2].groups)),
        "exact": _figures(exact, router, resampling, exact.test),
        "shown": _figures(shown, router, resampling, exact.test) | _precision(shown, router),
        "calibration_error": calibration_error(seen[2], told),
        "router": _own_cost(parts[2], seen[2], router),
    }


def _figures(split: Split, router: Path, resampling: Resampling, natural: Table) -> dict[str, Any]:
    """Return one kind of quality's figures; `natural` is the test table with every text written to its end."""
    rivals = {name: judge(split, make(name, split, seed=0), resampling, gap_known=True) for name in _RIVALS}
    ours = judge(split, shipped(router, split), resampling, gap_known=True)
    oracle = judge(split, make("oracle", split, seed=0), resampling, gap_known=True)
    grid = split.grid(natural)
    full = [one.ends.large_cost for one in samples(grid, always(grid, grid.large), resampling)]
    saved = ours.report["saving_vs_interpolated_percent"]
    of_random = rivals["random"].report["saving_vs_interpolated_percent"]
    return {
        "cost_apgr": _with_interval(ours, "cost_apgr"),
        "above": _paired(ours, rivals),
        "saving_vs_line_percent": _with_interval(ours, "saving_vs_interpolated_percent"),
        "saving_vs_line_less_random_percent": None if None in (saved, of_random) else saved - of_random,
        "parity_shown": ours.report["parity_shown"],
        "saving_at_parity_percent": _with_interval(
            ours, "saving_at_validated_parity_percent", "saving_at_parity_percent"
        ),
        "saving_at_parity_vs_always_large_percent": _saving_vs(ours, float(natural.large_cost.mean()), full),
        "oracle_saving_at_parity_percent": oracle.report["saving_at_validated_parity_percent"],
    }


def _with_interval(one: Judged, name: str, ci_name: str | None = None) -> dict[str, Any]:
    return {"value": one.report[name], "ci95": one.report["ci95"][ci_name or name]}


def _paired(ours: Judged, rivals: dict[str, Judged]) -> dict[str, Any]:
    """Return how much more of the gap is recovered than by each rival, by resample of whole packages (Holm)."""

    def area(one: Sample) -> float:
        return (cost_area(one) - one.ends.small_quality) / (one.ends.large_quality - one.ends.small_quality)

    apart = {
        name: [area(a) - area(b) for a, b in zip(ours.drawn, rival.drawn, strict=True)]
        for name, rival in rivals.items()
    }
    corrected = holm({name: p_value(found) for name, found in apart.items()})
    return {
        name: {
            "cost_apgr": area(ours.whole) - area(rivals[name].whole),
            "ci95": interval(found),
            "p_holm": corrected[name],
        }
        for name, found in apart.items()
    }


def _saving_vs(ours: Judged, full: float, drawn: Sequence[float]) -> dict[str, Any] | None:
    """Return what is saved at the validated point of parity against a large model of this cost."""
    parity = ours.report["fixed_points"]["parity"]
    if parity is None:
        return None
    each = [100 * (1 - float(one.curve.cost[parity]) / cost) for one, cost in zip(ours.drawn, drawn, strict=True)]
    return {"value": 100 * (1 - float(ours.whole.curve.cost[parity]) / full), "ci95": interval(each)}


def _precision(shown: Split, router: Path) -> dict[str, Any]:
    """Return the share of right ones among what is shown, always-large's and the router's at energy saving 50."""
    calibration, test = load(router / CALIBRATION_FILE), shown.test
    chosen = choose(product_scores(test, router), calibration.at(50), len(test))
    offered = {tier: test.logprobs(tier) >= calibration.display.of(tier).floor for tier in ("small", "large")}
    ours = np.where(chosen == SMALL, offered["small"], offered["large"])
    right = np.where(chosen == SMALL, test.small_quality, test.large_quality)
    return {
        "precision_always_large": float(test.large_quality.sum() / max(1, offered["large"].sum())),
        "precision_at_50": float(right.sum() / max(1, ours.sum())),
    }


def _own_cost(test: Table, seen: Table, router: Path) -> dict[str, Any]:
    """Return what looking at a place costs, in this thread's processor time, beside what the small model costs."""
    tokenizer = load_catalogue().pair().tokenizer
    if tokenizer is None:
        return {}
    calibration = load(router / CALIBRATION_FILE)
    extractor = FeatureExtractor(tokenizer)
    places = OutcomeClassifier(router / PLACES_FILE, calibration.place_features, calibration.place_adjustment)
    taken = _timed([request(row) for row in test.rows[:_TIMED]], lambda asked: places.chances(extractor.extract(asked)))
    of = {"whole_answer": test.small_cost, "as_typed": seen.small_cost}
    return {
        "look_ms_mean": float(np.mean(taken)),
        "look_ms_p95": float(np.quantile(taken, 0.95)),
        "percent_of_small": {name: 100 * float(np.mean(taken)) / 1e3 / float(cost.mean()) for name, cost in of.items()},
    }


def _timed(given: Sequence[Any], work: Callable[[Any], object]) -> list[float]:
    """Return the milliseconds of this thread's processor time that each took."""
    taken = []
    for each in given:
        started = time.thread_time()
        work(each)
        taken.append((time.thread_time() - started) * 1e3)
    return taken


def as_lines(found: dict[str, Any]) -> str:
    """Return the figures in Markdown."""
    rows = [
        f"{found['places']} places of {found['packages']} packages.",
        "",
        "| figure | exact match | right and shown |",
    ]
    rows += ["| --- | --- | --- |"]
    rows += [
        f"| {label} | {_cell(found['exact'][name])} | {_cell(found['shown'][name])} |"
        for name, label in _LABELS.items()
    ]
    rows += [
        f"| cost_apgr above {rival} | {_paired_cell(found['exact'], rival)} | {_paired_cell(found['shown'], rival)} |"
        for rival in _RIVALS
    ]
    own = found["router"]
    rows += [
        "",
        f"Precision of what is shown: {_precisions(found['shown'])}.",
        f"Calibration error: `{json.dumps(found['calibration_error'])}`.",
    ]
    if own:
        rows.append(
            f"A look at a place: {own['look_ms_mean']:.3f} ms in the mean, {own['look_ms_p95']:.3f} at the 95th "
            f"percentile: {own['percent_of_small']['whole_answer']:.1f} % of the small model's whole answer, "
            f"{own['percent_of_small']['as_typed']:.1f} % of one that is stopped as while typing; once a word."
        )
    return "\n".join(rows)


def _precisions(shown: dict[str, Any]) -> str:
    return f"always-large {shown['precision_always_large']:.3f}, energy saving 50 {shown['precision_at_50']:.3f}"


_LABELS = {
    "cost_apgr": "cost_apgr",
    "saving_vs_line_percent": "saved against the interpolated line, %",
    "saving_vs_line_less_random_percent": "the same less a coin's, points",
    "parity_shown": "parity shown",
    "saving_at_parity_percent": "saved at parity against the large model of this column, %",
    "saving_at_parity_vs_always_large_percent": "saved at parity against always-large, %",
    "oracle_saving_at_parity_percent": "the oracle at parity, %",
}


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        if value["value"] is None:
            return "unknown"
        low, high = value["ci95"]
        known = low is not None and high is not None
        return f"{value['value']:.3g}" + (f" [{low:.3g}, {high:.3g}]" if known else "")
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown"}[value]
    return f"{value:.3g}"


def _paired_cell(figures: dict[str, Any], rival: str) -> str:
    found = figures["above"][rival]
    low, high = found["ci95"]
    return f"{found['cost_apgr']:+.3f} [{low:+.3f}, {high:+.3f}], p {found['p_holm']:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m jouline.lab.worth", description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("router", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    try:
        found = worth(args.tables, args.router, times=args.resamples)
    except JoulineError as error:
        sys.stderr.write(f"jouline: {error}\n")
        return 1
    sys.stdout.write((json.dumps(found) if args.json else as_lines(found)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
