"""What a gate is worth: how well each stage ranks, whether its chances are true, what it avoids and what it loses."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from jouline.lab.gate_training import Floats, Requests, Stages
from jouline.lab.intervals import interval
from jouline.router.gate_learned import GatePoint

TIMES = 1000
BINS = 5
_Chosen = NDArray[np.int64]


def evaluate_gate(stages: Stages, found: tuple[GatePoint, ...], of: Requests, seed: int = 0) -> dict[str, Any]:
    """Return the figures of both stages and of every operating point, with 95 % intervals over packages."""
    before, after, taken = stages.before(of), stages.after(of), of.taken > 0
    shown = of.offered
    return {
        "requests": len(of),
        "offered": int(shown.sum()),
        "accepted": int(taken.sum()),
        "before": stage(before, taken, of.groups, seed),
        "after": stage(after[shown], taken[shown], of.groups[shown], seed),
        "points": [_at(point, before, after, of, seed) for point in found],
    }


def stage(chances: Floats, taken: NDArray[np.bool_], groups: NDArray[Any], seed: int) -> dict[str, Any]:
    """Return area under the curve, calibration by fifths, and the expected calibration error."""
    return {
        "auc": area(taken, chances),
        "auc_ci95": resampled(groups, lambda rows: area(taken[rows], chances[rows]), seed),
        "calibration": calibration(chances, taken),
        "calibration_error": calibration_error(chances, taken),
    }


def area(taken: NDArray[np.bool_], scores: Floats) -> float:
    """Return the area under the ROC curve; not a number where all rows are alike."""
    return float(roc_auc_score(taken, scores)) if 0 < taken.sum() < len(taken) else float("nan")


def calibration(chances: Floats, taken: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Return, for fifths of the requests by chance, the mean chance and the share that was accepted."""
    parts = np.array_split(np.argsort(chances, kind="stable"), BINS)
    return [
        {"requests": len(part), "told": float(chances[part].mean()), "true": float(taken[part].mean())}
        for part in parts
        if len(part)
    ]


def calibration_error(chances: Floats, taken: NDArray[np.bool_]) -> float:
    """Return the mean distance of told and true over the fifths, weighted by their size."""
    bins = calibration(chances, taken)
    return sum(part["requests"] * abs(part["told"] - part["true"]) for part in bins) / len(chances)


def resampled(groups: NDArray[Any], figure: Callable[[_Chosen], float], seed: int) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a figure when whole groups are drawn again."""
    names, rng = np.unique(groups), np.random.default_rng(seed)
    rows_of = [np.flatnonzero(groups == name) for name in names]
    drawn = [
        figure(np.concatenate([rows_of[each] for each in rng.integers(len(names), size=len(names))]))
        for _ in range(TIMES)
    ]
    low, high = interval([value for value in drawn if np.isfinite(value)])
    return low, high


def _at(point: GatePoint, before: Floats, after: Floats, of: Requests, seed: int) -> dict[str, Any]:
    held = before < point.place
    hidden = ~held & of.offered & (after < point.draft)

    def lost(rows: _Chosen) -> float:
        total = of.taken[rows].sum()
        return float(of.taken[rows][(held | hidden)[rows]].sum() / total) if total else float("nan")

    everything = np.arange(len(of))
    return {
        "energy_saving": point.energy_saving,
        "requests_avoided": float(held.mean()),
        "cpu_avoided": float(of.cpu_seconds[held].sum() / max(1e-9, of.cpu_seconds.sum())),
        "offers_hidden": float(hidden.sum() / max(1, of.offered.sum())),
        "wait_for_a_pause": float((~held & (before < point.at_once)).mean()),
        "accepted_chars_lost": lost(everything),
        "accepted_chars_lost_ci95": resampled(of.groups, lost, seed),
    }
