"""NVIDIA boards through NVML, the driver's own library (module `pynvml` of the package nvidia-ml-py).

The **energy counter** gives millijoules of the whole board since the driver was loaded (Volta and newer), in steps
of 20 to 100 ms. Boards without it give **power**, which is integrated by the trapezoid rule from samples at 10 Hz.
An open handle keeps a laptop's sleeping board awake at 5 to 25 W: open only while a model of ours lies on it.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.power import STEP_S, PowerIntegral
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable

JOULES_PER_UNIT = 1e-3
PLAUSIBLE_W = 2000.0  # the largest boards are sold with 1400 W
ENERGY_STEP_S = 0.1
COUNTER_SAMPLE_EVERY_S = 10.0
SHARE_EVERY_S = 0.5  # the driver samples who computes a few times a second


class NvidiaMeter:
    """One board's joules, from its energy counter or from integrated power."""

    domain: Domain = "gpu"
    counted = True
    sharing: Sharing = "gpu"

    def __init__(self, library: Any, handle: Any, index: int, clock: Clock) -> None:
        """Try both ways of reading; raises the library's error where neither works."""
        self._library = library
        self._handle = handle
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(joules_per_unit=JOULES_PER_UNIT, plausible_w=PLAUSIBLE_W)
        self._integral = PowerIntegral(plausible_w=PLAUSIBLE_W)
        self._share: float | None = None
        self._share_due_s = float("-inf")
        self._seen_us = 0  # the driver's time of the last sample of utilisation, in microseconds
        self._open = True
        start = time.perf_counter()
        self._by_energy = self._has_energy_counter()
        self._our_share(clock.now())
        self.overhead_s = time.perf_counter() - start
        way = "energy counter" if self._by_energy else "power samples"
        self.name = f"nvml gpu {index}"
        self.covers = f"the whole board {_text(library.nvmlDeviceGetName(handle))}, all programs ({way})"
        self.resolution_s = ENERGY_STEP_S if self._by_energy else STEP_S
        self.sample_every_s: float | None = COUNTER_SAMPLE_EVERY_S if self._by_energy else STEP_S

    def read(self) -> Reading:
        """Return the board's joules since it was opened."""
        with self._lock:
            now_s, boot_s = self._clock.now(), self._clock.awake_and_asleep()
            if not self._open:
                return self._lost(now_s, f"{self.name} is closed")
            return replace(self._advance(now_s, boot_s), share=self._our_share(now_s))

    @property
    def method(self) -> Method:
        """Measured while nobody else computes on the board, else attributed."""
        return "measured" if self._share == 1.0 else "attributed"

    def _advance(self, now_s: float, boot_s: float) -> Reading:
        try:
            if self._by_energy:
                raw = int(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle))
                return self._counter.advance(raw, now_s, boot_s)
            watts = self.watts()
        except self._library.NVMLError as error:
            return self._lost(now_s, f"{self.name} cannot be read any more: {error}")
        return self._integral.advance(watts, now_s, boot_s)

    def watts(self) -> float:
        """Return the board's power now, in watts; raises the library's error where it offers none."""
        return float(self._library.nvmlDeviceGetPowerUsage(self._handle)) * 1e-3

    def close(self) -> None:
        """Stop reading; the library itself is closed by whoever opened it."""
        with self._lock:
            self._open = False

    def holds_us(self) -> bool | None:
        """Return whether this process computes on the board; None where the driver cannot tell."""
        pids = self._pids()
        return None if pids is None else os.getpid() in pids

    def _lost(self, now_s: float, why: str) -> Reading:
        return (self._counter if self._by_energy else self._integral).lost(now_s, why)

    def _has_energy_counter(self) -> bool:
        try:
            self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except self._library.NVMLError:
            self._library.nvmlDeviceGetPowerUsage(self._handle)  # raises where there is no power either
            return False
        return True

    def _our_share(self, now_s: float) -> float | None:
        """Return our part of what the board computed lately, looked up at most every `SHARE_EVERY_S`."""
        if now_s >= self._share_due_s:
            self._share_due_s = now_s + SHARE_EVERY_S
            pids = self._pids()
            alone = pids is not None and pids <= {os.getpid()}
            self._share = 1.0 if alone else self._share_beside_others(pids)
        return self._share

    def _share_beside_others(self, pids: set[int] | None) -> float | None:
        # Inside a container the driver lists other process numbers than ours: then nobody can tell.
        if pids is None or os.getpid() not in pids:
            return None
        try:
            samples = self._library.nvmlDeviceGetProcessUtilization(self._handle, self._seen_us)
        except self._library.NVMLError:
            return None
        self._seen_us = max((int(sample.timeStamp) for sample in samples), default=self._seen_us)
        busy = sum(int(sample.smUtil) for sample in samples)
        ours = sum(int(sample.smUtil) for sample in samples if int(sample.pid) == os.getpid())
        return ours / busy if busy else None

    def _pids(self) -> set[int] | None:
        try:
            processes = self._library.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._library.NVMLError:
            return None
        return {int(process.pid) for process in processes}


class Nvidia:
    """All boards, opened together and closed together."""

    def __init__(self, clock: Clock, load: Callable[[], Any] | None = None) -> None:
        self._clock = clock
        self._load = load or _load_library
        self._library: Any = None

    def open(self) -> tuple[list[NvidiaMeter], list[Unavailable]]:
        """Open every board that can be read; wakes boards that sleep. Never raises."""
        try:
            library = self._load()
            library.nvmlInit()
        except Exception as error:  # noqa: BLE001  the library is foreign: absent, broken or mismatched alike
            return [], [_no_library(error)]
        self._library = library
        try:
            count = library.nvmlDeviceGetCount()
        except library.NVMLError as error:
            return [], [Unavailable(name="nvml", reason=f"the NVIDIA driver lists no boards: {error}")]
        return self._boards(count)

    def close(self) -> None:
        """Let the boards sleep again."""
        library, self._library = self._library, None
        if library is not None:
            try:
                library.nvmlShutdown()
            except library.NVMLError:
                return

    def _boards(self, count: int) -> tuple[list[NvidiaMeter], list[Unavailable]]:
        meters: list[NvidiaMeter] = []
        refused: list[Unavailable] = []
        for index in range(count):
            try:
                handle = self._library.nvmlDeviceGetHandleByIndex(index)
                meters.append(NvidiaMeter(self._library, handle, index, self._clock))
            except self._library.NVMLError as error:
                reason = f"the board offers neither energy nor power: {error}"
                refused.append(Unavailable(name=f"nvml gpu {index}", reason=reason))
        return _ours(meters), refused


def _ours(meters: list[NvidiaMeter]) -> list[NvidiaMeter]:
    # Inside a container the driver lists other process numbers than ours: then every board counts.
    held = [meter for meter in meters if meter.holds_us()]
    return held or meters


def _load_library() -> Any:
    import pynvml  # noqa: PLC0415  only once a model of ours lies on a board

    return pynvml


def _no_library(error: Exception) -> Unavailable:
    return Unavailable(
        name="nvml",
        reason=f"the NVIDIA driver's library cannot be used: {error}",
        remedy="Install the NVIDIA driver of your system; its package brings libnvidia-ml.",
    )


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name
