"""What this machine is: processor, memory, graphics devices, mains or battery.

The only probe. It reads files and asks psutil; it never wakes a sleeping device, and a fact that cannot be read
is None. `JOULINE_SYSFS` names another root for `/sys`.
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

PowerSource = Literal["ac", "battery", "unknown"]
Vendor = Literal["nvidia", "amd", "intel", "apple", "other"]

# PCI vendor numbers; class 0x03 is "display controller" (PCI Code and ID Assignment).
VENDORS: Mapping[str, Vendor] = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}
# SMBIOS 3.x, 7.4.1: portable, laptop, notebook, hand held, sub notebook, tablet, convertible, detachable.
PORTABLE_CHASSIS = frozenset({"8", "9", "10", "11", "14", "30", "31", "32"})
SERVER_CHASSIS = frozenset({"17", "23", "25", "28", "29"})
ON_MAINS = frozenset({"Mains", "USB"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A graphics device as the PCI bus shows it; `asleep` is None where its power state cannot be read."""

    vendor: Vendor
    address: str
    path: Path
    asleep: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """A graphics device's own memory, in bytes."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The machine's facts; None is unknown."""

    cpu_name: str
    architecture: str
    cores: int | None
    threads: int
    memory_bytes: int
    memory_free_bytes: int
    gpus: tuple[Gpu, ...]
    power: PowerSource
    portable: bool
    server: bool
    virtual: bool

    @property
    def threads_per_core(self) -> float:
        """Hardware threads that share one core; 1.0 where the cores cannot be counted."""
        return max(1.0, self.threads / self.cores) if self.cores else 1.0


def sysfs_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where `/sys` is: `JOULINE_SYSFS` where it is set."""
    return Path(environ.get("JOULINE_SYSFS") or "/sys")


def probe(root: Path | None = None) -> Hardware:
    """Look at the machine; never raises. `root` stands for `/sys`."""
    root = root or sysfs_root()
    memory = psutil.virtual_memory()
    name, virtual = _processor()
    chassis = read_text(root / "class/dmi/id/chassis_type")
    return Hardware(
        cpu_name=name,
        architecture=platform.machine(),
        cores=psutil.cpu_count(logical=False),
        threads=psutil.cpu_count() or 1,
        memory_bytes=memory.total,
        memory_free_bytes=memory.available,
        gpus=find_gpus(root),
        power=power_source(root),
        portable=chassis in PORTABLE_CHASSIS or bool(batteries(root)),
        server=chassis in SERVER_CHASSIS,
        virtual=virtual,
    )


def find_gpus(root: Path) -> tuple[Gpu, ...]:
    """List the graphics devices on the PCI bus, without touching any of them."""
    devices = sorted((root / "bus/pci/devices").glob("*"))
    return tuple(gpu for device in devices if (gpu := _gpu(device)) is not None)


def power_source(root: Path) -> PowerSource:
    """Say where the power comes from now: a discharging battery wins over a plugged, too weak charger."""
    if any(read_text(battery / "status") == "Discharging" for battery in batteries(root)):
        return "battery"
    for supply in sorted((root / "class/power_supply").glob("*")):
        if read_text(supply / "type") in ON_MAINS and read_text(supply / "online") == "1":
            return "ac"
    return "unknown" if root != Path("/sys") else _power_of_psutil()


def batteries(root: Path) -> tuple[Path, ...]:
    """List the machine's own batteries; those of mice and keyboards have the scope `Device`."""
    supplies = sorted((root / "class/power_supply").glob("*"))
    return tuple(
        supply
        for supply in supplies
        if read_text(supply / "type") == "Battery" and read_text(supply / "scope") != "Device"
    )


def gpu_memory(gpu: Gpu) -> GpuMemory | None:
    """Return the memory of a device that is awake; None where it sleeps or cannot be asked."""
    if gpu.asleep:
        return None
    return _nvidia_memory(gpu) if gpu.vendor == "nvidia" else _amdgpu_memory(gpu)


def read_text(path: Path) -> str | None:
    """Return a small file's text without the line break; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """Return a small file's whole number; None where it cannot be read or is none."""
    text = read_text(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _gpu(device: Path) -> Gpu | None:
    if not (read_text(device / "class") or "").startswith("0x03"):
        return None
    status = read_text(device / "power/runtime_status")
    return Gpu(
        vendor=VENDORS.get(read_text(device / "vendor") or "", "other"),
        address=device.name,
        path=device,
        asleep=None if status is None else status in {"suspended", "suspending"},
    )


def _processor() -> tuple[str, bool]:
    text = read_text(Path("/proc/cpuinfo")) or ""
    lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines}
    name = facts.get("model name") or facts.get("Model") or platform.processor() or platform.machine()
    return name, "hypervisor" in facts.get("flags", "").split()


def _power_of_psutil() -> PowerSource:
    # psutil has no battery probe on some systems and raises what the platform raises on others.
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):
        return "unknown"
    if battery is None or battery.power_plugged is None:
        return "unknown"
    return "ac" if battery.power_plugged else "battery"


def _amdgpu_memory(gpu: Gpu) -> GpuMemory | None:
    total = read_int(gpu.path / "mem_info_vram_total")
    used = read_int(gpu.path / "mem_info_vram_used")
    if total is None or used is None:
        return None
    return GpuMemory(name=f"{gpu.vendor} {gpu.address}", total_bytes=total, free_bytes=total - used)


def _nvidia_memory(gpu: Gpu) -> GpuMemory | None:
    import pynvml  # noqa: PLC0415  loads the driver's library: only for a device that is awake

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(gpu.address.encode())
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        name = pynvml.nvmlDeviceGetName(handle)
        return GpuMemory(name=str(name), total_bytes=int(memory.total), free_bytes=int(memory.free))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
