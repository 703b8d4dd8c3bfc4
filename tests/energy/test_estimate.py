"""The CPU-time model: watts of a busy core from the machine's facts, always with bounds, never silent about it."""

from dataclasses import replace

import pytest

from jouline.energy.estimate import CpuTimeMeter, core_watts
from jouline.hardware import Hardware
from tests.energy.fakes import FakeClock, Powercap, write

MACHINE = Hardware(
    cpu_name="Some CPU",
    architecture="x86_64",
    cores=8,
    threads=16,
    memory_bytes=2**34,
    memory_free_bytes=2**33,
    gpus=(),
    power="unknown",
    portable=False,
    server=False,
    virtual=False,
)

KINDS = {
    "typical server core": {"cpu_name": "AMD EPYC"},
    "typical laptop core": {"portable": True},
    "typical desktop core": {},
    "typical Apple silicon core": {"cpu_name": "Apple M2", "architecture": "arm64"},
    "typical single-board core": {"architecture": "aarch64", "threads": 4},
    "typical Arm server core": {"architecture": "aarch64", "threads": 64},
}


@pytest.mark.parametrize(("source", "facts"), KINDS.items())
def test_each_kind_of_machine_has_its_own_watts(tmp_path, source, facts):
    """The table is asked by what the machine says of itself, and the interval contains the value."""
    core = core_watts(replace(MACHINE, **facts), tmp_path)
    assert core.source == source
    assert 0 < core.low_w < core.watts < core.high_w


def test_a_virtual_machine_counts_as_a_server(tmp_path):
    """Nobody rents out desktops by the core."""
    assert core_watts(replace(MACHINE, virtual=True), tmp_path).source == "typical server core"


def test_the_machines_own_power_limit_wins_over_the_table(tmp_path):
    """The limit's file is readable by all even where the energy counter is not."""
    powercap = Powercap(tmp_path)
    folder = powercap.zone("intel-rapl:0", "package-0")
    write(folder / "constraint_0_power_limit_uw", "28000000")
    core = core_watts(MACHINE, tmp_path)
    assert core.watts == pytest.approx(3.5)
    assert "28 W over 8 cores" in core.source


def test_a_limit_missing_on_one_socket_is_not_extrapolated(tmp_path):
    """Half of the facts are none."""
    powercap = Powercap(tmp_path)
    write(powercap.zone("intel-rapl:0", "package-0") / "constraint_0_power_limit_uw", "28000000")
    powercap.zone("intel-rapl:1", "package-1")
    assert core_watts(MACHINE, tmp_path).source == "typical desktop core"


def test_the_users_own_figure_wins_over_all(tmp_path):
    """Who measured at the wall knows better."""
    core = core_watts(MACHINE, tmp_path, own_figure_w=7.0)
    assert (core.watts, core.source) == (7.0, "your own figure")


def test_joules_are_busy_seconds_times_watts(tmp_path):
    """The model's meter counts this process alone and calls itself an estimate."""
    clock = FakeClock()
    meter = CpuTimeMeter(core_watts(MACHINE, tmp_path), counted=True, clock=clock)
    start = meter.read()
    clock.passes(10.0, cpu=2.0)
    assert meter.read().joules_total - start.joules_total == pytest.approx(20.0)
    assert meter.method == "estimated"
    assert meter.sharing == "own"
