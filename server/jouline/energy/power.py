"""From power samples to joules: the trapezoid rule, for devices that know their watts but count no energy."""

from jouline.energy.counter import Counter
from jouline.energy.reading import Reading

JOULES_PER_UNIT = 1e-6
STEP_S = 0.1  # sampled at 10 Hz
GAP_S = 2.0  # a longer gap between samples cannot be bridged by a straight line


class PowerIntegral:
    """Integrates one device's watts. Not thread-safe: its meter holds a lock."""

    def __init__(self, *, plausible_w: float) -> None:
        self._counter = Counter(joules_per_unit=JOULES_PER_UNIT, plausible_w=plausible_w)
        self._joules = 0.0
        self._last: tuple[float, float] | None = None

    def advance(self, watts: float, now_s: float, boot_s: float) -> Reading:
        """Take the next sample."""
        last, self._last = self._last, (now_s, watts)
        if last is not None:
            gap_s = now_s - last[0]
            if gap_s > GAP_S:
                self._counter.lost(now_s, "")
            else:
                self._joules += (watts + last[1]) / 2 * gap_s
        return self._counter.advance(round(self._joules / JOULES_PER_UNIT), now_s, boot_s)

    def lost(self, now_s: float, why: str) -> Reading:
        """Note that the power could not be read."""
        self._last = None
        return self._counter.lost(now_s, why)
