"""Batteries: a bound while discharging, silent otherwise."""

import pytest

from jouline.energy.battery import open_batteries
from tests.energy.fakes import FakeClock, tree, write

BAT = "class/power_supply/BAT0/"


def test_falling_charge_is_rising_joules(tmp_path):
    """One watt-hour less in the battery is 3600 J."""
    tree(tmp_path, {BAT + "type": "Battery", BAT + "status": "Discharging", BAT + "energy_now": "40000000"})
    clock = FakeClock()
    (meter,), _ = open_batteries(tmp_path, clock)
    start = meter.read()
    write(tmp_path / BAT / "energy_now", "39000000")
    clock.passes(600.0)
    assert meter.read().joules_total - start.joules_total == pytest.approx(3600.0)
    assert not meter.counted


def test_charge_times_voltage_serves_where_there_is_no_energy(tmp_path):
    """Some drivers show uAh and uV."""
    files = {"type": "Battery", "status": "Discharging", "charge_now": "4000000", "voltage_now": "12000000"}
    tree(tmp_path, {BAT + name: text for name, text in files.items()})
    clock = FakeClock()
    (meter,), _ = open_batteries(tmp_path, clock)
    start = meter.read()
    write(tmp_path / BAT / "charge_now", "3900000")
    clock.passes(900.0)
    assert meter.read().joules_total - start.joules_total == pytest.approx(0.1 * 12 * 3600)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_says_nothing_unless_it_discharges(tmp_path, status):
    """A charging battery's energy is not the machine's."""
    tree(tmp_path, {BAT + "type": "Battery", BAT + "status": status, BAT + "energy_now": "40000000"})
    (meter,), _ = open_batteries(tmp_path, FakeClock())
    assert meter.read().joules_total is None


def test_a_battery_without_energy_is_unavailable(tmp_path):
    """Only a capacity in percent is no energy."""
    tree(tmp_path, {BAT + "type": "Battery", BAT + "status": "Discharging", BAT + "capacity": "80"})
    meters, (refused,) = open_batteries(tmp_path, FakeClock())
    assert meters == []
    assert refused.name == "battery BAT0"
