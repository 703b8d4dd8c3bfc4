"""From raw counter values to joules that only grow: wraps joined, resets and sleeps made breaks."""

from jouline.energy.reading import Reading

# The largest server packages are sold with limits of 500 W; more is a broken counter, not a hot processor.
PLAUSIBLE_W = 600.0
SLEPT_S = 0.5  # the two clocks differ by this much only if the machine was suspended
GRACE_S = 0.1  # a counter's step may fall into a window shorter than the step


class Counter:
    """Accumulates one hardware counter. Not thread-safe: its meter holds a lock.

    `range_units` is the value after which the hardware starts again at zero; None where it does not wrap or does
    not say, and then a fall is a reset.
    """

    def __init__(
        self, *, joules_per_unit: float, range_units: int | None = None, plausible_w: float = PLAUSIBLE_W
    ) -> None:
        self._scale = joules_per_unit
        self._range = range_units
        self._plausible_w = plausible_w
        self._units = 0
        self._breaks = 0
        self._last: tuple[int, float, float] | None = None

    def advance(self, raw: int, now_s: float, boot_s: float) -> Reading:
        """Take the next raw value, read at `now_s`; `boot_s` is the time that runs on in sleep."""
        why = ""
        if self._last is not None:
            step, why = self._step(raw, now_s, boot_s)
            self._units += step
            self._breaks += bool(why)
        self._last = (raw, now_s, boot_s)
        return Reading(self._units * self._scale, now_s, self._breaks, why)

    def lost(self, now_s: float, why: str) -> Reading:
        """Note that the counter could not be read; what passes until the next reading is unknown."""
        if self._last is not None:
            self._breaks += 1
        self._last = None
        return Reading(None, now_s, self._breaks, why)

    def _step(self, raw: int, now_s: float, boot_s: float) -> tuple[int, str]:
        last_raw, last_now, last_boot = self._last or (raw, now_s, boot_s)
        passed_s = now_s - last_now
        if (boot_s - last_boot) - passed_s > SLEPT_S:
            return 0, "the machine was asleep"
        most = self._plausible_w * (max(passed_s, 0.0) + GRACE_S) / self._scale
        if self._range is not None and passed_s * self._plausible_w >= self._range * self._scale:
            return 0, "too long since the last reading: the counter may have wrapped twice"
        step = raw - last_raw
        if step < 0:
            if self._range is None:
                return 0, "the counter was reset"
            step += self._range + 1
        if step < 0 or step > most:
            return 0, "the counter made an implausible step"
        return step, ""
