"""What passes while no window is open: the residency of models that wait."""

from collections.abc import Mapping
from dataclasses import dataclass

from jouline.energy.estimate import CoreWatts
from jouline.energy.reading import Meter
from jouline.energy.window import Measurement, Part, model_part, total

UPPER_BOUND = "all of the idle power while a model lies on the board: an upper bound"


@dataclass(frozen=True, slots=True)
class Stretch:
    """So much processor time of ours and so much wall time."""

    cpu_s: float = 0.0
    duration_s: float = 0.0

    def measure(self, core: CoreWatts, idle_w: Mapping[Meter, float | None]) -> Measurement:
        """Return its energy: our processor time, and each board's idle power."""
        boards = [self._board(meter, watts) for meter, watts in idle_w.items()]
        return total([model_part(self.cpu_s, core), *boards], self.duration_s, self.cpu_s, core)

    def _board(self, meter: Meter, watts: float | None) -> Part:
        joules = None if watts is None else watts * self.duration_s
        return Part(
            meter=meter.name,
            domain="gpu",
            covers=meter.covers,
            counted=True,
            method="unavailable" if joules is None else "attributed",
            joules=joules,
            joules_low=None if joules is None else 0.0,
            joules_high=joules,
            gross_joules=joules,
            caveat=UPPER_BOUND,
        )


class Outside:
    """Counts the time outside windows. Not thread-safe: its owner holds a lock."""

    def __init__(self, *, cpu_s: float, at_s: float) -> None:
        self._since = (cpu_s, at_s)
        self._kept = Stretch()

    def pause(self, cpu_s: float, at_s: float) -> None:
        """Note that a window opened."""
        passed = (cpu_s - self._since[0], at_s - self._since[1])
        self._kept = Stretch(self._kept.cpu_s + passed[0], self._kept.duration_s + passed[1])

    def resume(self, cpu_s: float, at_s: float) -> None:
        """Note that the last window closed."""
        self._since = (cpu_s, at_s)

    def take(self, cpu_s: float, at_s: float, paused: bool) -> Stretch:  # noqa: FBT001
        """Return what passed outside windows since the last call; `paused` says that one is open now."""
        if not paused:
            self.pause(cpu_s, at_s)
            self.resume(cpu_s, at_s)
        taken, self._kept = self._kept, Stretch()
        return taken
