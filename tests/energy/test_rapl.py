"""RAPL through fake powercap trees: sockets, dies, memory, platform, mirrors, refusals."""

import pytest

from jouline.energy.rapl import READABLE_BY_GROUP, _unavailable, find_zones, open_rapl
from tests.energy.fakes import RANGE_UJ, FakeClock, Powercap


@pytest.fixture
def powercap(tmp_path):
    """Give an empty powercap tree."""
    return Powercap(tmp_path)


def opened(powercap):
    """Open what a tree shows."""
    return open_rapl(powercap.root, FakeClock())


def test_takes_exactly_one_level(powercap):
    """Cores and the graphics unit lie inside the package: they are not read beside it."""
    powercap.zone("intel-rapl:0", "package-0")
    powercap.zone("intel-rapl:0:0", "core")
    powercap.zone("intel-rapl:0:1", "uncore")
    powercap.zone("intel-rapl:0:2", "dram")
    meters, refused = opened(powercap)
    assert [(meter.name, meter.domain, meter.counted) for meter in meters] == [
        ("rapl package-0", "cpu", True),
        ("rapl dram (package-0)", "memory", True),
    ]
    assert refused == []


def test_counts_every_socket_and_die(powercap):
    """Two sockets of two dies are four counters, numbered in order past ten."""
    for index, name in enumerate(["package-0-die-0", "package-0-die-1", "package-1-die-0", "package-1-die-1"]):
        powercap.zone(f"intel-rapl:{index * 4}", name, joules=100.0 * (index + 1))
    meters, _ = opened(powercap)
    assert [meter.name for meter in meters] == [
        "rapl package-0-die-0",
        "rapl package-0-die-1",
        "rapl package-1-die-0",
        "rapl package-1-die-1",
    ]
    assert all(meter.counted for meter in meters)


def test_dies_that_show_their_sockets_one_counter_count_once(powercap):
    """Some processors mirror the socket's counter on every die; adding them would multiply it."""
    for index, (name, joules) in enumerate(
        [("package-0-die-0", 70.0), ("package-0-die-1", 70.1), ("package-1-die-0", 70.0), ("package-1", 70.0)]
    ):
        powercap.zone(f"intel-rapl:{index}", name, joules=joules)
    meters, _ = opened(powercap)
    assert [meter.name for meter in meters] == ["rapl package-0-die-0", "rapl package-1-die-0", "rapl package-1"]


def test_platform_is_shown_beside_packages_and_counted_without_them(powercap):
    """The platform contains the packages, so it is in the sum only where they are not."""
    powercap.zone("intel-rapl:1", "psys")
    alone, _ = opened(powercap)
    assert [(meter.domain, meter.counted) for meter in alone] == [("machine", True)]
    powercap.zone("intel-rapl:0", "package-0")
    both, _ = opened(powercap)
    assert {meter.name: meter.counted for meter in both} == {"rapl package-0": True, "rapl psys": False}


def test_a_package_seen_through_two_doors_counts_once(powercap):
    """intel-rapl-mmio mirrors the package; it serves where the first door is shut."""
    powercap.zone("intel-rapl-mmio:0", "package-0")
    powercap.zone("intel-rapl:0", "package-0")
    meters, _ = opened(powercap)
    assert [str(meter._path) for meter in meters] == [str(powercap.root / "class/powercap/intel-rapl:0/energy_uj")]
    powercap.refuse("intel-rapl:0")
    mirrored, refused = opened(powercap)
    assert "mmio" in str(mirrored[0]._path)
    assert [each.name for each in refused] == ["rapl package-0"]


def test_reads_joules_across_a_wrap(powercap):
    """The counter starts again at zero; the joules do not."""
    clock = FakeClock()
    powercap.zone("intel-rapl:0", "package-0", joules=RANGE_UJ * 1e-6 - 10)
    (meter,), _ = open_rapl(powercap.root, clock)
    start = meter.read()
    clock.passes(1.0)
    powercap.add("intel-rapl:0", 45.0)
    end = meter.read()
    assert end.joules_total - start.joules_total == pytest.approx(45.0, abs=1e-4)
    assert end.breaks == start.breaks


def test_a_counter_that_goes_away_is_unknown_and_may_come_back(powercap):
    """Lost permission gives None with a reason, then a break, never a number across the gap."""
    clock = FakeClock()
    folder = powercap.zone("intel-rapl:0", "package-0")
    (meter,), _ = open_rapl(powercap.root, clock)
    before = meter.read()
    (folder / "energy_uj").write_text("")
    clock.passes(1.0)
    lost = meter.read()
    assert lost.joules_total is None
    assert "cannot be read any more" in lost.why
    powercap.set("intel-rapl:0", 500.0)
    after = meter.read()
    assert after.joules_total is not None
    assert after.breaks > before.breaks


def test_a_closed_meter_reads_nothing(powercap):
    """After close the device is left alone."""
    powercap.zone("intel-rapl:0", "package-0")
    (meter,), _ = opened(powercap)
    meter.close()
    assert meter.read().joules_total is None


def test_refused_permission_comes_with_the_remedy(powercap):
    """The reason is the kernel's rule, and the remedy a text to copy that names a group, not everybody."""
    powercap.zone("intel-rapl:0", "package-0")
    (zone,) = find_zones(powercap.root)
    refused = _unavailable(zone, PermissionError(13, "Permission denied"))
    assert refused.reason == "its file is readable by root alone"
    assert refused.remedy == READABLE_BY_GROUP
    assert "0440 root energy" in refused.remedy
    assert "sudo" not in refused.remedy


@pytest.mark.parametrize("content", ["", "nonsense", "12.5.1"])
def test_a_counter_that_holds_no_number_is_unavailable(powercap, content):
    """Nonsense in the file is a reason, not a zero."""
    folder = powercap.zone("intel-rapl:0", "package-0")
    (folder / "energy_uj").write_text(content)
    meters, refused = opened(powercap)
    assert meters == []
    assert refused[0].reason == "its file holds no number"


def test_no_tree_is_one_plain_reason(tmp_path):
    """The normal state of a virtual machine."""
    meters, (refused,) = open_rapl(tmp_path, FakeClock())
    assert meters == []
    assert "virtual machine" in refused.reason


def test_an_unreadable_range_still_gives_forward_steps(powercap):
    """Without max_energy_range_uj only a fall is unknown."""
    clock = FakeClock()
    powercap.zone("intel-rapl:0", "package-0", range_uj=None)
    (meter,), _ = open_rapl(powercap.root, clock)
    meter.read()
    clock.passes(1.0)
    powercap.add("intel-rapl:0", 20.0)
    assert meter.read().breaks == 0
    powercap.set("intel-rapl:0", 0.0)
    clock.passes(1.0)
    assert meter.read().breaks == 1
