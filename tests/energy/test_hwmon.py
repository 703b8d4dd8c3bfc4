"""AMD and Intel boards through fake sensors."""

import pytest

from jouline.energy.hwmon import open_hwmon
from jouline.energy.meter import open_meters
from jouline.hardware import find_gpus
from tests.energy.fakes import FakeClock, tree, write

PCI = "bus/pci/devices/0000:03:00.0/"
AMD = {"class": "0x030000", "vendor": "0x1002", "power/runtime_status": "active"}


def machine(root, files):
    """Write a board's files; returns what opening its sensors gives, and the clock."""
    tree(root, {PCI + name: text for name, text in files.items()})
    clock = FakeClock()
    return (*open_hwmon(find_gpus(root), clock), clock)


def test_integrates_power(tmp_path):
    """Microwatts at 10 Hz become joules."""
    (meter,), _, clock = machine(tmp_path, AMD | {"hwmon/hwmon3/power1_average": "50000000"})
    start = meter.read()
    for _ in range(10):
        clock.passes(0.1)
        end = meter.read()
    assert end.joules_total - start.joules_total == pytest.approx(50.0)


def test_a_counter_is_preferred_to_power(tmp_path):
    """Microjoules need no integration."""
    sensors = {"hwmon/hwmon3/power1_input": "1", "hwmon/hwmon3/energy1_input": "1000000"}
    (meter,), _, clock = machine(tmp_path, AMD | {"vendor": "0x8086"} | sensors)
    start = meter.read()
    write(tmp_path / PCI / "hwmon/hwmon3/energy1_input", "8000000")
    clock.passes(1.0)
    assert meter.read().joules_total - start.joules_total == pytest.approx(7.0)


def test_graphics_inside_the_processors_package_is_not_counted_twice(tmp_path):
    """A northbridge voltage tells the chip that holds both."""
    sensors = {"hwmon/hwmon3/power1_average": "50000000", "hwmon/hwmon3/in1_input": "900"}
    meters, refused, _ = machine(tmp_path, AMD | sensors)
    assert (meters, refused) == ([], [])


def test_a_sleeping_board_is_not_touched(tmp_path):
    """Its sensors would wake it."""
    files = AMD | {"power/runtime_status": "suspended", "hwmon/hwmon3/power1_average": "1"}
    assert machine(tmp_path, files)[0] == []


def test_a_sensor_that_holds_nothing_is_unavailable(tmp_path):
    """With a reason."""
    meters, (refused,), _ = machine(tmp_path, AMD | {"hwmon/hwmon3/power1_average": ""})
    assert meters == []
    assert "holds no number" in refused.reason


def test_a_sensor_that_goes_away_is_unknown(tmp_path):
    """A board off the bus is no zero."""
    (meter,), _, clock = machine(tmp_path, AMD | {"hwmon/hwmon3/power1_average": "50000000"})
    meter.read()
    (tmp_path / PCI / "hwmon/hwmon3/power1_average").unlink()
    clock.passes(0.1)
    assert meter.read().joules_total is None


def test_boards_are_read_only_while_a_model_lies_on_one(tmp_path):
    """Before, the reason says so; after, the board is a meter that bounds our share from above."""
    tree(tmp_path, {PCI + name: text for name, text in AMD.items()} | {PCI + "hwmon/hwmon3/power1_average": "1"})
    with open_meters(tmp_path, {}, FakeClock(), sampling=False) as meters:
        (closed,) = [each for each in meters.unavailable if each.name.startswith("hwmon")]
        assert "only while a model lies on the board" in closed.reason
        meters.use_gpu(True)
        assert "hwmon amd 0000:03:00.0" in [meter.name for meter in meters.all]
        meters.use_gpu(False)
        assert "hwmon amd 0000:03:00.0" not in [meter.name for meter in meters.all]
