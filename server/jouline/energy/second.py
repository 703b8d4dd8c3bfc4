"""Second readings of the same minutes, by other code or another interface, to hold our own numbers against.

Each is begun and ended once. What cannot be read here gives a sentence in place of a reading.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import psutil

from jouline.energy.clock import Clock
from jouline.energy.meter import Meters
from jouline.energy.nvml import NvidiaMeter
from jouline.energy.perf import open_perf
from jouline.energy.power import PowerIntegral
from jouline.energy.reading import Meter
from jouline.energy.verify import open_pyrapl

Compared = Literal["processor package", "graphics board", "processor time"]

PERIOD_S = 0.05
PLAUSIBLE_W = 2000.0


class Second(Protocol):
    """Another reading: of what, by what name, and how much between `begin` and `end`."""

    name: str
    compares: Compared

    def begin(self) -> None:
        """Take the first reading."""

    def end(self) -> float | None:
        """Return joules, or seconds for processor time; None where the reading failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A comparison that this machine does not allow, and why."""

    compares: Compared
    name: str
    reason: str


class ProcessTicks:
    """This process's user and system time as the system's process table tells it, not by the clock of windows."""

    name = "process table"
    compares: Compared = "processor time"

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._start = 0.0

    def begin(self) -> None:
        """Take the first reading."""
        self._start = self._now()

    def end(self) -> float | None:
        """Return the seconds since."""
        return self._now() - self._start

    def _now(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


class PyRapl:
    """The processor packages by pyRAPL."""

    name = "pyRAPL"
    compares: Compared = "processor package"

    def __init__(self) -> None:
        self._begin, self._end = open_pyrapl()

    def begin(self) -> None:
        """Take the first reading."""
        self._begin()

    def end(self) -> float | None:
        """Return the joules since; None where pyRAPL gives none, as across a wrap."""
        return self._end()


class Counters:
    """Other counters of the same device, such as perf events beside powercap files."""

    def __init__(self, name: str, compares: Compared, meters: Iterable[Meter]) -> None:
        self.name = name
        self.compares = compares
        self._meters = tuple(meters)
        self._start: float | None = None

    def begin(self) -> None:
        """Take the first reading."""
        self._start = gross(self._meters)

    def end(self) -> float | None:
        """Return the joules since, and close the counters."""
        now = gross(self._meters)
        for meter in self._meters:
            meter.close()
        return None if now is None or self._start is None else now - self._start


class BoardPower:
    """NVIDIA boards by power samples, integrated, beside their energy counter."""

    name = "NVML power, integrated"
    compares: Compared = "graphics board"

    def __init__(self, watts: Callable[[], float], clock: Clock | None = None) -> None:
        """`watts` returns the power of all boards now, and may raise what the driver raises."""
        self._watts = watts
        self._clock = clock or Clock()
        self._integral = PowerIntegral(plausible_w=PLAUSIBLE_W)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board-power", daemon=True)
        self._start: float | None = None
        self._broken = False

    def begin(self) -> None:
        """Begin sampling."""
        self._start = self.sample()
        self._thread.start()

    def end(self) -> float | None:
        """Stop sampling; returns the joules, None where a sample failed or came too late."""
        self._stop.set()
        self._thread.join()
        now = self.sample()
        return None if self._broken or now is None or self._start is None else now - self._start

    def sample(self) -> float | None:
        """Take one sample; returns the joules so far, None where the driver gives no power."""
        try:
            watts = self._watts()
        except Exception:  # noqa: BLE001  the driver's own errors, which only its library can name
            self._broken = True
            return None
        reading = self._integral.advance(watts, self._clock.now(), self._clock.awake_and_asleep())
        self._broken = self._broken or reading.breaks > 0
        return reading.joules_total

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self.sample()


def gross(meters: Iterable[Meter]) -> float | None:
    """Return what these counters show together; None where one cannot be read."""
    total = 0.0
    for meter in meters:
        joules = meter.read().joules_total
        if joules is None:
            return None
        total += joules
    return total


def find_seconds(meters: Meters, root: Path) -> tuple[list[Second], list[Missing]]:
    """Return every second reading that this machine allows, and what it does not; `root` stands for `/sys`."""
    answers = (_pyrapl(), _perf(meters, root), _board_power(meters))
    found = [answer for answer in answers if not isinstance(answer, Missing)]
    return [ProcessTicks(), *found], [answer for answer in answers if isinstance(answer, Missing)]


def _pyrapl() -> Second | Missing:
    try:
        return PyRapl()
    except Exception as error:  # noqa: BLE001  pyRAPL raises whatever its paths hold
        reason = f"it cannot read this machine's counters ({type(error).__name__})"
        return Missing(compares="processor package", name=PyRapl.name, reason=reason)


def _perf(meters: Meters, root: Path) -> Second | Missing:
    name = "perf power events"
    perf, refused = open_perf(root, Clock())
    packages = [meter for meter in perf if meter.domain == "cpu"]
    beside = any(meter.counted and meter.name.startswith("rapl package") for meter in meters.all)
    if packages and beside:
        return Counters(name, "processor package", packages)
    for each in perf:
        each.close()
    reason = refused[0].reason if refused else "there are no powercap counters and perf events side by side"
    return Missing(compares="processor package", name=name, reason=reason)


def _board_power(meters: Meters) -> Second | Missing:
    boards = [meter for meter in meters.all if isinstance(meter, NvidiaMeter)]
    if boards:
        return BoardPower(lambda: sum(board.watts() for board in boards))
    reason = "no model of ours lies on an NVIDIA board"
    return Missing(compares="graphics board", name=BoardPower.name, reason=reason)
