"""Whether a quality floor holds: many seeded streams of requests drawn from a table, which change half-way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jouline.errors import ConfigError
from jouline.lab.described import shared_features
from jouline.lab.grid import Choices, Floats, Grid, grid
from jouline.lab.intervals import interval
from jouline.lab.outcomes import Row, read_all
from jouline.lab.queries import Encoder
from jouline.lab.routers.borne_out import BorneOut
from jouline.lab.routers.logistic import Logistic
from jouline.lab.routers.quality_floor import QualityFloor
from jouline.lab.table import part, table, told

MARGIN = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried: `runs` streams of `requests`; the bound is `percent` of the large model's mean quality.

    In the second half of a stream, rows at which the small model fails come `harder` times as often as before. `seen`
    is the share of answers whose quality the router gets to see.
    """

    runs: int = 200
    requests: int = 5000
    percent: float = 90.0
    harder: float = 1.5
    seen: float = 1.0
    caution: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The rows of one stream, and whether the router sees each answer's quality."""

    rows: Choices
    seen: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One stream's figures: mean quality in all and in either half, mean costs of the router and of both ends."""

    quality: tuple[float, float, float]
    cost: float
    small_cost: float
    large_cost: float
    share_large: float
    large_after: float


def try_floor(
    train: Sequence[Path], test: Sequence[Path] | None, models: tuple[str, str], trial: Trial
) -> dict[str, Any]:
    """Read tables, teach the estimate on the train rows and try the floor on streams drawn from the test rows.

    Without `test` half of the train table's groups, drawn by the seed, are the test rows.
    """
    rows = told(read_all(train), *models)
    other = told(read_all(test), *models) if test else None
    learn, tried = (rows, other) if other is not None else halves(rows, models, trial.seed)
    units = {table(each, *models).cost_unit for each in (learn, tried)}
    if len(units) > 1:
        raise ConfigError(f"The tables' costs are in different units ({', '.join(sorted(units))}).")
    return run(grid(learn, models, *models), grid(tried, models, *models), trial) | {"cost_unit": units.pop()}


def halves(rows: Sequence[Row], models: tuple[str, ...], seed: int) -> tuple[Sequence[Row], Sequence[Row]]:
    """Split rows by whole groups into two halves, drawn by the seed."""
    whole = table(rows, models[0], models[1], among=models)
    names = np.random.default_rng(seed).permutation(np.unique(whole.groups))
    if len(names) < 2:
        raise ConfigError("The table has only one group, so that it cannot be split: give --test.")
    second = np.isin(whole.groups, names[: len(names) // 2])
    return part(whole, ~second).rows, part(whole, second).rows


def run(train: Grid, test: Grid, trial: Trial) -> dict[str, Any]:
    """Return how often mean quality is within a point of the bound, in all and in either half, and what that costs."""
    bound = trial.percent / 100 * float(train.quality[:, train.large].mean())
    names = shared_features((table(train.rows, *train.models), table(test.rows, *test.models)))
    encoder = Encoder(train.rows, names)
    estimate = BorneOut(lambda: Logistic(train.models), trial.seed)
    estimate.learn(encoder.queries(train.rows), train.quality)
    expected = estimate.worth(encoder.queries(test.rows))
    done = [_run(test, expected, _floor(estimate, train, bound, trial), trial, turn) for turn in range(trial.runs)]
    return _report(trial, bound, done)


def _floor(estimate: BorneOut, train: Grid, bound: float, trial: Trial) -> QualityFloor:
    floor = QualityFloor(estimate, train.cost.mean(axis=0), bound, trial.caution)
    floor.begin_at(estimate.unseen, train.quality)
    return floor


def _run(test: Grid, expected: Floats, floor: QualityFloor, trial: Trial, turn: int) -> Done:
    stream = _stream(test, trial, turn)
    answered = _answered(test, expected, floor, stream, trial.seen)
    quality, half = test.quality[stream.rows, answered], trial.requests // 2
    cost = [float(test.cost[stream.rows, column].mean()) for column in (answered, test.small, test.large)]
    return Done(
        quality=(float(quality.mean()), float(quality[:half].mean()), float(quality[half:].mean())),
        cost=cost[0],
        small_cost=cost[1],
        large_cost=cost[2],
        share_large=float((answered != test.small).mean()),
        large_after=float(test.quality[stream.rows[half:], test.large].mean()),
    )


def _stream(test: Grid, trial: Trial, turn: int) -> Stream:
    rng = np.random.default_rng([trial.seed, turn])
    half = trial.requests // 2
    weight = np.where(test.quality[:, test.small] < 0.5, trial.harder, 1.0)
    before = rng.integers(0, len(test), half)
    after = rng.choice(len(test), trial.requests - half, p=weight / weight.sum())
    return Stream(rows=np.concatenate([before, after]), seen=rng.random(trial.requests) < trial.seen)


def _answered(test: Grid, expected: Floats, floor: QualityFloor, stream: Stream, share: float) -> Choices:
    answered = np.zeros(len(stream.rows), dtype=np.int64)
    for step, (row, seen) in enumerate(zip(stream.rows, stream.seen, strict=True)):
        column = floor.choose(expected[row])
        answered[step] = column
        if seen:
            floor.saw(float(test.quality[row, column]), stands_for=1.0 / share)
    return answered


def _report(trial: Trial, bound: float, done: Sequence[Done]) -> dict[str, Any]:
    kept = np.array([each.quality for each in done]).T
    parts = dict(zip(("whole", "before_change", "after_change"), kept, strict=True))
    saved = [100.0 * (1.0 - each.cost / each.large_cost) for each in done if each.large_cost > 0]
    return {
        "kind": "floor",
        "bound": bound,
        **{name: getattr(trial, name) for name in ("percent", "runs", "requests", "harder", "seen", "caution", "seed")},
        "always_large_quality_after_change": float(np.mean([each.large_after for each in done])),
        "quality": {name: {"mean": float(of.mean()), "range95": interval(of.tolist())} for name, of in parts.items()},
        "runs_not_below_bound_less_a_point": {name: float((of >= bound - MARGIN).mean()) for name, of in parts.items()},
        "runs_within_a_point_of_bound": {name: float((abs(of - bound) <= MARGIN).mean()) for name, of in parts.items()},
        "share_large": float(np.mean([each.share_large for each in done])),
        "saved_vs_always_large_percent": {
            "mean": float(np.mean(saved)) if saved else None,
            "range95": interval(saved),
        },
        "cost": {
            name: float(np.mean([getattr(each, name) for each in done]))
            for name in ("cost", "small_cost", "large_cost")
        },
    }
