"""One policy's figures by the contract, each with its interval (pure)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from jouline.lab import metrics
from jouline.lab.grid import Floats, Grid, Played, always, at_points
from jouline.lab.intervals import Number, Resampling, Sample, interval, sample, samples
from jouline.lab.routers.contestant import Contestant, Fixed, Split

PARITY_POINTS = 0.01
SHOWN_AT = (0, 10, 25, 50, 75, 90, 100)
FIELDS = (
    "auc",
    "apgr",
    "cost_apgr",
    "cpt50",
    "cpt80",
    "aiq",
    "saving_at_parity_percent",
    "saving_vs_interpolated_percent",
    "saving_vs_interpolated_of_random_percent",
    "quality_at_half_cost",
    "oracle_gap_closed_percent",
    "route_ms_p95",
)
Measure = Callable[[Sample], Number]
_OF_SHARES: dict[str, Measure] = {  # count large calls: they mean something between two models alone
    "apgr": lambda s: metrics.apgr(s.curve, s.ends),
    "cpt50": lambda s: metrics.cpt(s.curve, s.ends, 0.5),
    "cpt80": lambda s: metrics.cpt(s.curve, s.ends, 0.8),
}
_OF_GAP: dict[str, Measure] = {"cost_apgr": lambda s: metrics.apgr(s.curve, s.ends, by_cost=True)}
_OF_CURVES: dict[str, Measure] = {
    "aiq": lambda s: metrics.aiq(s.curve, s.ends),
    "quality_at_half_cost": lambda s: metrics.quality_at_half_cost(s.curve, s.ends),
}
MEASURES = (*_OF_SHARES, *_OF_GAP, *_OF_CURVES, "saving_vs_interpolated_percent", "saving_at_parity_percent")
_INNER = (0.1, 0.9)  # cost positions among which the best point against the line is looked for
_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A router's report, and its curve on the whole test grid and in every resample."""

    report: dict[str, Any]
    whole: Sample
    drawn: list[Sample]


def judge(split: Split, one: Contestant, resampling: Resampling, *, gap_known: bool) -> Judged:
    """Return a router's figures on the test table, at points fixed on the validation table."""
    test = split.grid(split.test)
    fixed = one.fixed or fix(split, one, resampling)
    whole, drawn = sample(test, one.test), samples(test, one.test, resampling)
    measures = _of_curve(split, gap_known=gap_known)
    values: dict[str, Any] = dict.fromkeys(MEASURES) | {name: measure(whole) for name, measure in measures.items()}
    known: dict[str, list[Number]] = {name: [None, None] for name in MEASURES}
    known |= {name: interval([measure(each) for each in drawn]) for name, measure in measures.items()}
    shown = False
    if fixed.parity is not None:
        at, drawn_at = sample(test, fixed.parity), samples(test, fixed.parity, resampling)
        values["saving_at_parity_percent"] = _saving_vs_large(at, 0)
        known["saving_at_parity_percent"] = interval([_saving_vs_large(each, 0) for each in drawn_at])
        shown = bool(_parity_lower_ends(drawn_at)[0] >= -PARITY_POINTS)
    if fixed.best is not None and gap_known:
        at, drawn_at = sample(test, fixed.best), samples(test, fixed.best, resampling)
        values["saving_vs_interpolated_percent"] = _saving_vs_line(at, 0)
        known["saving_vs_interpolated_percent"] = interval([_saving_vs_line(each, 0) for each in drawn_at])
    report = {
        "label": one.label,
        "auc": _auc(test, one.gain),
        **values,
        "saving_at_parity_percent": values["saving_at_parity_percent"] if shown else None,
        "parity_shown": shown,
        "saving_at_validated_parity_percent": values["saving_at_parity_percent"],
        "fixed_points": {"parity": fixed.parity_at, "against_line": fixed.best_at},
        "route_ms_p95": one.route_ms_p95,
        "calibration": _calibration(test, one.chance),
        "ci95": known,
        "curve": _curve_rows(test, one.test, whole, drawn),
    }
    return Judged(report=report, whole=whole, drawn=drawn)


def _of_curve(split: Split, *, gap_known: bool) -> dict[str, Measure]:
    """Return the measures of a whole curve that mean something here."""
    found: dict[str, Measure] = dict(_OF_CURVES)
    if gap_known:
        found |= _OF_GAP | (_OF_SHARES if split.of_two else {})
    return found


def fixed_policy(test: Grid, column: int, resampling: Resampling) -> dict[str, Any]:
    """Return one model asked always: its one point, and null for every measure of a curve."""
    played = always(test, column)
    whole, drawn = sample(test, played), samples(test, played, resampling)
    point, known = _point(test, played, whole, 0), _point_interval(drawn, 0)
    energy_saving = {test.small: 100, test.large: 0}.get(column)
    return dict.fromkeys(FIELDS) | {
        "label": f"always {test.models[column]}",
        "quality": point["quality"],
        "cost": point["cost"],
        "share_large": point["share_large"],
        "ci95": {name: [None, None] for name in MEASURES} | {name: known[name] for name in ("quality", "cost")},
        "curve": [{"energy_saving": energy_saving} | point | {"ci95": known}],
    }


def gap_is_known(drawn: Sequence[Sample]) -> bool:
    """Whether the large end is better than the small one beyond doubt: the 95 % interval of the gap is above 0."""
    low, _ = interval([one.ends.large_quality - one.ends.small_quality for one in drawn])
    return low is not None and low > 0


def cost_area(one: Sample) -> float:
    """Return the mean quality over the cost position from 0 to 1, which needs no gap in quality to mean something."""
    position = one.ends.cost_position(one.curve.cost)
    return metrics.area(position, one.curve.quality, (one.ends.small_quality, one.ends.large_quality))


def above_line(one: Sample, index: int) -> Number:
    """Return a point's quality less that of the random mix of the two ends that costs the same.

    Beyond the ends of the line its end counts: a mix cannot cost more than always large or less than always small.
    """
    position = float(one.ends.cost_position(one.curve.cost[index : index + 1])[0])
    line = one.ends.small_quality + position * (one.ends.large_quality - one.ends.small_quality)
    return float(one.curve.quality[index]) - line


def fix(split: Split, one: Contestant, resampling: Resampling) -> Fixed:
    """Fix the point of parity and the best point against the line on the validation table."""
    validate = split.grid(split.validate)
    whole = sample(validate, one.validate)
    lower = _parity_lower_ends(samples(validate, one.validate, resampling))
    points = range(len(lower))
    at_parity = [index for index in points if lower[index] >= -PARITY_POINTS]
    position = whole.ends.cost_position(whole.curve.cost)
    savings = {
        index: found
        for index in points
        if _INNER[0] <= position[index] <= _INNER[1] and (found := _saving_vs_line(whole, index)) is not None
    }
    parity = min(at_parity, key=lambda index: whole.curve.cost[index], default=None)
    best = max(savings, key=lambda index: savings[index], default=None)
    return Fixed(
        parity=None if parity is None else at_points(one.test, [parity]),
        best=None if best is None else at_points(one.test, [best]),
        parity_at=parity,
        best_at=best,
    )


def _parity_lower_ends(drawn: Sequence[Sample]) -> Floats:
    """Return, per point, the lower end of the one-sided 95 % interval of its quality less always-large's."""
    differences = np.array([one.curve.quality - one.ends.large_quality for one in drawn])
    lower: Floats = np.quantile(differences, 0.05, axis=0)
    return lower


def _saving_vs_line(one: Sample, index: int) -> Number:
    line = one.ends.interpolated_cost(float(one.curve.quality[index]))
    return metrics.saving(float(one.curve.cost[index]), line)


def _saving_vs_large(one: Sample, index: int) -> Number:
    return metrics.saving(float(one.curve.cost[index]), one.ends.large_cost)


def _auc(test: Grid, gain: Floats | None) -> Number:
    """Return how well the router tells rows where only the large model is right."""
    wanted = (test.quality[:, test.large] >= 0.5) & (test.quality[:, test.small] < 0.5)
    if gain is None or wanted.all() or not wanted.any():
        return None
    return float(roc_auc_score(wanted, gain))


def _calibration(test: Grid, chance: Floats | None) -> dict[str, Any] | None:
    """Return told against true shares of the small model's right answers, in bins of equal size, and their error."""
    if chance is None:
        return None
    right = test.quality[:, test.small]
    parts = [part for part in np.array_split(np.argsort(chance, kind="stable"), _BINS) if len(part)]
    bins = [
        {"told": float(chance[part].mean()), "true": float(right[part].mean()), "rows": len(part)} for part in parts
    ]
    error = sum(each["rows"] * abs(each["told"] - each["true"]) for each in bins) / len(chance)
    return {"of": "the small model's answer is right", "expected_error": error, "bins": bins}


def _curve_rows(test: Grid, played: Played, whole: Sample, drawn: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return a row for each operating point: where it stands, and how far above the straight line at its cost."""
    rows = []
    for index in range(len(played.quality)):
        row = {"energy_saving": index} | _point(test, played, whole, index)
        if index in SHOWN_AT:
            row["ci95"] = _point_interval(drawn, index)
        rows.append(row)
    return rows


def _point(test: Grid, played: Played, whole: Sample, index: int) -> dict[str, Any]:
    answered, escalated = played.answered[index], played.escalated[index]
    found: dict[str, Any] = {
        "quality": float(whole.curve.quality[index]),
        "cost": float(whole.curve.cost[index]),
        "share_large": float(whole.curve.share[index]),
        "share_direct": float(((answered != test.small) & ~escalated).mean()),
        "share_escalated": float(escalated.mean()),
        "above_line": above_line(whole, index),
    }
    if len(test.models) > 2:
        found["share_by_model"] = {name: float((answered == column).mean()) for column, name in enumerate(test.models)}
    return found


def _point_interval(drawn: Sequence[Sample], index: int) -> dict[str, Any]:
    return {
        "quality": interval([float(one.curve.quality[index]) for one in drawn]),
        "cost": interval([float(one.curve.cost[index]) for one in drawn]),
        "above_line": interval([above_line(one, index) for one in drawn]),
    }
