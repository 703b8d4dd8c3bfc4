"""RAPL: the energy counters inside Intel and AMD processors, as Linux shows them under powercap.

A **zone** is one counter: a **package** is one processor socket (or one die of it, `package-0-die-1`), **core** and
**uncore** are parts of a package, **dram** is its memory, **psys** is the whole platform. Zones nest: a package
includes its cores, and psys includes the packages, so a sum takes exactly one level. `intel-rapl-mmio` shows a
package a second time through another door. (Linux, Documentation/power/powercap/powercap.rst.)
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable
from jouline.hardware import read_int, read_text

JOULES_PER_UNIT = 1e-6
STEP_S = 0.001  # Intel SDM vol. 3B, 15.10.1: the status registers are updated about every millisecond
# Well below the shortest wrap: 65 536 J, on parts with a unit of 15.3 uJ, last 109 s at the plausible 600 W.
SAMPLE_EVERY_S = 10.0
SAME_COUNTER_J = 0.5  # what a socket may draw between the two reads

READABLE_BY_GROUP = (
    "Linux lets only root read this counter, because it can leak secrets of other programs (PLATYPUS, "
    "CVE-2020-8694). To let one group read it, an administrator can run:\n"
    "  groupadd --system energy && usermod --append --groups energy $USER\n"
    "  echo 'z /sys/class/powercap/intel-rapl*/energy_uj 0440 root energy -' > /etc/tmpfiles.d/energy.conf\n"
    "  systemd-tmpfiles --create /etc/tmpfiles.d/energy.conf\n"
    "and log in again. Until the next boot only: chgrp energy and chmod 0440 on the same files."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One powercap zone: where it is, its own name and the package it belongs to."""

    path: Path
    label: str
    parent: str = ""

    @property
    def name(self) -> str:
        """A name that is unique on the machine, such as `rapl package-0` or `rapl dram (package-1)`."""
        return f"rapl {self.label}" + (f" ({self.parent})" if self.parent else "")

    @property
    def is_package(self) -> bool:
        """Whether it is a socket or one die of a socket."""
        return self.label.startswith("package")


class RaplMeter:
    """One zone's counter. Safe to read from several threads."""

    method: Method = "measured"
    resolution_s = STEP_S
    sample_every_s: float | None = SAMPLE_EVERY_S

    def __init__(self, zone: Zone, *, counted: bool, clock: Clock) -> None:
        """Open the zone; raises OSError or ValueError where its counter cannot be read."""
        self.name = zone.name
        self.covers = _covers(zone)
        self.domain: Domain = _domain(zone)
        self.sharing: Sharing = "cpu"
        self.counted = counted
        self._path = zone.path / "energy_uj"
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(
            joules_per_unit=JOULES_PER_UNIT, range_units=read_int(zone.path / "max_energy_range_uj")
        )
        self._file: int | None = os.open(self._path, os.O_RDONLY)
        self._closed = False
        self.first_joules, self.overhead_s = self._first_read()

    def read(self) -> Reading:
        """Return the zone's joules since it was opened."""
        with self._lock:
            now_s, boot_s = self._clock.now(), self._clock.awake_and_asleep()
            try:
                raw = self._raw()
            except (OSError, ValueError) as error:
                self._let_go()
                return self._counter.lost(now_s, f"{self.name} cannot be read any more: {_plain(error)}")
            return self._counter.advance(raw, now_s, boot_s)

    def close(self) -> None:
        """Close the counter's file."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _raw(self) -> int:
        if self._closed:
            raise OSError("the meter is closed")
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY)
        return int(os.pread(self._file, 32, 0))

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _first_read(self) -> tuple[float, float]:
        """Return the counter as it stands and the time that reading it took."""
        start = time.perf_counter()
        try:
            raw = self._raw()
        except (OSError, ValueError):
            self._let_go()
            raise
        return raw * JOULES_PER_UNIT, time.perf_counter() - start


def find_zones(root: Path) -> tuple[Zone, ...]:
    """List the zones that the kernel shows, parents before children, each once."""
    paths = sorted((root / "class/powercap").glob("intel-rapl*:*"), key=_order)
    labels = {path.name: label for path in paths if (label := read_text(path / "name"))}
    return tuple(
        Zone(path=path, label=labels[path.name], parent=labels.get(path.name.rpartition(":")[0], ""))
        for path in paths
        if path.name in labels
    )


def open_rapl(root: Path, clock: Clock) -> tuple[list[RaplMeter], list[Unavailable]]:
    """Open every zone worth showing: packages and memory counted, psys counted only where no package is."""
    zones = find_zones(root)
    if not zones:
        return [], [Unavailable(name="rapl", reason=_no_zones())]
    meters: list[RaplMeter] = []
    refused: list[Unavailable] = []
    for zone in _one_level(zones):
        try:
            meters.append(RaplMeter(zone, counted=zone.label != "psys", clock=clock))
        except (OSError, ValueError) as error:
            refused.append(_unavailable(zone, error))
    meters = list(_without_mirrors(meters))
    if not any(meter.domain == "cpu" for meter in meters):
        for meter in meters:
            meter.counted = meter.domain == "machine"
    return meters, refused


def _one_level(zones: Iterable[Zone]) -> Iterator[Zone]:
    return (zone for zone in zones if zone.is_package or zone.label in {"dram", "psys"})


def _without_mirrors(meters: Iterable[RaplMeter]) -> Iterator[RaplMeter]:
    # Sorted by _order, the mmio zone of a package comes after its own and is dropped when that could be opened.
    seen: list[RaplMeter] = []
    for meter in meters:
        if any(_mirrors(meter, other) for other in seen):
            meter.close()
        else:
            seen.append(meter)
            yield meter


def _mirrors(meter: RaplMeter, other: RaplMeter) -> bool:
    # Some AMD processors show the socket's one counter on each die: two counters of their own never stand that close.
    if meter.name == other.name:
        return True
    dies = "-die-" in meter.name and meter.name.partition("-die-")[0] == other.name.partition("-die-")[0]
    return dies and meter.first_joules > 0 and abs(meter.first_joules - other.first_joules) <= SAME_COUNTER_J


def _order(path: Path) -> tuple[bool, list[int]]:
    kind, *numbers = path.name.split(":")
    return kind != "intel-rapl", [int(number) if number.isdigit() else 0 for number in numbers]


def _domain(zone: Zone) -> Domain:
    return "machine" if zone.label == "psys" else "memory" if zone.label == "dram" else "cpu"


def _covers(zone: Zone) -> str:
    if zone.label == "psys":
        return "the whole platform as the board's sensor sees it, all programs"
    if zone.label == "dram":
        return f"the memory of {zone.parent or 'the processor'}, all programs"
    return f"the whole processor {zone.label}, all programs"


def _unavailable(zone: Zone, error: OSError | ValueError) -> Unavailable:
    remedy = READABLE_BY_GROUP if isinstance(error, PermissionError) else ""
    return Unavailable(name=zone.name, reason=_plain(error), remedy=remedy)


def _plain(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return "its file is readable by root alone"
    if isinstance(error, FileNotFoundError):
        return "its file is gone"
    return "its file holds no number" if isinstance(error, ValueError) else (error.strerror or str(error))


def _no_zones() -> str:
    return "this machine shows no powercap counters (a virtual machine, a container or another system)"
