"""Holds routers against each other and against the straight line between the two models, with intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from jouline.errors import ConfigError
from jouline.lab import metrics
from jouline.lab.bench import LacksEvidenceError, Scored, Split, made, make
from jouline.lab.intervals import TIMES, Number, Resampling, Sample, interval, sample, samples
from jouline.lab.outcomes import read_all
from jouline.lab.policy import ESCALATE, LARGE, SMALL, Choices, choose, fit
from jouline.lab.table import Floats, Table, as_shown, part, table, told
from jouline.lab.training import confidence
from jouline.router.calibration import Display, OperatingPoint, load

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
_OF_CURVES: dict[str, Callable[[Sample], Number]] = {
    "apgr": lambda s: metrics.apgr(s.curve, s.ends),
    "cost_apgr": lambda s: metrics.apgr(s.curve, s.ends, by_cost=True),
    "cpt50": lambda s: metrics.cpt(s.curve, s.ends, 0.5),
    "cpt80": lambda s: metrics.cpt(s.curve, s.ends, 0.8),
    "aiq": lambda s: metrics.aiq(s.curve, s.ends),
    "quality_at_half_cost": lambda s: metrics.quality_at_half_cost(s.curve, s.ends),
}
MEASURES = (*_OF_CURVES, "saving_vs_interpolated_percent", "saving_at_parity_percent")
_INNER = (0.1, 0.9)  # cost positions among which the best point against the line is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What was fixed on validation data: indices into the operating points; None where there is no such point."""

    parity: int | None
    best: int | None


def evaluate_tables(
    *,
    train: Sequence[Path],
    validate: Sequence[Path] | None,
    test: Sequence[Path],
    models: tuple[str, str],
    routers: Sequence[str],
    folder: Path | None = None,
    shown: bool = False,
    seed: int = 0,
    times: int = TIMES,
) -> dict[str, Any]:
    """Read tables and evaluate routers by name, `random` and `oracle` always among them.

    Rows without an outcome of both models are left out and counted as `rows_left_out`; routers that need more than the
    tables tell are left out too, told in `routers_left_out`, unless none of those asked for remains: `ConfigError`.
    Without `validate` a third of the train packages is kept back for it. `folder` holds a trained router, evaluated as
    `shipped`. With `shown` only what is above the display threshold counts as right, and decoding stops below it; the
    fixed policies then stop so too, so that `always-large` is the lossless one.
    """
    read_in = [read_all(paths) for paths in (train, test, validate or ())]
    kept = [told(rows, *models) for rows in read_in]
    learn, tried = table(kept[0], *models), table(kept[1], *models)
    learn, fixing = (learn, table(kept[2], *models)) if validate else _kept_back(learn, seed)
    split, display = Split(train=learn, validate=fixing, test=tried), _display(learn, folder)
    _check_apart(split)
    if shown:
        split = _as_shown(split, display)
    scored, left_out = _scored(dict.fromkeys(["random", *routers, "oracle"]), split, seed)
    if folder is not None:
        scored["shipped"] = made(folder, split)
    elif routers and not set(routers) - left_out.keys():
        raise ConfigError(" ".join(left_out.values()))
    report = evaluate(split, scored, Resampling(times=times, seed=seed), None if shown else display)
    missing = sum(map(len, read_in)) - sum(map(len, kept))
    return report | {"routers_left_out": left_out, "rows_left_out": missing}


def _as_shown(split: Split, display: Display | None) -> Split:
    parts = (split.train, split.validate, split.test)
    if display is None or not all(part.can_stop for part in parts):
        raise ConfigError("What is shown can be told only with log p by token, which the tables do not tell.")
    seen = [as_shown(part, display) for part in parts]
    return Split(train=seen[0], validate=seen[1], test=seen[2])


def _scored(names: Iterable[str], split: Split, seed: int) -> tuple[dict[str, Scored], dict[str, str]]:
    """Return the routers' scores, and why others are left out."""
    scored, left_out = {}, {}
    for name in names:
        try:
            scored[name] = make(name, split, seed=seed)
        except LacksEvidenceError as error:
            left_out[name] = str(error)
    return scored, left_out


def _kept_back(whole: Table, seed: int) -> tuple[Table, Table]:
    """Split a table by whole groups: two thirds to learn from, one to fix operating points on."""
    names = np.random.default_rng(seed).permutation(np.unique(whole.groups))
    if len(names) < 2:
        raise ConfigError("The train table has only one group, so that none can be kept back: give --validate.")
    back = np.isin(whole.groups, names[: max(1, len(names) // 3)])
    return part(whole, ~back), part(whole, back)


def _display(learn: Table, folder: Path | None) -> Display | None:
    """Return the display thresholds of a trained router, or those that the train table gives; None without log p."""
    if folder is not None:
        return load(folder / "calibration.json").display
    if not learn.can_stop:
        return None
    return Display(
        small=confidence(learn.logprobs("small"), learn.small_quality),
        large=confidence(learn.logprobs("large"), learn.large_quality),
    )


def evaluate(
    split: Split, routers: dict[str, Scored], resampling: Resampling, display: Display | None = None
) -> dict[str, Any]:
    """Return the contract's JSON for the routers, with the fixed policies and `random` and `oracle` if given.

    The tables must share no group. `display` gives the thresholds by which `always-large-lossless` stops; without it
    or without log p it is left out.
    """
    report: dict[str, Any] = {
        "always-small": _always(split.test, SMALL, resampling),
        "always-large": _always(split.test, LARGE, resampling) | {"saving_at_parity_percent": 0.0},
    }
    if display is not None and split.test.can_stop:
        report["always-large-lossless"] = _lossless(split.test, display, resampling)
    areas = {name: sample(split.test, _chosen(split, scored)) for name, scored in routers.items()}
    for name, scored in routers.items():
        report[name] = _router(split, scored, resampling) | {
            "oracle_gap_closed_percent": _oracle_gap_closed(areas, name),
        }
    of_random = report.get("random", {}).get("saving_vs_interpolated_percent")
    for found in report.values():
        found["saving_vs_interpolated_of_random_percent"] = of_random
    return {"routers": report, "test": _described(split.test), "validate": _described(split.validate)}


def _check_apart(split: Split) -> None:
    seen = [set(table.groups.tolist()) for table in (split.train, split.validate, split.test)]
    if seen[2] & (seen[0] | seen[1]):
        shared = sorted(seen[2] & (seen[0] | seen[1]))
        first = ", ".join(shared[:3]) + (", …" if len(shared) > 3 else "")
        raise ConfigError(
            f"The test table shares groups with the others ({len(shared)} of {len(seen[2])}: {first}): split by"
            " whole packages."
        )


def _described(table: Table) -> dict[str, Any]:
    return {"rows": len(table), "groups": len(np.unique(table.groups)), "cost_unit": table.cost_unit}


def points(table: Table, scored: Scored) -> tuple[OperatingPoint, ...]:
    """Return a router's operating points: its own, or fixed on the validation table given."""
    return scored.points or fit(table, scored.validate)


def _chosen(split: Split, scored: Scored) -> list[Choices]:
    return [choose(scored.test, point, len(split.test)) for point in points(split.validate, scored)]


def _fixed(table: Table, scored: Scored, resampling: Resampling) -> Fixed:
    """Fix the point of parity and the best point against the line on the validation table."""
    chosen = [choose(scored.validate, point, len(table)) for point in points(table, scored)]
    whole = sample(table, chosen)
    lower = _parity_lower_ends(samples(table, chosen, resampling))
    at_parity = [index for index in range(len(chosen)) if lower[index] >= -PARITY_POINTS]
    position = whole.ends.cost_position(whole.curve.cost)
    savings = {
        index: found
        for index in range(len(chosen))
        if _INNER[0] <= position[index] <= _INNER[1] and (found := _saving_vs_line(whole, index)) is not None
    }
    return Fixed(
        parity=min(at_parity, key=lambda index: whole.curve.cost[index], default=None),
        best=max(savings, key=lambda index: savings[index], default=None),
    )


def _parity_lower_ends(drawn: Sequence[Sample]) -> Floats:
    """Return, per point, the lower end of the one-sided 95 % interval of its quality less always-large's."""
    differences = np.array([one.curve.quality - one.ends.large_quality for one in drawn])
    lower: Floats = np.quantile(differences, 0.05, axis=0)
    return lower


def _saving_vs_line(sample: Sample, index: int) -> Number:
    line = sample.ends.interpolated_cost(float(sample.curve.quality[index]))
    return metrics.saving(float(sample.curve.cost[index]), line)


def _saving_vs_large(sample: Sample, index: int) -> Number:
    return metrics.saving(float(sample.curve.cost[index]), sample.ends.large_cost)


def _router(split: Split, scored: Scored, resampling: Resampling) -> dict[str, Any]:
    fixed = _fixed(split.validate, scored, resampling)
    chosen = _chosen(split, scored)
    whole, drawn = sample(split.test, chosen), samples(split.test, chosen, resampling)
    measures: dict[str, Callable[[Sample], Number]] = _OF_CURVES | {
        "saving_vs_interpolated_percent": lambda s: None if fixed.best is None else _saving_vs_line(s, fixed.best),
        "saving_at_parity_percent": lambda s: None if fixed.parity is None else _saving_vs_large(s, fixed.parity),
    }
    shown = fixed.parity is not None and bool(_parity_lower_ends(drawn)[fixed.parity] >= -PARITY_POINTS)
    values = {name: measure(whole) for name, measure in measures.items()}
    return {
        "label": scored.label,
        "auc": _auc(split.test, scored),
        **values,
        "saving_at_parity_percent": values["saving_at_parity_percent"] if shown else None,
        "parity_shown": shown,
        "saving_at_validated_parity_percent": values["saving_at_parity_percent"],
        "route_ms_p95": scored.route_ms_p95,
        "ci95": {name: interval([measure(one) for one in drawn]) for name, measure in measures.items()},
        "curve": _curve_rows(whole, drawn, chosen),
    }


def _auc(table: Table, scored: Scored) -> Number:
    """Return how well the router tells places where only the large model is right, by its last score."""
    wanted = (table.large_quality >= 0.5) & (table.small_quality < 0.5)
    score = scored.test.after if scored.test.after is not None else scored.test.before
    if score is None or wanted.all() or not wanted.any():
        return None
    return float(roc_auc_score(wanted, score))


def _curve_rows(whole: Sample, samples: Sequence[Sample], chosen: Sequence[Choices]) -> list[dict[str, Any]]:
    """Return a row for each operating point: where it stands, and how far above the straight line at its cost."""
    rows = []
    for index, choices in enumerate(chosen):
        row = {"energy_saving": index} | _point(whole, index, choices)
        if index in SHOWN_AT:
            row["ci95"] = _point_interval(samples, index)
        rows.append(row)
    return rows


def _point(whole: Sample, index: int, choices: Choices) -> dict[str, Any]:
    return {
        "quality": float(whole.curve.quality[index]),
        "cost": float(whole.curve.cost[index]),
        "share_large": float(whole.curve.share[index]),
        "share_direct": float((choices == LARGE).mean()),
        "share_escalated": float((choices == ESCALATE).mean()),
        "above_line": above_line(whole, index),
    }


def _point_interval(samples: Sequence[Sample], index: int) -> dict[str, Any]:
    return {
        "quality": interval([float(s.curve.quality[index]) for s in samples]),
        "cost": interval([float(s.curve.cost[index]) for s in samples]),
        "above_line": interval([above_line(s, index) for s in samples]),
    }


def above_line(sample: Sample, index: int) -> Number:
    """Return a point's quality less that of the random mix of the two models that costs the same.

    Beyond the ends of the line its end counts: a mix cannot cost more than always large or less than always small.
    """
    position = float(sample.ends.cost_position(sample.curve.cost[index : index + 1])[0])
    line = sample.ends.small_quality + position * (sample.ends.large_quality - sample.ends.small_quality)
    return float(sample.curve.quality[index]) - line


def _always(table: Table, choice: int, resampling: Resampling) -> dict[str, Any]:
    """Return a fixed policy: its one point, and null for every measure of a curve."""
    chosen = [np.full(len(table), choice)]
    whole, drawn = sample(table, chosen), samples(table, chosen, resampling)
    point, known = _point(whole, 0, chosen[0]), _point_interval(drawn, 0)
    energy_saving = {SMALL: 100, LARGE: 0}[choice]
    return dict.fromkeys(FIELDS) | {
        "quality": point["quality"],
        "cost": point["cost"],
        "share_large": point["share_large"],
        "ci95": {name: [None, None] for name in MEASURES} | {name: known[name] for name in ("quality", "cost")},
        "curve": [{"energy_saving": energy_saving} | point | {"ci95": known}],
    }


def _lossless(table: Table, display: Display, resampling: Resampling) -> dict[str, Any]:
    """Return always large that stops below its display threshold: its quality is of another kind, and says so."""
    return _always(as_shown(table, display), LARGE, resampling) | {"note": "quality: right and shown only"}


def _oracle_gap_closed(areas: dict[str, Sample], name: str) -> Number:
    """Return how much of the way from random to the oracle a router goes, by area over the cost position."""
    if not {"random", "oracle"} <= areas.keys():
        return None
    found = {key: metrics.apgr(areas[key].curve, areas[key].ends, by_cost=True) for key in ("random", "oracle", name)}
    low, high, value = found["random"], found["oracle"], found[name]
    if low is None or high is None or value is None or high <= low:
        return None
    return 100.0 * (value - low) / (high - low)
