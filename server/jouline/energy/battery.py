"""A battery's discharge: the whole machine, screen included. A sanity bound, never part of a total.

`energy_now` (uWh), or `charge_now` (uAh) x `voltage_now` (uV), falls while discharging and moves every 1 to 30 s
(Linux, Documentation/ABI/testing/sysfs-class-power).
"""

import threading
import time
from pathlib import Path

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable
from jouline.hardware import batteries, read_int, read_text

JOULES_PER_UWH = 3600e-6
MICRO = 1e-6
PLAUSIBLE_W = 400.0


class BatteryMeter:
    """One battery's discharged joules; None while it charges or rests."""

    method: Method = "measured"
    domain: Domain = "machine"
    sharing: Sharing = "cpu"
    counted = False
    resolution_s = 30.0
    sample_every_s: float | None = None

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read it once; raises OSError where it shows no energy."""
        self.name = f"battery {path.name}"
        self.covers = "the whole machine, screen included, while it runs on this battery"
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(joules_per_unit=JOULES_PER_UWH, plausible_w=PLAUSIBLE_W)
        self._full_uwh = self._stored_uwh()
        start = time.perf_counter()
        self._stored_uwh()
        self.overhead_s = time.perf_counter() - start

    def read(self) -> Reading:
        """Return the joules taken out since it was opened."""
        with self._lock:
            now_s = self._clock.now()
            if read_text(self._path / "status") != "Discharging":
                return self._counter.lost(now_s, f"{self.name} is not discharging")
            try:
                stored = self._stored_uwh()
            except OSError:
                return self._counter.lost(now_s, f"{self.name} was taken out")
            return self._counter.advance(self._full_uwh - stored, now_s, self._clock.awake_and_asleep())

    def close(self) -> None:
        """Nothing is open."""

    def _stored_uwh(self) -> int:
        energy = read_int(self._path / "energy_now")
        if energy is not None:
            return energy
        charge, volts = read_int(self._path / "charge_now"), read_int(self._path / "voltage_now")
        if charge is None or volts is None:
            raise OSError(f"{self.name} shows no energy")
        return round(charge * volts * MICRO)


def open_batteries(root: Path, clock: Clock) -> tuple[list[BatteryMeter], list[Unavailable]]:
    """Open every battery of the machine."""
    meters: list[BatteryMeter] = []
    refused: list[Unavailable] = []
    for path in batteries(root):
        try:
            meters.append(BatteryMeter(path, clock))
        except OSError as error:
            refused.append(Unavailable(name=f"battery {path.name}", reason=str(error)))
    return meters, refused
