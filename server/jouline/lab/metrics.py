"""What a router is worth: the contract's metrics over a curve of operating points (pure).

A **curve** is a list of points, each with the mean quality, the mean cost and the share of requests that the large
model answered. The two ends, always small and always large, belong to every curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two fixed policies: mean quality and mean cost of always small and of always large."""

    small_quality: float
    large_quality: float
    small_cost: float
    large_cost: float

    @property
    def gap(self) -> float | None:
        """How much better the large model is; None where it is not, so that shares of the gap mean nothing."""
        gap = self.large_quality - self.small_quality
        return gap if gap > 0 else None

    def cost_position(self, cost: Floats) -> Floats:
        """Return where costs stand between the two ends, clipped to 0..1 (contract)."""
        span = self.large_cost - self.small_cost
        return np.clip((cost - self.small_cost) / span, 0.0, 1.0) if span > 0 else np.zeros_like(cost)

    def interpolated_cost(self, quality: float) -> float | None:
        """Return what a random mix of the two models costs at a quality; None outside what a mix can reach."""
        if self.gap is None or not self.small_quality <= quality <= self.large_quality:
            return None
        share = (quality - self.small_quality) / self.gap
        return self.small_cost + share * (self.large_cost - self.small_cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Operating points as arrays, in no particular order."""

    quality: Floats
    cost: Floats
    share: Floats


def area(x: Sequence[float] | Floats, y: Sequence[float] | Floats, ends: tuple[float, float]) -> float:
    """Return the trapezoid area under y over x from 0 to 1; `ends` are the values of y at 0 and at 1.

    Points of equal x count by their mean, so that vertical steps do not depend on the order of points.
    """
    xs = np.concatenate(([0.0], np.asarray(x, dtype=np.float64), [1.0]))
    ys = np.concatenate(([ends[0]], np.asarray(y, dtype=np.float64), [ends[1]]))
    where, index = np.unique(np.round(xs, 9), return_inverse=True)
    means = np.bincount(index, weights=ys) / np.bincount(index)
    return float(np.trapezoid(means, where))


def apgr(curve: Curve, ends: Ends, *, by_cost: bool = False) -> float | None:
    """Return the average performance gap recovered (RouteLLM, arXiv 2406.18665), over the share of large calls.

    With `by_cost` the x axis is the cost position. A random mix gets 0.5; None where the large model is no better.
    """
    if ends.gap is None:
        return None
    x = ends.cost_position(curve.cost) if by_cost else curve.share
    under = area(x, curve.quality, (ends.small_quality, ends.large_quality))
    return (under - ends.small_quality) / ends.gap


def cpt(curve: Curve, ends: Ends, recovered: float) -> float | None:
    """Return the least share of large calls, 0..1, that recovers that part of the gap, by interpolation."""
    if ends.gap is None:
        return None
    order = np.argsort(curve.share, kind="stable")
    share = np.concatenate(([0.0], curve.share[order], [1.0]))
    gained = np.concatenate(([0.0], (curve.quality[order] - ends.small_quality) / ends.gap, [1.0]))
    above = int(np.argmax(gained >= recovered))
    if above == 0 or gained[above] == gained[above - 1]:
        return float(share[above])
    part = (recovered - gained[above - 1]) / (gained[above] - gained[above - 1])
    return float(share[above - 1] + part * (share[above] - share[above - 1]))


def aiq(curve: Curve, ends: Ends) -> float | None:
    """Return the area under the non-decreasing convex hull of quality over cost, per unit of cost (RouterBench)."""
    cost = np.concatenate(([ends.small_cost], curve.cost, [ends.large_cost]))
    quality = np.concatenate(([ends.small_quality], curve.quality, [ends.large_quality]))
    if cost.max() <= cost.min():
        return None
    xs, ys = upper_hull(cost, quality)
    return float(np.trapezoid(ys, xs) / (xs[-1] - xs[0]))


def upper_hull(cost: Floats, quality: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the non-decreasing concave envelope of the points, by rising cost."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(zip(cost.tolist(), quality.tolist(), strict=True), key=lambda point: (point[0], -point[1])):
        if hull and (x == hull[-1][0] or y <= hull[-1][1]):  # a hull never falls: its last corner is its highest
            continue
        while len(hull) >= 2 and _turns_up(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    hull.append((float(cost.max()), hull[-1][1]))
    return np.array([x for x, _ in hull]), np.array([y for _, y in hull])


def _turns_up(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def quality_at_half_cost(curve: Curve, ends: Ends) -> float | None:
    """Return the quality at the cost position 1/2, by interpolation along the curve."""
    if ends.large_cost <= ends.small_cost:
        return None
    position = ends.cost_position(curve.cost)
    order = np.argsort(position, kind="stable")
    x = np.concatenate(([0.0], position[order], [1.0]))
    y = np.concatenate(([ends.small_quality], curve.quality[order], [ends.large_quality]))
    return float(np.interp(0.5, x, y))


def saving(cost: float, reference: float | None) -> float | None:
    """Return how much less than the reference a cost is, in percent; None without a reference."""
    return round(100.0 * (1.0 - cost / reference), 9) + 0.0 if reference else None  # equal means are told as 0


def resamples(groups: NDArray[np.str_], times: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw whole groups with replacement.

    Returns the group index of every row, and how often each group was drawn, shape (times, groups).
    """
    names, index = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(names), size=(times, len(names)))
    counts = np.stack([np.bincount(draw, minlength=len(names)) for draw in draws])
    return index.astype(np.int64), counts


def group_means(values: Floats, index: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """Return the mean of `values`, shape (…, rows), in each resample: shape (…, times)."""
    groups = counts.shape[1]
    flat = values.reshape(-1, len(index))
    sums = np.stack([np.bincount(index, weights=row, minlength=groups) for row in flat])
    weights = counts @ np.bincount(index, minlength=groups)
    means: Floats = (sums @ counts.T / weights).reshape(*values.shape[:-1], len(counts))
    return means
