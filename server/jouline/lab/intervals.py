"""A policy's curve on a table, and the same in resamples of its groups: where intervals come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jouline.lab import metrics
from jouline.lab.metrics import Curve, Ends
from jouline.lab.policy import SMALL, Choices, cost, curve, ends, quality
from jouline.lab.table import Table

TIMES = 1000

Number = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """How often whole groups are drawn with replacement, and the seed."""

    times: int = TIMES
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A table's curve, or the same in one resample of its groups."""

    curve: Curve
    ends: Ends


def sample(table: Table, chosen: Sequence[Choices]) -> Sample:
    """Return the curve of several choices on the whole table."""
    return Sample(curve=curve(table, chosen), ends=ends(table))


def samples(table: Table, chosen: Sequence[Choices], resampling: Resampling) -> list[Sample]:
    """Return the curve in every resample of whole groups."""
    index, counts = metrics.resamples(table.groups, resampling.times, resampling.seed)
    rows = {
        "quality": np.array([quality(table, choices) for choices in chosen]),
        "cost": np.array([cost(table, choices) for choices in chosen]),
        "share": np.array([(choices != SMALL).astype(float) for choices in chosen]),
        "ends": np.array([table.small_quality, table.large_quality, table.small_cost, table.large_cost]),
    }
    means = {name: metrics.group_means(values, index, counts) for name, values in rows.items()}
    return [
        Sample(
            curve=Curve(quality=means["quality"][:, t], cost=means["cost"][:, t], share=means["share"][:, t]),
            ends=Ends(
                small_quality=float(means["ends"][0, t]),
                large_quality=float(means["ends"][1, t]),
                small_cost=float(means["ends"][2, t]),
                large_cost=float(means["ends"][3, t]),
            ),
        )
        for t in range(resampling.times)
    ]


def interval(values: Sequence[Number]) -> list[Number]:
    """Return the central 95 % of the values; unknown where more than one in twenty is."""
    known = [value for value in values if value is not None]
    if len(known) < 0.95 * len(values):
        return [None, None]
    low, high = np.quantile(known, [0.025, 0.975])
    return [float(low), float(high)]
