"""The probe: facts of fake machines, and nothing raised on this one."""

import pytest

from jouline.hardware import find_gpus, gpu_memory, power_source, probe, sysfs_root
from tests.energy.fakes import tree

SUPPLY = "class/power_supply/"
PCI = "bus/pci/devices/"


def test_this_machine_has_processors_and_memory():
    """Whatever it is."""
    machine = probe()
    assert machine.threads >= 1
    assert 0 < machine.memory_free_bytes <= machine.memory_bytes
    assert machine.cpu_name
    assert machine.threads_per_core >= 1.0


def test_the_root_of_sysfs_can_be_moved(tmp_path):
    """JOULINE_SYSFS is for tests; empty means none."""
    assert sysfs_root({"JOULINE_SYSFS": str(tmp_path)}) == tmp_path
    assert str(sysfs_root({})) == str(sysfs_root({"JOULINE_SYSFS": ""})) == "/sys"


SOURCES = [
    ({"AC/type": "Mains", "AC/online": "1"}, "ac"),
    ({"AC/type": "Mains", "AC/online": "0", "BAT0/type": "Battery", "BAT0/status": "Discharging"}, "battery"),
    ({"AC/type": "Mains", "AC/online": "1", "BAT0/type": "Battery", "BAT0/status": "Discharging"}, "battery"),
    ({"AC/type": "USB", "AC/online": "1", "BAT0/type": "Battery", "BAT0/status": "Charging"}, "ac"),
    (
        {"m/type": "Battery", "m/scope": "Device", "m/status": "Discharging", "AC/type": "Mains", "AC/online": "1"},
        "ac",
    ),
    ({}, "unknown"),
]


@pytest.mark.parametrize(("files", "expected"), SOURCES)
def test_tells_mains_from_battery(tmp_path, files, expected):
    """A battery that empties wins; the mouse's battery does not count."""
    tree(tmp_path, {SUPPLY + name: text for name, text in files.items()})
    assert power_source(tmp_path) == expected


def test_a_machine_with_its_own_battery_is_portable(tmp_path):
    """The chassis says so, or the battery does."""
    assert not probe(tmp_path / "none").portable
    tree(tmp_path / "a", {"class/dmi/id/chassis_type": "10"})
    tree(tmp_path / "b", {SUPPLY + "BAT0/type": "Battery"})
    assert probe(tmp_path / "a").portable
    assert probe(tmp_path / "b").portable
    tree(tmp_path / "c", {"class/dmi/id/chassis_type": "23"})
    assert probe(tmp_path / "c").server


def test_finds_graphics_devices_and_whether_they_sleep(tmp_path):
    """Only display controllers; an unreadable power state is unknown, not awake."""
    devices = {
        "0000:00:1f.0": {"class": "0x060100", "vendor": "0x8086"},
        "0000:01:00.0": {"class": "0x030200", "vendor": "0x10de", "power/runtime_status": "suspended"},
        "0000:02:00.0": {"class": "0x030000", "vendor": "0x1002", "power/runtime_status": "active"},
        "0000:03:00.0": {"class": "0x038000", "vendor": "0x8086"},
    }
    tree(tmp_path, {f"{PCI}{address}/{name}": text for address, of in devices.items() for name, text in of.items()})
    found = [(gpu.vendor, gpu.asleep) for gpu in find_gpus(tmp_path)]
    assert found == [("nvidia", True), ("amd", False), ("intel", None)]


def test_a_sleeping_board_is_not_asked_for_its_memory(tmp_path):
    """Asking would wake it."""
    files = {"class": "0x030200", "vendor": "0x10de", "power/runtime_status": "suspended"}
    tree(tmp_path, {f"{PCI}0000:01:00.0/{name}": text for name, text in files.items()})
    (gpu,) = find_gpus(tmp_path)
    assert gpu_memory(gpu) is None


def test_reads_the_memory_of_an_amd_board(tmp_path):
    """Total less used, in bytes."""
    files = {"class": "0x030000", "vendor": "0x1002", "mem_info_vram_total": "8000", "mem_info_vram_used": "3000"}
    tree(tmp_path, {f"{PCI}0000:01:00.0/{name}": text for name, text in files.items()})
    (gpu,) = find_gpus(tmp_path)
    memory = gpu_memory(gpu)
    assert (memory.total_bytes, memory.free_bytes) == (8000, 5000)
