"""Windows' Energy Meter Interface (EMI): the processor's counters, or metering chips, for any user.

A **device** has **channels**, each a name and a count of picowatt-hours since it began. Windows 11 shows the RAPL
counters as channels such as `RAPL_Package0_PKG`; AMD's driver and metering chips have names of their own, so a name
is taken by its whole words, and a channel nobody knows is left out. (Microsoft, emi.h.)
"""

import re
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.counter import Counter
from jouline.energy.reading import Domain, Reading, Sharing, Unavailable

JOULES_PER_UNIT = 3.6e-9  # one picowatt-hour
GET_VERSION, GET_METADATA_SIZE, GET_METADATA, GET_MEASUREMENT = 0x224000, 0x224004, 0x224008, 0x22400C
STEP_S = 0.02  # not documented; shorter windows are left to the CPU-time model
SAMPLE_EVERY_S = 10.0
SAME_COUNTER_J = 0.5  # what a socket may draw between the reads of two channels

_PACKAGE, _MEMORY = frozenset({"pkg", "package", "socket"}), frozenset({"dram"})
_PARTS_OF_A_PACKAGE = frozenset({"pp0", "pp1"})  # power planes: the cores, the graphics unit
# EMI_METADATA_V2: 64 bytes of maker and model, u16 revision, u16 channels; each u32 unit, u16 bytes of name, name.
_V2_COUNT_AT, _V2_CHANNELS_AT, _V2_NAME_AT = 66, 68, 6
# EMI_METADATA_V1: u32 unit, 64 bytes of maker and model, u16 revision, u16 bytes of name, name.
_V1_SIZE_AT, _V1_NAME_AT = 70, 72


class Device(Protocol):
    """One open EMI device."""

    def ask(self, code: int, size: int) -> bytes:
        """Send a control code; returns at most `size` bytes, raises OSError where the device refuses."""

    def close(self) -> None:
        """Close the device."""


class EmiMeter:
    """One channel. Safe to read from several threads."""

    method: Method = "measured"
    sharing: Sharing = "cpu"
    counted = True
    resolution_s = STEP_S
    sample_every_s: float | None = SAMPLE_EVERY_S

    def __init__(self, device: Device, index: int, channels: list[str], clock: Clock) -> None:
        """Read it once; raises OSError or struct.error where the device gives no measurement."""
        self.name = f"emi {channels[index]}"
        self.domain: Domain = domain_of(channels[index]) or "cpu"
        part = "memory" if self.domain == "memory" else "whole processor package"
        self.covers = f"the {part}, all programs"
        self._device = device
        self._index = index
        self._size = 16 * len(channels)
        self._clock = clock
        self._lock = threading.Lock()
        self._counter = Counter(joules_per_unit=JOULES_PER_UNIT)
        start = time.perf_counter()
        self.first_joules = self._raw() * JOULES_PER_UNIT
        self.overhead_s = time.perf_counter() - start

    def read(self) -> Reading:
        """Return the channel's joules since it was opened."""
        with self._lock:
            now_s, boot_s = self._clock.now(), self._clock.awake_and_asleep()
            try:
                raw = self._raw()
            except (OSError, struct.error):
                return self._counter.lost(now_s, f"{self.name} cannot be read any more")
            return self._counter.advance(raw, now_s, boot_s)

    def close(self) -> None:
        """Close the device, which the other channels share: a later read of any gives None."""
        with self._lock:
            self._device.close()

    def _raw(self) -> int:
        # EMI_CHANNEL_MEASUREMENT_DATA: u64 energy, u64 time.
        return int(struct.unpack_from("<Q", self._device.ask(GET_MEASUREMENT, self._size), 16 * self._index)[0])


def open_emi(
    clock: Clock, devices: Callable[[], Iterable[Device]] | None = None, system: str = sys.platform
) -> tuple[list[EmiMeter], list[Unavailable]]:
    """Open the package and memory channels of every device; nothing on other systems."""
    if system != "win32":
        return [], []
    meters: list[EmiMeter] = []
    try:
        for device in (devices or _system_devices)():
            meters.extend(_channels(device, clock))
    except (OSError, struct.error, ValueError) as error:
        return [], [Unavailable(name="emi", reason=f"the energy meter cannot be read: {error}")]
    if not meters:
        return [], [Unavailable(name="emi", reason="no energy meter (a virtual machine, or Windows 10 without one)")]
    return _without_mirrors(meters), []


def channel_names(version: int, metadata: bytes) -> list[str]:
    """Return the channels' names; raises ValueError for a version that is not known, struct.error for too few bytes."""
    if version == 1:
        (size,) = struct.unpack_from("<H", metadata, _V1_SIZE_AT)
        return [_text(metadata[_V1_NAME_AT : _V1_NAME_AT + size])]
    if version != 2:
        raise ValueError(f"EMI version {version} is not known")
    (count,) = struct.unpack_from("<H", metadata, _V2_COUNT_AT)
    names, at = [], _V2_CHANNELS_AT
    for _ in range(count):
        (size,) = struct.unpack_from("<H", metadata, at + 4)
        names.append(_text(metadata[at + _V2_NAME_AT : at + _V2_NAME_AT + size]))
        at += _V2_NAME_AT + size
    return names


def domain_of(channel: str) -> Domain | None:
    """Return what a channel covers by the whole words of its name; None where it is a part of something else."""
    numbered = set(re.findall(r"[a-z0-9]+", channel.lower()))
    words = {word.rstrip("0123456789") for word in numbered}
    if words & _MEMORY:
        return "memory"
    return "cpu" if words & _PACKAGE and not numbered & _PARTS_OF_A_PACKAGE else None


def _channels(device: Device, clock: Clock) -> list[EmiMeter]:
    (version,) = struct.unpack("<H", device.ask(GET_VERSION, 2))
    (size,) = struct.unpack("<L", device.ask(GET_METADATA_SIZE, 4))
    names = channel_names(version, device.ask(GET_METADATA, size))
    return [EmiMeter(device, index, names, clock) for index, name in enumerate(names) if domain_of(name)]


def _without_mirrors(meters: list[EmiMeter]) -> list[EmiMeter]:
    """Leave out channels that show another one's counter: the dies of some processors do."""
    kept: list[EmiMeter] = []
    for meter in meters:
        if not any(_mirrors(meter, other) for other in kept):
            kept.append(meter)
    return kept


def _mirrors(meter: EmiMeter, other: EmiMeter) -> bool:
    close = abs(meter.first_joules - other.first_joules) <= SAME_COUNTER_J
    return meter.domain == other.domain and meter.first_joules > 0 and close


def _text(raw: bytes) -> str:
    return raw.decode("utf-16-le", errors="replace").partition("\0")[0]


def _system_devices() -> Iterable[Device]:
    from jouline.energy.emi_device import open_devices  # noqa: PLC0415  loads Windows' own libraries

    return open_devices()
