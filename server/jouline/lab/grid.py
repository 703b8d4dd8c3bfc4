"""Outcomes of any number of models as two matrices, and what a policy did with them (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jouline.lab.metrics import Curve, Ends
from jouline.lab.outcomes import Row

Floats = NDArray[np.float64]
Choices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Quality and cost of every model at every row, shape (rows, models); not a number where a row does not tell.

    `small` and `large` are the columns of the two ends between which routers are judged.
    """

    rows: Sequence[Row]
    models: tuple[str, ...]
    small: int
    large: int
    quality: Floats
    cost: Floats
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def gain(self) -> Floats:
        """How much better than the small model the large one is at every row."""
        return self.quality[:, self.large] - self.quality[:, self.small]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a policy did at its operating points, each array of shape (points, rows).

    `answered` are columns of the models that answered; `escalated` tells where a dearer one was asked after another.
    """

    answered: Choices
    quality: Floats
    cost: Floats
    escalated: NDArray[np.bool_]


def grid(rows: Sequence[Row], models: Sequence[str], small: str, large: str) -> Grid:
    """Return the rows' outcomes of the models, in their order; `small` and `large` must be among them."""
    names = tuple(models)
    return Grid(
        rows=rows,
        models=names,
        small=names.index(small),
        large=names.index(large),
        quality=_matrix(rows, names, "quality"),
        cost=_matrix(rows, names, "cost"),
        groups=np.array([row.get("group") or row["query_id"] for row in rows]),
    )


def _matrix(rows: Sequence[Row], models: Sequence[str], name: str) -> Floats:
    told = [[row["outcomes"].get(model, {}).get(name, np.nan) for model in models] for row in rows]
    return np.array(told, dtype=np.float64).reshape(len(rows), len(models))


def play(given: Grid, answered: Choices) -> Played:
    """Return what choosing these columns, shape (points, rows), yields and costs when nothing else runs."""
    row = np.arange(len(given))
    return Played(
        answered=answered,
        quality=given.quality[row, answered],
        cost=given.cost[row, answered],
        escalated=np.zeros(answered.shape, dtype=bool),
    )


def at_points(played: Played, index: Sequence[int] | Choices) -> Played:
    """Return the same at these points alone, in this order."""
    return Played(
        answered=played.answered[index],
        quality=played.quality[index],
        cost=played.cost[index],
        escalated=played.escalated[index],
    )


def joined(parts: Sequence[Played]) -> Played:
    """Return the points of several one after the other."""
    return Played(
        answered=np.concatenate([part.answered for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
        cost=np.concatenate([part.cost for part in parts]),
        escalated=np.concatenate([part.escalated for part in parts]),
    )


def always(given: Grid, column: int) -> Played:
    """Return the fixed policy of one model: one point."""
    return play(given, np.full((1, len(given)), column))


def ends(given: Grid) -> Ends:
    """Return always small and always large on the grid."""
    quality, cost = given.quality.mean(axis=0), given.cost.mean(axis=0)
    return Ends(
        small_quality=float(quality[given.small]),
        large_quality=float(quality[given.large]),
        small_cost=float(cost[given.small]),
        large_cost=float(cost[given.large]),
    )


def curve(given: Grid, played: Played) -> Curve:
    """Return the points' means; `share` counts the requests that another model than the small one answered."""
    return Curve(
        quality=played.quality.mean(axis=1),
        cost=played.cost.mean(axis=1),
        share=(played.answered != given.small).mean(axis=1),
    )
