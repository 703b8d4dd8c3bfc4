"""AMD and Intel graphics boards through hwmon, the kernel's sensors.

`energy1_input` (uJ) counts energy, `power1_average` or `power1_input` (uW) is power, which is integrated at 10 Hz
(Linux, Documentation/hwmon/sysfs-interface.rst; Documentation/gpu/amdgpu/thermal.rst). An AMD chip that holds
processor and graphics shows the power of the whole package: it is told by its northbridge voltage, `in1_input`, and
left out, because the processor's counter includes it.
"""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.power import STEP_S, PowerIntegral
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable
from jouline.hardware import Gpu, read_int

MICRO = 1e-6
PLAUSIBLE_W = 2000.0
ENERGY_STEP_S = 0.1
ENERGY_SAMPLE_EVERY_S = 10.0
POWER_FILES = ("power1_average", "power1_input")


class HwmonMeter:
    """One board's joules. Who else uses the board is not known, so its number is an upper bound of ours."""

    method: Method = "attributed"
    domain: Domain = "gpu"
    sharing: Sharing = "gpu"
    counted = True

    def __init__(self, gpu: Gpu, file: Path, clock: Clock) -> None:
        """Read the sensor's file once; raises OSError where it holds no number."""
        self._by_energy = file.name.startswith("energy")
        way = "energy counter" if self._by_energy else "power samples"
        self.name = f"hwmon {gpu.vendor} {gpu.address}"
        self.covers = f"the whole board, all programs ({way})"
        self.resolution_s = ENERGY_STEP_S if self._by_energy else STEP_S
        self.sample_every_s: float | None = ENERGY_SAMPLE_EVERY_S if self._by_energy else STEP_S
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(joules_per_unit=MICRO, plausible_w=PLAUSIBLE_W)
        self._integral = PowerIntegral(plausible_w=PLAUSIBLE_W)
        start = time.perf_counter()
        if read_int(file) is None:
            raise OSError(f"{file.name} holds no number")
        self.overhead_s = time.perf_counter() - start

    def read(self) -> Reading:
        """Return the board's joules since it was opened."""
        with self._lock:
            now_s, boot_s = self._clock.now(), self._clock.awake_and_asleep()
            raw = read_int(self._file)
            if raw is None:
                way = self._counter if self._by_energy else self._integral
                return way.lost(now_s, f"{self.name} cannot be read any more")
            if self._by_energy:
                return self._counter.advance(raw, now_s, boot_s)
            return self._integral.advance(raw * MICRO, now_s, boot_s)

    def close(self) -> None:
        """Nothing is open."""


def open_hwmon(gpus: Iterable[Gpu], clock: Clock) -> tuple[list[HwmonMeter], list[Unavailable]]:
    """Open the sensors of every AMD and Intel board that is awake."""
    meters: list[HwmonMeter] = []
    refused: list[Unavailable] = []
    for gpu in gpus:
        if gpu.vendor not in {"amd", "intel"} or gpu.asleep:
            continue
        try:
            meters.extend(HwmonMeter(gpu, file, clock) for file in _sensors(gpu)[:1])
        except OSError as error:
            refused.append(Unavailable(name=f"hwmon {gpu.vendor} {gpu.address}", reason=str(error)))
    return meters, refused


def _sensors(gpu: Gpu) -> list[Path]:
    """List the board's usable sensors, the best first; none where it shares the processor's package."""
    folders = sorted((gpu.path / "hwmon").glob("hwmon*"))
    if any((folder / "in1_input").exists() for folder in folders):
        return []
    names = ("energy1_input", *POWER_FILES)
    return [folder / name for name in names for folder in folders if (folder / name).exists()]
