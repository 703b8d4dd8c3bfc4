"""The meters of this machine: probed once, read by windows.

`open_meters` never raises and never wakes a sleeping GPU. There is always at least the CPU-time model, whose
numbers are labelled as estimates; what could not be opened is listed with the reason and a remedy.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from jouline import hardware
from jouline.completion import Method
from jouline.energy.apple import open_apple
from jouline.energy.battery import open_batteries
from jouline.energy.boards import Boards
from jouline.energy.clock import Clock
from jouline.energy.emi import open_emi
from jouline.energy.estimate import CoreWatts, CpuTimeMeter, core_watts
from jouline.energy.idle import IdlePower
from jouline.energy.nvml import Nvidia
from jouline.energy.outside import Outside
from jouline.energy.perf import open_perf
from jouline.energy.rapl import open_rapl
from jouline.energy.reading import Domain, Meter, Reading, Sharing, Unavailable
from jouline.energy.sampler import IDLE_WINDOW_S, Sampler
from jouline.energy.unit import Unit, unit_of
from jouline.energy.window import Measurement, Part, Snapshot, measure

__all__ = [
    "Domain",
    "Measurement",
    "Meter",
    "Meters",
    "Method",
    "Part",
    "Reading",
    "Sharing",
    "Switch",
    "Unavailable",
    "Window",
    "open_meters",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A counter fell silent or came back during the session: from then on another method counts.

    `at_s` is in seconds since 1970.
    """

    at_s: float
    text: str

    @property
    def sentence(self) -> str:
        """What happened and when, in local time."""
        return f"{time.strftime('%H:%M:%S', time.localtime(self.at_s))}: {self.text}."


class Window:
    """Measures what passes between entering and leaving; `measurement` is there after leaving."""

    __slots__ = ("_everything", "_meters", "_start", "measurement")

    measurement: Measurement

    def __init__(self, meters: "Meters", *, everything: bool) -> None:
        self._meters = meters
        self._everything = everything

    def __enter__(self) -> Self:
        self._start = self._meters._enter(self._everything)  # noqa: SLF001  a window is its meters' own hand
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.measurement = self._meters._leave(self._start, self._everything)  # noqa: SLF001


class Meters:
    """The open meters of a machine. Safe to use from several threads; close it when done."""

    def __init__(
        self,
        *,
        meters: Iterable[Meter],
        core: CoreWatts,
        unavailable: Iterable[Unavailable] = (),
        boards: Boards,
        clock: Clock,
        power_source: Callable[[], hardware.PowerSource],
        sampling: bool = True,
    ) -> None:
        self.core = core
        self._fixed: tuple[Meter, ...] = tuple(meters)
        self._gpu: tuple[Meter, ...] = ()
        self._unavailable = tuple(unavailable)
        self._boards = boards
        self._boards_unavailable = boards.while_closed()
        self._on_gpu = False
        self._clock = clock
        self._power_source = power_source
        self._counted: tuple[Meter, ...] = ()
        self._sampled: tuple[Meter, ...] = ()
        self._lock = threading.Lock()
        self._idle = IdlePower()
        self._power: hardware.PowerSource = power_source()
        self._idle_start: Snapshot | None = None
        self._open_windows = 0
        self._touched = False
        self._outside = Outside(cpu_s=clock.cpu(), at_s=clock.now())
        self._silent: dict[str, str] = {}
        self._switches: list[Switch] = []
        self._sampler = Sampler(self) if sampling else None
        self._choose()

    @property
    def all(self) -> tuple[Meter, ...]:
        """Every meter that can be read, counted or only shown."""
        return self._fixed + self._gpu

    @property
    def unavailable(self) -> tuple[Unavailable, ...]:
        """What cannot be read, why, and the remedy."""
        return self._unavailable + self._boards_unavailable

    @property
    def switches(self) -> tuple[Switch, ...]:
        """Changes of method since the meters were opened, oldest first."""
        return tuple(self._switches)

    @property
    def power(self) -> hardware.PowerSource:
        """Mains or battery: as of the last sample, or now where nothing is sampled."""
        return self._power if self._sampled else self._power_source()

    @property
    def counts_joules(self) -> bool:
        """Whether processor energy comes from a counter."""
        return any(meter.counted and meter.sharing == "cpu" for meter in self._counted)

    @property
    def unit(self) -> Unit:
        """What costs are best compared in: joules of the open counters, else CPU-seconds."""
        return self._unit

    @property
    def on_gpu(self) -> bool:
        """Whether the boards are open because a model of ours lies on one."""
        return self._on_gpu

    def busy_seconds(self) -> float:
        """Return the processor time of every program on this machine since it started."""
        return self._clock.busy()

    def window(self, *, everything: bool = False) -> Window:
        """Return a context manager that measures what passes inside it.

        With `everything`, meters that are only shown are read too: a battery may take milliseconds to answer.
        """
        return Window(self, everything=everything)

    def outside(self) -> Measurement:
        """Return what being there cost outside all windows since the last call: residency.

        Our idle threads' processor time by the CPU-time model, and the idle power of every board that a model lies
        on, in full: an upper bound, because nobody knows what the board would have drawn without us.
        """
        with self._lock:
            cpu_s, at_s = self._clock.cpu(), self._clock.now()
            idle_w = {meter: self._idle_w(meter) for meter in self._gpu}
            return self._outside.take(cpu_s, at_s, self._open_windows > 0).measure(self.core, idle_w)

    def use_gpu(self, on: bool) -> None:  # noqa: FBT001  reads as a sentence at the call
        """Say whether a model of ours lies on a GPU: NVML is open only while one does."""
        with self._lock:
            if on == self._on_gpu:
                return
            self._on_gpu = on
            if on:
                self._gpu, self._boards_unavailable = self._boards.open()
            else:
                self._drop_gpu()
            self._idle_start = None
            self._choose()

    def sample(self) -> None:
        """Read every counter: joins wraps, and takes idle power when nothing of ours ran since the last sample."""
        with self._lock:
            self._power = self._power_source()
            now = self._snapshot(self._sampled)
            before, self._idle_start = self._idle_start, now
            quiet = not (self._open_windows or self._touched)
            self._touched = self._open_windows > 0
            if quiet and before is not None and now.at_s - before.at_s >= IDLE_WINDOW_S:
                self._note_idle(before, now)

    def sample_every_s(self) -> float | None:
        """Return how often `sample` wants to be called; None where no counter needs it."""
        periods = [meter.sample_every_s for meter in self._sampled]
        return min((period for period in periods if period is not None), default=None)

    def close(self) -> None:
        """Close every counter."""
        if self._sampler is not None:
            self._sampler.stop()
        with self._lock:
            self._drop_gpu()
            for meter in self._fixed:
                meter.close()
            self._clock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enter(self, everything: bool) -> Snapshot:  # noqa: FBT001
        with self._lock:
            self._touched = True
            self._open_windows += 1
            start = self._snapshot(self._shown if everything else self._counted)
            if self._open_windows == 1:
                self._outside.pause(start.cpu_s, start.at_s)
            return start

    def _leave(self, start: Snapshot, everything: bool) -> Measurement:  # noqa: FBT001
        with self._lock:
            end = self._snapshot(self._shown if everything else self._counted)
            self._open_windows -= 1
            if not self._open_windows:
                self._outside.resume(end.cpu_s, end.at_s)
            measurement = measure(start, end, self.core, self._idle_w)
            if end.readings:
                self._note_switches(end, measurement)
            return measurement

    def _snapshot(self, meters: tuple[Meter, ...]) -> Snapshot:
        cpu_s, at_s = self._clock.cpu(), self._clock.now()
        if not meters:
            return Snapshot(at_s, cpu_s, None, 0.0, ())
        readings = tuple((meter, meter.read()) for meter in meters)
        return Snapshot(at_s, cpu_s, self._clock.busy(), self._clock.busy_error_s, readings)

    def _choose(self) -> None:
        self._counted = tuple(meter for meter in self._shown if meter.counted)
        self._sampled = tuple(meter for meter in self._shown if meter.sample_every_s is not None)
        self._unit = unit_of(self.all, self.core)
        if self._sampled and self._sampler is not None:
            self._sampler.start()

    @property
    def _shown(self) -> tuple[Meter, ...]:
        return tuple(meter for meter in self.all if meter.sharing != "own")

    def _drop_gpu(self) -> None:
        for meter in self._gpu:
            meter.close()
        self._gpu = ()
        self._boards.close()
        self._boards_unavailable = self._boards.while_closed()

    def _idle_w(self, meter: Meter) -> float | None:
        return self._idle.watts((meter.name, self._power), self._clock.now())

    def _note_idle(self, before: Snapshot, now: Snapshot) -> None:
        first = {id(meter): reading for meter, reading in before.readings}
        for meter, last in now.readings:
            start = first.get(id(meter))
            if start is None or start.joules_total is None or last.joules_total is None:
                continue
            if start.breaks == last.breaks:
                watts = (last.joules_total - start.joules_total) / (last.at_s - start.at_s)
                self._idle.add((meter.name, self._power), last.at_s, watts)

    def _note_switches(self, end: Snapshot, measurement: Measurement) -> None:
        for meter, reading in end.readings:
            was, now = self._silent.get(meter.name, ""), reading.why
            if was == now or not meter.counted:
                continue
            self._silent[meter.name] = now
            text = f"{now}; {measurement.method} from now on" if now else f"{meter.name} can be read again"
            self._switches.append(Switch(at_s=self._clock.wall(), text=text))
            log.warning("energy: %s", text)


def open_meters(
    root: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    nvidia: Nvidia | None = None,
    *,
    sampling: bool = True,
) -> Meters:
    """Probe the machine once and return its meters; never raises.

    `root` stands for `/sys` (else `JOULINE_SYSFS`, else `/sys`). Without `sampling` no thread is started, and
    whoever calls must call `sample` as often as `sample_every_s` says.
    """
    root, clock = root or hardware.sysfs_root(environ), clock or Clock()
    counters, refused = _counters(root, clock)
    cells, bare = open_batteries(root, clock)
    core = core_watts(hardware.probe(root), root)
    model = CpuTimeMeter(core, counted=not any(meter.counted for meter in counters), clock=clock)
    return Meters(
        meters=(*counters, *cells, model),
        core=core,
        unavailable=(*refused, *bare),
        boards=Boards(root, clock, nvidia or Nvidia(clock)),
        clock=clock,
        power_source=lambda: hardware.power_source(root),
        sampling=sampling,
    )


def _counters(root: Path, clock: Clock) -> tuple[list[Meter], list[Unavailable]]:
    """Open the processor's counters by the first door that is open: IOReport, EMI, powercap, perf events."""
    for meters, silent in (open_apple(clock), open_emi(clock)):
        if meters or silent:
            return list(meters), silent
    rapl, refused = open_rapl(root, clock)
    if any(meter.domain == "cpu" for meter in rapl):
        return list(rapl), refused
    perf, barred = open_perf(root, clock)
    for meter in rapl:
        meter.counted = meter.counted and not perf
    return [*rapl, *perf], [*refused, *barred]
