"""Whose energy it was: a shared counter's joules divided among those who used the device. Pure.

A processor's counter sees every program. What the machine would have drawn idle is taken off first, the rest goes
to each program by its share of the busy processor time (as scaphandre and PowerJoular do).
"""

from collections.abc import Mapping
from dataclasses import dataclass

OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the bounds it may lie in."""

    low: float
    value: float
    high: float

    def scaled(self, factor: float) -> "Interval":
        """Return all three times `factor`, which is not negative."""
        return Interval(self.low * factor, self.value * factor, self.high * factor)


def attribute(joules: float, claims: Mapping[str, float], total: float) -> dict[str, float]:
    """Divide `joules` by claims such as busy seconds; what nobody claims goes to `OTHERS`.

    `total` is everybody's claim together; a smaller one than the claims' own sum is a coarse counter's error and
    is raised to it. The shares sum to `joules`; a claim below zero counts as zero.
    """
    held = {name: max(0.0, claim) for name, claim in claims.items()}
    whole = max(total, sum(held.values()))
    shares = {name: joules * (claim / whole) if whole > 0 else 0.0 for name, claim in held.items()}
    shares[OTHERS] = shares.get(OTHERS, 0.0) + joules - sum(shares.values())
    return shares


def cpu_share(ours_s: float, busy_s: float, tick_error_s: float) -> Interval:
    """Return our share of the busy processor time, 0..1.

    Ours is exact to the nanosecond, everybody's is counted in ticks: `tick_error_s` is the most it may be off.
    """
    if ours_s <= 0:
        return Interval(0.0, 0.0, 0.0)
    return Interval(
        ours_s / max(ours_s, busy_s + tick_error_s),
        ours_s / max(ours_s, busy_s),
        ours_s / max(ours_s, busy_s - tick_error_s),
    )


def net_of_idle(gross_joules: float, idle_w: float | None, duration_s: float) -> Interval:
    """Return gross less what idling would have drawn, never negative.

    Where the idle power is not known yet, the value is gross and the low end zero.
    """
    if idle_w is None:
        return Interval(0.0, gross_joules, gross_joules)
    net = max(0.0, gross_joules - idle_w * duration_s)
    return Interval(net, net, net)


def widened(interval: Interval, fraction: float) -> Interval:
    """Return the interval with both bounds moved out by `fraction` of the value: a counter's step at the edges."""
    margin = interval.value * fraction
    return Interval(max(0.0, interval.low - margin), interval.value, interval.high + margin)
