"""Apple silicon through IOReport, the system's own energy accounting, read by the package zeus-apple-silicon.

`get_cumulative_energy()` gives millijoules since the monitor began: `cpu_total_mj` for all processor clusters,
`dram_mj` for memory, each None where the chip does not say. No administrator's right is needed. The graphics unit is
on the same chip but not in `cpu_total_mj`; it is not read, because no model of ours runs there yet.
"""

import importlib
import platform
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable

JOULES_PER_UNIT = 1e-3
# How often IOReport's energy channels move is not documented; shorter windows are left to the CPU-time model.
STEP_S = 0.05
PARTS: dict[str, tuple[str, Domain, str]] = {
    "cpu_total_mj": ("apple cpu", "cpu", "all processor clusters, all programs"),
    "dram_mj": ("apple dram", "memory", "the memory, all programs"),
}
REMEDY = "Install the reader into Jouline's environment: pip install zeus-apple-silicon"


class AppleMeter:
    """One part of the chip. Safe to read from several threads."""

    method: Method = "measured"
    sharing: Sharing = "cpu"
    counted = True
    resolution_s = STEP_S
    sample_every_s: float | None = 10.0

    def __init__(self, monitor: Any, field: str, clock: Clock) -> None:
        """Read it once; raises ValueError where the chip does not say."""
        self.name, self.domain, self.covers = PARTS[field]
        self._monitor = monitor
        self._field = field
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(joules_per_unit=JOULES_PER_UNIT)
        start = time.perf_counter()
        if self._raw() is None:
            raise ValueError("this chip does not say")
        self.overhead_s = time.perf_counter() - start

    def read(self) -> Reading:
        """Return the part's joules since it was opened."""
        with self._lock:
            now_s, boot_s = self._clock.now(), self._clock.awake_and_asleep()
            raw = self._raw()
            if raw is None:
                return self._counter.lost(now_s, f"{self.name} cannot be read any more")
            return self._counter.advance(raw, now_s, boot_s)

    def close(self) -> None:
        """Nothing is open."""

    def _raw(self) -> int | None:
        try:
            value = getattr(self._monitor.get_cumulative_energy(), self._field)
        except RuntimeError:
            return None
        return None if value is None else int(value)


def open_apple(
    clock: Clock, load: Callable[[], Any] | None = None, system: tuple[str, str] | None = None
) -> tuple[list[AppleMeter], list[Unavailable]]:
    """Open what the chip says; nothing on other systems."""
    if (system or (sys.platform, platform.machine())) != ("darwin", "arm64"):
        return [], []
    try:
        monitor = (load or _load_monitor)()
    except Exception as error:  # noqa: BLE001  the library is foreign: absent, broken or mismatched alike
        return [], [Unavailable(name="apple", reason=f"IOReport cannot be read: {error}", remedy=REMEDY)]
    meters: list[AppleMeter] = []
    refused: list[Unavailable] = []
    for field, (name, _, _) in PARTS.items():
        try:
            meters.append(AppleMeter(monitor, field, clock))
        except ValueError as error:
            refused.append(Unavailable(name=name, reason=str(error)))
    return meters, refused


def _load_monitor() -> Any:
    # By name, because the package exists on Macs alone.
    return importlib.import_module("zeus_apple_silicon").AppleEnergyMonitor()
