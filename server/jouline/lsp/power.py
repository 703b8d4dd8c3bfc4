"""Mains or battery, looked up seldom: a request must not pay for it, and frequent polling has troubled systems."""

from collections.abc import Callable
from dataclasses import dataclass, field

from jouline.hardware import PowerSource

EVERY_S = 30.0


@dataclass(slots=True)
class PowerWatch:
    """Says where the power comes from, as it was read at most `EVERY_S` seconds ago by `clock`."""

    read: Callable[[], PowerSource]
    clock: Callable[[], float]
    _known: tuple[float, PowerSource] | None = field(default=None, init=False)

    def __call__(self) -> PowerSource:
        """Return the power source, reading it anew when the last reading is too old."""
        now = self.clock()
        if self._known is None or now - self._known[0] >= EVERY_S:
            self._known = now, self.read()
        return self._known[1]
