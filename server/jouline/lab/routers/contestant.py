"""What evaluation holds against each other: what a policy did on the validation and on the test table."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jouline.errors import ConfigError
from jouline.lab.described import shared_features
from jouline.lab.grid import Choices, Floats, Grid, Played, always, at_points, grid, joined, play
from jouline.lab.outcomes import Row
from jouline.lab.policy import ESCALATE, SMALL, Scores, choose, cost, fit, quality
from jouline.lab.queries import Embeds, Encoder, Queries
from jouline.lab.routers.router import Router, best
from jouline.lab.table import Table
from jouline.router.calibration import OperatingPoint

STEPS = 101  # operating points: energy saving 0, 1, …, 100
PRICES = 401
_TIMED_ROWS = 20


class LacksEvidenceError(ConfigError):
    """A router needs more than the tables tell."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Tables that share no package: to learn from, to fix operating points on, to test on.

    The tables hold the two ends; `models` are all that may be chosen, the ends among them. Texts are hashed
    where there is no sentence encoder, `embeds`.
    """

    train: Table
    validate: Table
    test: Table
    models: tuple[str, ...]
    embeds: Embeds | None = None

    @cached_property
    def encoder(self) -> Encoder:
        """How queries are described: by the features that all rows have, else by their texts."""
        names = shared_features((self.train, self.validate, self.test))
        return Encoder(self.train.rows, names, embeds=None if names else self.embeds)

    @cached_property
    def queries(self) -> tuple[Queries, Queries, Queries]:
        """The train, the validation and the test rows as a router sees them, seen once for all routers."""
        train, validate, test = (self.encoder.queries(table.rows) for table in (self.train, self.validate, self.test))
        return train, validate, test

    @property
    def of_two(self) -> bool:
        """Whether there are no models but the two ends."""
        return set(self.models) == {self.train.small, self.train.large}

    def grid(self, table: Table) -> Grid:
        """Return one of the tables as a grid of all models; its two ends as the table has them."""
        whole = grid(table.rows, self.models, table.small, table.large)
        whole.quality[:, whole.small], whole.quality[:, whole.large] = table.small_quality, table.large_quality
        whole.cost[:, whole.small], whole.cost[:, whole.large] = table.small_cost, table.large_cost
        return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What a policy does on the test table at points chosen on validation rows alone; None where there was none.

    `parity` is the cheapest point at parity with always-large, `best` the one that saves most against the line.
    `parity_at` and `best_at` are their indices, None where they were chosen in several folds.
    """

    parity: Played | None
    best: Played | None
    parity_at: int | None = None
    best_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A policy at the 101 operating points of energy saving, fixed on the validation table; `label` says what it is.

    `gain` is the gain in quality that it expects of the large model at every test row, in any unit; `chance` the
    chance that the small model is right, where it tells one. `route_ms_p95` is what choosing takes, in milliseconds of
    this thread's processor time. None is unknown. `fixed` is given where points were fixed already, fold by fold.
    """

    label: str
    validate: Played
    test: Played
    gain: Floats | None = None
    chance: Floats | None = None
    route_ms_p95: float | None = None
    fixed: Fixed | None = None


def by_scores(
    split: Split,
    label: str,
    scores: tuple[Scores, Scores],
    *,
    points: Sequence[OperatingPoint] | None = None,
    route_ms_p95: float | None = None,
) -> Contestant:
    """Return a router between two models by its scores on the validation and the test table.

    `points` are its operating points where it comes with its own; None has them fixed on the validation table.
    """
    fixed = points or fit(split.validate, scores[0])
    gain = scores[1].after if scores[1].after is not None else scores[1].before
    return Contestant(
        label=label,
        validate=_chosen(split, split.validate, scores[0], fixed),
        test=_chosen(split, split.test, scores[1], fixed),
        gain=gain,
        route_ms_p95=route_ms_p95,
    )


def _chosen(split: Split, table: Table, scores: Scores, points: Sequence[OperatingPoint]) -> Played:
    small, large = split.models.index(table.small), split.models.index(table.large)
    choices = [choose(scores, point, len(table)) for point in points]
    return Played(
        answered=np.array([np.where(one == SMALL, small, large) for one in choices]),
        quality=np.array([quality(table, one) for one in choices]),
        cost=np.array([cost(table, one) for one in choices]),
        escalated=np.array([one == ESCALATE for one in choices]),
    )


def priced(
    split: Split, label: str, worth: Sequence[Floats], *, route_ms_p95: float | None = None, chance: bool = False
) -> Contestant:
    """Return what the worth of every model at the validation and at the test rows comes to, over all prices."""
    validate, test = split.grid(split.validate), split.grid(split.test)
    costs = split.grid(split.train).cost.mean(axis=0)
    tolls = [price * (costs - costs.min()) for price in _prices(worth[0], costs)]
    played = [
        play(each, np.array([best(found, toll) for toll in tolls]))
        for each, found in zip((validate, test), worth, strict=True)
    ]
    fixed = by_budget(validate, test, played[0], played[1])
    return Contestant(
        label=label,
        validate=fixed[0],
        test=fixed[1],
        gain=worth[1][:, test.large] - worth[1][:, test.small],
        chance=np.clip(worth[1][:, test.small], 0.0, 1.0) if chance else None,
        route_ms_p95=route_ms_p95,
    )


def _prices(worth: Floats, costs: Floats) -> Floats:
    """Return prices at which choices change, from none on; between two models also those below 0.

    Below 0 the dearer model is asked where it is expected to be worse: between two models that leads to always large,
    which belongs to the curve; among more, the dearest need not be the best.
    """
    flips = [
        (worth[:, first] - worth[:, second]) / (costs[first] - costs[second])
        for first in range(len(costs))
        for second in range(len(costs))
        if costs[first] > costs[second]
    ]
    if not flips:
        return np.zeros(1)
    pooled = np.concatenate(flips)
    if len(costs) > 2:
        pooled = np.append(pooled[pooled > 0], 0.0)
    found: Floats = np.unique(np.quantile(pooled, np.linspace(0.0, 1.0, PRICES)))
    return np.append(found, found[-1] + 1e-9 + abs(found[-1]) * 1e-9)


def by_budget(validate: Grid, test: Grid, played: Played, tested: Played) -> tuple[Played, Played]:
    """Return both policies at the points of energy saving: even budgets between the two ends of the validation grid.

    Each takes the point that spends most of its budget; the ends are always large and always small, and where no point
    keeps to a budget the answer is always small.
    """
    spent = np.append(played.cost.mean(axis=1), validate.cost[:, validate.small].mean())
    large = float(validate.cost[:, validate.large].mean())
    budgets = np.linspace(large, spent[-1], STEPS)[1:-1]
    index = [_most_within(spent, budget * (1 + 1e-9)) for budget in budgets]
    return _with_ends(validate, played, index), _with_ends(test, tested, index)


def _most_within(spent: Floats, budget: float) -> int:
    kept = np.flatnonzero(spent <= budget)
    return int(kept[np.argmax(spent[kept])]) if len(kept) else len(spent) - 1


def _with_ends(given: Grid, played: Played, index: Sequence[int]) -> Played:
    small = always(given, given.small)
    inner = at_points(joined([played, small]), np.array(index, dtype=np.int64))
    return joined([always(given, given.large), inner, small])


def route_ms(router: Router, split: Split) -> float:
    """Return what describing a query and choosing takes, at the 95th percentile over the table's first rows."""
    toll = np.zeros(len(split.models))
    return p95_ms(split.test.rows[:_TIMED_ROWS], lambda row: router.route(split.encoder.queries([row]), toll))


def p95_ms(rows: Sequence[Row], work: Callable[[Row], Choices]) -> float:
    """Return the 95th percentile of this thread's processor time over the rows, in milliseconds."""
    taken = []
    for row in rows:
        started = time.thread_time()
        work(row)
        taken.append((time.thread_time() - started) * 1e3)
    return float(np.quantile(taken, 0.95))
