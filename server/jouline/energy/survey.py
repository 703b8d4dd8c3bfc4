"""A reading over some seconds for a person: every meter, what it covers, and what measuring itself costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from jouline.completion import Method
from jouline.energy.meter import Meters
from jouline.energy.window import Measurement, Part, everybody_part, weakest

OVERHEAD_WINDOWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the meters showed over a window.

    `joules` is the sum of what the counted meters show, whoever caused it; `ours` is the part that is net of idling
    and caused by this process. On a machine without counters both are the CPU-time model's estimate of this process.
    """

    joules: float | None
    method: Method
    ours: Measurement

    @property
    def seconds(self) -> float:
        """How long the window was."""
        return self.ours.duration_s

    @property
    def watts(self) -> float | None:
        """Mean power over the window."""
        return power(self.joules, self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What measuring costs: one window, in wall and processor time, and idling, in percent of one core."""

    window_s: float
    window_cpu_s: float
    idle_percent_of_core: float


def survey(meters: Meters, seconds: float, wait: Callable[[float], None] = time.sleep) -> Survey:
    """Read all meters over a window of about `seconds`."""
    busy_s = meters.busy_seconds()
    with meters.window(everything=True) as window:
        wait(seconds)
    return summed(meters, window.measurement, meters.busy_seconds() - busy_s)


def summed(meters: Meters, ours: Measurement, busy_s: float) -> Survey:
    """Return what the counted meters showed; without a processor counter, what all programs' `busy_s` suggests too."""
    if not meters.counts_joules:
        ours = replace(ours, parts=(*ours.parts, everybody_part(busy_s, meters.core)))
    counted = [part for part in ours.parts if part.counted]
    shown = [joules for part in counted if (joules := showed(part)) is not None]
    if not shown or len(shown) < len(counted):
        return Survey(joules=None, method="unavailable", ours=ours)
    return Survey(joules=sum(shown), method=weakest(_class(part) for part in counted), ours=ours)


def showed(part: Part) -> float | None:
    """Return what the meter itself showed: gross where it is a counter, else its estimate."""
    return part.joules if part.method == "estimated" else part.gross_joules


def power(joules: float | None, seconds: float) -> float | None:
    """Return watts; None where the joules are unknown or no time passed."""
    return None if joules is None or seconds <= 0 else joules / seconds


def overhead(meters: Meters, windows: int = OVERHEAD_WINDOWS) -> Overhead:
    """Open and close empty windows, and say what one costs on this machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(windows):
        with meters.window():
            pass
    window_s = (time.perf_counter() - wall) / windows
    window_cpu_s = (time.process_time() - cpu) / windows
    period_s = meters.sample_every_s()
    idle = 0.0 if period_s is None else 100 * window_cpu_s / 2 / period_s  # a sample reads once, a window twice
    return Overhead(window_s=window_s, window_cpu_s=window_cpu_s, idle_percent_of_core=idle)


def _class(part: Part) -> Method:
    # The counter's own number is measured; only our share of it is attributed.
    return "estimated" if part.method == "estimated" else "measured"
