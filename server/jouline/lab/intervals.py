"""A policy's curve on a grid, and the same in resamples of its groups: where intervals and tests come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jouline.lab import metrics
from jouline.lab.grid import Grid, Played, curve, ends
from jouline.lab.metrics import Curve, Ends

TIMES = 1000

Number = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """How often whole groups are drawn with replacement, and the seed."""

    times: int = TIMES
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A grid's curve, or the same in one resample of its groups."""

    curve: Curve
    ends: Ends


def sample(given: Grid, played: Played) -> Sample:
    """Return the curve of a policy on the whole grid."""
    return Sample(curve=curve(given, played), ends=ends(given))


def samples(given: Grid, played: Played, resampling: Resampling) -> list[Sample]:
    """Return the curve in every resample of whole groups; the same seed draws the same groups for every policy."""
    index, counts = metrics.resamples(given.groups, resampling.times, resampling.seed)
    small, large = [given.small], [given.large]
    both = np.concatenate([given.quality[:, small + large], given.cost[:, small + large]], axis=1).T
    quality, cost, share, limits = (
        metrics.group_means(values, index, counts)
        for values in (played.quality, played.cost, (played.answered != given.small).astype(float), both)
    )
    return [
        Sample(
            curve=Curve(quality=quality[:, t], cost=cost[:, t], share=share[:, t]),
            ends=Ends(
                small_quality=float(limits[0, t]),
                large_quality=float(limits[1, t]),
                small_cost=float(limits[2, t]),
                large_cost=float(limits[3, t]),
            ),
        )
        for t in range(resampling.times)
    ]


def interval(values: Sequence[Number]) -> list[Number]:
    """Return the central 95 % of the values; unknown where more than one in twenty is."""
    known = [value for value in values if value is not None]
    if not known or len(known) < 0.95 * len(values):
        return [None, None]
    low, high = np.quantile(known, [0.025, 0.975])
    return [float(low), float(high)]


def p_value(differences: Sequence[Number]) -> Number:
    """Return the two-sided bootstrap p of no difference: twice the share of draws on the other side of 0.

    At least 2 / (draws + 1), since no more can be told from so many; unknown where more than one draw in twenty is.
    """
    known = np.array([value for value in differences if value is not None])
    if not len(known) or len(known) < 0.95 * len(differences):
        return None
    below, above = (known <= 0).sum(), (known >= 0).sum()
    return float(min(1.0, 2.0 * (min(below, above) + 1) / (len(known) + 1)))


def holm(p_values: Mapping[str, Number]) -> dict[str, Number]:
    """Return the p values corrected for their number (Holm 1979); unknown ones stay so and do not count."""
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    corrected: dict[str, Number] = dict.fromkeys(p_values)
    least = 0.0
    for rank, (p, name) in enumerate(known):
        least = max(least, min(1.0, p * (len(known) - rank)))
        corrected[name] = least
    return corrected
