"""The same processor counters through perf events, for systems that allow those and not the powercap files.

A **PMU** is a kernel's counting device; `power` is RAPL's. Its events count 2^-32 J in 64 bits, so they do not wrap
in practice, and are opened once for each package (the PMU's `cpumask`), for all programs: nothing here can be
counted for one process alone (perf_event_open(2); Linux, arch/x86/events/rapl.c).
"""

import ctypes
import os
import platform
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable
from jouline.hardware import read_int, read_text

EVENTS: dict[str, Domain] = {"energy-pkg": "cpu", "energy-ram": "memory"}
STEP_S = 0.001
SAMPLE_EVERY_S = 10.0
# RAPL is x86's alone. The attribute is PERF_ATTR_SIZE_VER0: type, size, config, and the rest zero.
_PERF_EVENT_OPEN = {"x86_64": 298}
_ATTRIBUTE = "=IIQ48x"
_CLOSE_ON_EXEC = 8
_EVERY_PROCESS = -1
_NO_GROUP = -1

Open = Callable[[int, int, int], int]
"""PMU type, event and processor in, a file descriptor out; raises OSError where the kernel refuses."""


class PerfMeter:
    """One event on one package. Safe to read from several threads."""

    method: Method = "measured"
    sharing: Sharing = "cpu"
    counted = True
    resolution_s = STEP_S
    sample_every_s: float | None = SAMPLE_EVERY_S

    def __init__(self, event: str, cpu: int, file: int, *, joules_per_unit: float, clock: Clock) -> None:
        self.name = f"perf {event} cpu {cpu}"
        self.domain: Domain = EVENTS[event]
        part = "memory" if self.domain == "memory" else "whole processor package"
        self.covers = f"the {part} of processor {cpu}, all programs"
        self._file: int | None = file
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(joules_per_unit=joules_per_unit)
        start = time.perf_counter()
        self.read()
        self.overhead_s = time.perf_counter() - start

    def read(self) -> Reading:
        """Return the package's joules since it was opened."""
        with self._lock:
            now_s, boot_s = self._clock.now(), self._clock.awake_and_asleep()
            if self._file is None:
                return self._counter.lost(now_s, f"{self.name} is closed")
            try:
                (raw,) = struct.unpack("=Q", os.read(self._file, 8))
            except (OSError, struct.error):
                return self._counter.lost(now_s, f"{self.name} cannot be read any more")
            return self._counter.advance(raw, now_s, boot_s)

    def close(self) -> None:
        """Close the event."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pmu:
    """The device `power`: its number, one processor of each package, and where its events are described."""

    kind: int
    cpus: list[int]
    folder: Path

    @property
    def names(self) -> list[str]:
        """The events worth opening that it has."""
        return [event for event in EVENTS if (self.folder / event).exists()]

    def event(self, name: str) -> tuple[int, float]:
        """Return an event's number and its joules per unit; raises ValueError where it is not described."""
        config, scale = read_text(self.folder / name), read_text(self.folder / f"{name}.scale")
        if config is None or scale is None:
            raise ValueError(f"the kernel does not describe {name}")
        return int(config.removeprefix("event="), 16), float(scale)


def find_pmu(root: Path) -> Pmu | None:
    """Return the PMU that counts energy; None where there is none."""
    folder = root / "bus/event_source/devices/power"
    kind, cpus = read_int(folder / "type"), cpu_list(read_text(folder / "cpumask") or "")
    return Pmu(kind=kind, cpus=cpus, folder=folder / "events") if kind is not None and cpus else None


def open_perf(root: Path, clock: Clock, open_event: Open | None = None) -> tuple[list[PerfMeter], list[Unavailable]]:
    """Open the package events, and the memory events where there are any; all or, with the reason, none."""
    pmu = find_pmu(root)
    if pmu is None:
        return [], []
    meters: list[PerfMeter] = []
    try:
        for name in pmu.names:
            config, joules_per_unit = pmu.event(name)
            for cpu in pmu.cpus:
                file = (open_event or perf_event_open)(pmu.kind, config, cpu)
                meters.append(PerfMeter(name, cpu, file, joules_per_unit=joules_per_unit, clock=clock))
    except (OSError, ValueError) as error:
        for meter in meters:
            meter.close()
        return [], [Unavailable(name="perf", reason=_refusal(error))]
    return meters, []


def perf_event_open(kind: int, config: int, cpu: int) -> int:
    """Open an event for all programs on one processor; raises OSError where the kernel refuses."""
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None:
        raise OSError(f"no perf energy events on {platform.machine()}")
    attribute = ctypes.create_string_buffer(struct.pack(_ATTRIBUTE, kind, struct.calcsize(_ATTRIBUTE), config))
    library = ctypes.CDLL(None, use_errno=True)
    file = library.syscall(
        ctypes.c_long(number),
        attribute,
        ctypes.c_int(_EVERY_PROCESS),
        ctypes.c_int(cpu),
        ctypes.c_int(_NO_GROUP),
        ctypes.c_ulong(_CLOSE_ON_EXEC),
    )
    if file < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(file)


def cpu_list(text: str) -> list[int]:
    """Parse the kernel's lists of processors, such as `0,18` or `0-3`."""
    cpus: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return []
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def _refusal(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return "the kernel allows these events only to root (kernel.perf_event_paranoid is above 0)"
    return str(error)
