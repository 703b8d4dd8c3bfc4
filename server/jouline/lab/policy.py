"""Routing policies over a table: what each would choose at each row, and what that costs and yields (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jouline.lab.fitting import rising
from jouline.lab.metrics import Curve, Ends
from jouline.lab.table import Floats, Table
from jouline.router.calibration import ALWAYS, NEVER, OperatingPoint

SMALL, LARGE, ESCALATE = 0, 1, 2
Choices = NDArray[np.int64]
STEPS = 101  # operating points: energy saving 0, 1, …, 100
_DIRECT_CANDIDATES = 41
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a router knows of each row: the gain it expects before any model ran, and after the small draft.

    None where it does not ask then. Only their order matters to `fit`; a router of the product reads them as
    probabilities.
    """

    before: Floats | None
    after: Floats | None


def choose(scores: Scores, point: OperatingPoint, rows: int) -> Choices:
    """Return the choice at every row at an operating point; always large needs no score."""
    always = np.full(rows, point.direct <= ALWAYS)
    direct = always if scores.before is None else scores.before >= point.direct
    later = np.zeros(rows, dtype=bool) if scores.after is None else scores.after >= point.escalate
    return np.where(direct, LARGE, np.where(later, ESCALATE, SMALL))


def quality(table: Table, choices: Choices) -> Floats:
    """Return every row's quality under the choices."""
    return np.where(choices == SMALL, table.small_quality, table.large_quality)


def cost(table: Table, choices: Choices) -> Floats:
    """Return every row's cost under the choices; escalating pays the draft too."""
    after_draft = table.small_cost + table.escalate_cost
    return np.select([choices == SMALL, choices == LARGE], [table.small_cost, table.large_cost], after_draft)


def ends(table: Table) -> Ends:
    """Return always small and always large on the table."""
    return Ends(
        small_quality=float(table.small_quality.mean()),
        large_quality=float(table.large_quality.mean()),
        small_cost=float(table.small_cost.mean()),
        large_cost=float(table.large_cost.mean()),
    )


def curve(table: Table, chosen: Sequence[Choices]) -> Curve:
    """Return the curve of several choices over the table."""
    return Curve(
        quality=np.array([quality(table, choices).mean() for choices in chosen]),
        cost=np.array([cost(table, choices).mean() for choices in chosen]),
        share=np.array([(choices != SMALL).mean() for choices in chosen]),
    )


def fit(table: Table, scores: Scores) -> tuple[OperatingPoint, ...]:
    """Fix an operating point for each energy saving 0..100 so that the mean cost falls evenly on this table.

    Of the ways to spend a budget the one with the most expected quality is taken: every direct threshold is tried, and
    what it leaves of the budget goes to the drafts with the largest gain. The ends are always large and always small.
    """
    limits = ends(table)
    targets = np.linspace(limits.large_cost, limits.small_cost, STEPS)
    gains = None if scores.after is None else _expected_gains(table, scores.after)
    inner = [
        _best(table, scores, gains, index, target) for index, target in enumerate(targets) if 0 < index < STEPS - 1
    ]
    first = OperatingPoint(energy_saving=0, direct=ALWAYS, escalate=ALWAYS)
    last = OperatingPoint(energy_saving=STEPS - 1, direct=NEVER, escalate=NEVER)
    return tuple(judged(table, scores, point) for point in (first, *inner, last))


def _expected_gains(table: Table, after: Floats) -> Floats:
    """Return the gain that each row's score has stood for on this table: rising with the score, else free."""
    return rising(after, table.large_quality - table.small_quality)


def _best(table: Table, scores: Scores, gains: Floats | None, energy_saving: int, budget: float) -> OperatingPoint:
    candidates = []
    for direct in _direct_thresholds(scores):
        escalate = _escalate_threshold(table, scores, direct, budget)
        if escalate is not None:
            point = OperatingPoint(energy_saving=energy_saving, direct=direct, escalate=escalate)
            candidates.append((_expected(table, scores, gains, point), point))
    cheapest = OperatingPoint(energy_saving=energy_saving, direct=NEVER, escalate=NEVER)
    return max(candidates, key=lambda candidate: candidate[0], default=(0.0, cheapest))[1]


def _direct_thresholds(scores: Scores) -> list[float]:
    if scores.before is None:
        return [NEVER]
    quantiles = np.quantile(scores.before, np.linspace(0.0, 1.0, _DIRECT_CANDIDATES))
    return [NEVER, *(float(value) for value in np.unique(quantiles))]


def _escalate_threshold(table: Table, scores: Scores, direct: float, budget: float) -> float | None:
    """Return the lowest threshold after the draft that keeps to the budget; None if `direct` alone is over it."""
    rows = len(table)
    drafted = np.ones(rows, dtype=bool) if scores.before is None else scores.before < direct
    left = budget * rows - float(np.where(drafted, table.small_cost, table.large_cost).sum())
    if left < -_ROUNDING * budget * rows:
        return None
    if scores.after is None or not drafted.any():
        return NEVER
    order = np.argsort(-scores.after[drafted], kind="stable")
    spent = np.cumsum(table.escalate_cost[drafted][order])
    affordable = int(np.searchsorted(spent, left, side="right"))
    return float(scores.after[drafted][order][affordable - 1]) if affordable else NEVER


def _expected(table: Table, scores: Scores, gains: Floats | None, point: OperatingPoint) -> float:
    """Return what a point is expected to gain over always small: by the best estimate of the gain there is.

    The estimates, not the outcomes, are summed: among many thresholds the luckiest would win otherwise. Of a router
    with scores before the draft alone, only one point fits a budget, and it is judged by the cost it uses.
    """
    choices = choose(scores, point, len(table))
    return float(cost(table, choices).mean() if gains is None else gains[choices != SMALL].sum())


def judged(table: Table, scores: Scores, point: OperatingPoint) -> OperatingPoint:
    """Return a point with the mean cost and quality that it has on a table."""
    choices = choose(scores, point, len(table))
    return OperatingPoint(
        energy_saving=point.energy_saving,
        direct=point.direct,
        escalate=point.escalate,
        cost=float(cost(table, choices).mean()),
        quality=float(quality(table, choices).mean()),
    )
