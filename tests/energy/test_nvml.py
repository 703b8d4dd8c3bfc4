"""NVIDIA boards through a fake driver library: counters, power, refusals, and who holds the board."""

import os

import pytest

from jouline.energy.nvml import Nvidia
from tests.energy.fakes import FakeClock, FakeNvml, board


def opened(library, clock=None):
    """Open the boards of a fake library."""
    return Nvidia(clock or FakeClock(), load=lambda: library).open()


def test_reads_the_energy_counter_in_joules():
    """The driver counts millijoules since it was loaded; only the step matters."""
    clock, device = FakeClock(), board(joules=5000.0, pids=[os.getpid()])
    (meter,), _ = opened(FakeNvml(device), clock)
    start = meter.read()
    device.joules += 12.5
    clock.passes(0.5)
    assert meter.read().joules_total - start.joules_total == pytest.approx(12.5)
    assert meter.method == "measured"


def test_integrates_power_where_there_is_no_counter():
    """NOT_SUPPORTED for energy: trapezoids over power samples."""
    clock, device = FakeClock(), board(joules=None, watts=100.0)
    (meter,), _ = opened(FakeNvml(device), clock)
    start = meter.read()
    for watts in (100.0, 200.0):
        device.watts = watts
        clock.passes(0.1)
        end = meter.read()
    assert end.joules_total - start.joules_total == pytest.approx(10.0 + 15.0)
    assert meter.sample_every_s == 0.1


def test_a_gap_between_power_samples_is_unknown():
    """Two seconds without a sample cannot be bridged by a straight line."""
    clock, device = FakeClock(), board(joules=None, watts=100.0)
    (meter,), _ = opened(FakeNvml(device), clock)
    start = meter.read()
    clock.passes(60.0)
    assert meter.read().breaks > start.breaks


def test_a_board_that_offers_nothing_is_unavailable():
    """Neither energy nor power: a reason, and the other board goes on."""
    meters, refused = opened(FakeNvml(board(joules=None, watts=None), board()))
    assert [meter.name for meter in meters] == ["nvml gpu 1"]
    assert [each.name for each in refused] == ["nvml gpu 0"]


def test_a_missing_library_is_unavailable():
    """No driver: one reason and one remedy."""
    meters, (refused,) = opened(FakeNvml(present=False))
    assert meters == []
    assert "driver" in refused.remedy


def test_a_library_that_cannot_even_be_imported_is_unavailable():
    """The module may be missing or broken; nothing is raised."""

    def load():
        raise ImportError("no module")

    meters, refused = Nvidia(FakeClock(), load=load).open()
    assert (meters, len(refused)) == ([], 1)


def test_counts_only_the_board_that_holds_us():
    """A second board that other people use is not ours."""
    meters, _ = opened(FakeNvml(board(pids=[1]), board(pids=[os.getpid()])))
    assert [meter.name for meter in meters] == ["nvml gpu 1"]


def test_beside_other_programs_the_number_is_not_called_measured():
    """What others draw on the same board is in the number."""
    (meter,), _ = opened(FakeNvml(board(pids=[os.getpid(), 4711])))
    assert meter.method == "attributed"


def test_a_driver_reload_is_a_break():
    """The counter starts again at zero; that is no negative energy."""
    clock, device = FakeClock(), board(joules=5000.0)
    (meter,), _ = opened(FakeNvml(device), clock)
    start = meter.read()
    device.joules = 3.0
    clock.passes(1.0)
    end = meter.read()
    assert end.breaks > start.breaks
    assert end.joules_total >= start.joules_total


def test_an_error_while_reading_is_unknown():
    """A board that falls off the bus gives None with a reason."""
    device = board()
    (meter,), _ = opened(FakeNvml(device))
    device.joules = None
    reading = meter.read()
    assert reading.joules_total is None
    assert "cannot be read any more" in reading.why


def test_closing_lets_the_boards_sleep():
    """No handle stays open."""
    library = FakeNvml(board())
    nvidia = Nvidia(FakeClock(), load=lambda: library)
    nvidia.open()
    assert library.open == 1
    nvidia.close()
    assert library.open == 0
