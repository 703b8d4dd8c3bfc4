"""Means with intervals: what varies is which packages were held out, so whole packages are resampled."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and the ends of its 95 % bootstrap interval over packages."""

    mean: float
    low: float
    high: float


def interval(
    numerators: dict[str, float], denominators: dict[str, float], *, draws: int = 2000, seed: int = 0
) -> Estimate:
    """Ratio of sums over packages, with an interval that draws packages with replacement."""
    names = sorted(numerators)
    top, bottom = (np.array([values[n] for n in names]) for values in (numerators, denominators))
    picks = np.random.default_rng(seed).integers(0, len(names), (draws, len(names)))
    low, high = np.percentile(top[picks].sum(1) / bottom[picks].sum(1), [2.5, 97.5])
    return Estimate(mean=float(top.sum() / bottom.sum()), low=float(low), high=float(high))
