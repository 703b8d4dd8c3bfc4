"""What bounds routing between two models: other evidence than the place, paid for, and a wider gap in cost.

    python -m jouline.lab.evidence FOLDER ROUTER

Every row is trained on the `train` table of FOLDER and judged on its `test` table, on what is right and shown. Evidence
that a model has to run for is paid for: the small model's first token, its draft until it is stopped, the large model's
first token. The wider gaps scale the small model's cost, and what the large one saves after its draft, on the traces.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from jouline.errors import JoulineError
from jouline.lab import metrics
from jouline.lab.metrics import Curve, Floats
from jouline.lab.outcomes import read_all
from jouline.lab.policy import ends
from jouline.lab.table import Table, as_shown, draft_rows, place_matrix, table
from jouline.lab.training import CANDIDATES, Matrix, chances, net_gain
from jouline.router.calibration import Calibration, load
from jouline.router.classifier import CLASSES
from jouline.router.learned import CALIBRATION_FILE

_THRESHOLDS = 101
_GAPS = (1.0, 0.75, 0.5, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known before the choice, and what either choice costs then, by row of the test table."""

    label: str
    train: Matrix
    test: Matrix
    small_cost: Floats
    large_cost: Floats


def bounds(train: Table, test: Table, calibration: Calibration) -> list[tuple[str, float, float]]:
    """Return for each kind of evidence: the area for the gain, and cost_apgr with the evidence paid for."""
    learn, judged = (as_shown(part, calibration.display) for part in (train, test))
    found = []
    for each in _kinds(learn, judged, calibration):
        gain = net_gain(chances(CANDIDATES["trees"]().fit(each.train, learn.classes), each.test))
        wanted = judged.classes == CLASSES.index("only_large")
        found.append((each.label, float(roc_auc_score(wanted, gain)), _cost_apgr(judged, gain, each)))
        if each.label == "place":
            found += [_wider(judged, gain, each, gap) for gap in _GAPS[1:]]
    perfect = judged.large_quality - judged.small_quality
    place = Evidence(label="", train=_NONE, test=_NONE, small_cost=judged.small_cost, large_cost=judged.large_cost)
    return [*found, ("oracle", 1.0, _cost_apgr(judged, perfect, place))]


_NONE = np.empty((0, 0), dtype=np.float32)


def _kinds(learn: Table, judged: Table, calibration: Calibration) -> list[Evidence]:
    places = [place_matrix(part.rows, calibration.place_features) for part in (learn, judged)]
    floor = calibration.display.small.floor
    drafts = [
        np.array([list(row.values()) for row in draft_rows(part.rows, part.small, floor)], dtype=np.float32)
        for part in (learn, judged)
    ]
    first = {model: [_first(part, model) for part in (learn, judged)] for model in (learn.small, learn.large)}
    small_first, large_first = (_to_first_token(judged, model) for model in (judged.small, judged.large))
    kinds = [
        ("place", (), judged.small_cost, judged.large_cost),
        ("place, small model's first token", first[learn.small], judged.small_cost, small_first + judged.escalate_cost),
        ("place, small model's draft", drafts, judged.small_cost, judged.small_cost + judged.escalate_cost),
        ("place, large model's first token", first[learn.large], large_first + judged.small_cost, judged.large_cost),
    ]
    return [
        Evidence(
            label=label,
            train=np.hstack([places[0], *([more[0]] if len(more) else [])]),
            test=np.hstack([places[1], *([more[1]] if len(more) else [])]),
            small_cost=small,
            large_cost=large,
        )
        for label, more, small, large in kinds
    ]


def _first(part: Table, model: str) -> Matrix:
    outcomes = [row["outcomes"][model] for row in part.rows]
    return np.array([[(o["logprobs"] or [0.0])[0], (o["margins"] or [1.0])[0]] for o in outcomes], dtype=np.float32)


def _to_first_token(part: Table, model: str) -> Floats:
    """Return what a model costs until its first token is there."""
    outcomes = [row["outcomes"][model] for row in part.rows]
    share = np.array([o["prompt_share"] + (1 - o["prompt_share"]) / max(1, o["tokens_out"]) for o in outcomes])
    whole = np.array([o["cost"] for o in outcomes])
    cost: Floats = whole * share
    return cost


def _wider(judged: Table, gain: Floats, place: Evidence, gap: float) -> tuple[str, float, float]:
    """Return the same choices with a small model of `gap` times the cost."""
    cheap = replace(judged, small_cost=judged.small_cost * gap)
    cheaper = replace(place, small_cost=place.small_cost * gap)
    limits = ends(cheap)
    curve = _curve(cheap, gain, cheaper)
    best = max(
        metrics.saving(float(cost), limits.interpolated_cost(float(quality))) or 0.0
        for quality, cost in zip(curve.quality, curve.cost, strict=True)
    )
    label = f"place, small model at {gap:.2f} of its cost (best point against the line {best:.0f} % cheaper)"
    return label, float("nan"), metrics.apgr(curve, limits, by_cost=True) or float("nan")


def _cost_apgr(judged: Table, gain: Floats, paid: Evidence) -> float:
    return metrics.apgr(_curve(judged, gain, paid), ends(judged), by_cost=True) or float("nan")


def _curve(judged: Table, gain: Floats, paid: Evidence) -> Curve:
    asked = np.quantile(gain, np.linspace(0, 1, _THRESHOLDS))
    large = gain[None, :] >= asked[:, None]
    return Curve(
        quality=np.where(large, judged.large_quality, judged.small_quality).mean(axis=1),
        cost=np.where(large, paid.large_cost, paid.small_cost).mean(axis=1),
        share=large.mean(axis=1),
    )


def _read(folder: Path, part: str) -> Table:
    return table(read_all([folder / f"{part}.jsonl.gz"]), "small", "large")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m jouline.lab.evidence", description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("router", type=Path)
    args = parser.parse_args(arguments)
    try:
        train, test = (_read(args.tables, part) for part in ("train", "test"))
        rows = bounds(train, test, load(args.router / CALIBRATION_FILE))
    except JoulineError as error:
        sys.stderr.write(f"jouline: {error}\n")
        return 1
    sys.stdout.write("| evidence | area, only large right | cost_apgr, evidence paid for |\n| --- | --- | --- |\n")
    for label, area, apgr in rows:
        told = "" if np.isnan(area) else f"{area:.3f}"
        sys.stdout.write(f"| {label} | {told} | {apgr:.3f} |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
