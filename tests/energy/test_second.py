"""Second readings: what they read between begin and end, and why one is missing."""

import os

import pytest

from jouline.energy.meter import open_meters
from jouline.energy.nvml import Nvidia
from jouline.energy.second import BoardPower, Counters, ProcessTicks, find_seconds, gross
from tests.energy.fakes import FakeClock, FakeNvml, Powercap, board


class Counted:
    """A counter that shows what it is told; None is a failed read."""

    def __init__(self, joules):
        self.joules = joules
        self.closed = False

    def read(self):
        from jouline.energy.reading import Reading

        return Reading(self.joules, 0.0)

    def close(self):
        self.closed = True


def test_other_counters_are_subtracted_and_closed():
    """The sum over all packages between the two moments."""
    packages = [Counted(100.0), Counted(50.0)]
    second = Counters("perf power events", "processor package", packages)
    second.begin()
    packages[0].joules, packages[1].joules = 130.0, 55.0
    assert second.end() == pytest.approx(35.0)
    assert all(package.closed for package in packages)


def test_a_counter_that_cannot_be_read_is_no_reading():
    """Unknown, not what the others show."""
    assert gross([Counted(1.0), Counted(None)]) is None
    second = Counters("perf power events", "processor package", [Counted(None)])
    second.begin()
    assert second.end() is None


def test_a_boards_power_is_integrated():
    """100 W for a second, then 300 W: trapezoids over the samples taken."""
    clock, watts = FakeClock(), [100.0]
    second = BoardPower(lambda: watts[0], clock)
    start = second.sample()
    clock.passes(1.0)
    middle = second.sample()
    watts[0] = 300.0
    clock.passes(1.0)
    assert middle - start == pytest.approx(100.0)
    assert second.sample() - middle == pytest.approx(200.0)


@pytest.mark.parametrize("trouble", ["error", "gap"])
def test_a_board_that_stops_answering_has_no_reading(trouble):
    """A failed sample or a gap too long for a straight line makes the whole reading unknown."""
    clock, answers = FakeClock(), [100.0]

    def watts():
        if not answers:
            raise RuntimeError("the driver is gone")
        return answers[0]

    second = BoardPower(watts, clock)
    second.begin()
    if trouble == "error":
        answers.clear()
    clock.passes(60.0 if trouble == "gap" else 0.1)
    assert second.end() is None


def test_the_process_table_counts_this_process():
    """Work of ours shows, in the system's ticks."""
    second = ProcessTicks()
    second.begin()
    sum(number * number for number in range(3_000_000))
    assert second.end() > 0


def test_what_cannot_be_compared_is_named_with_the_reason(tmp_path):
    """A machine without counters: processor time alone can be held against another reading."""
    with open_meters(tmp_path, {}, FakeClock(), sampling=False) as meters:
        found, missing = find_seconds(meters, tmp_path)
    assert [second.compares for second in found][:1] == ["processor time"]
    assert {"perf power events", "NVML power, integrated"} <= {each.name for each in missing}
    assert all(each.reason for each in missing)


def test_a_board_with_our_model_is_compared_by_its_power(tmp_path):
    """The very boards that are counted, by power beside the counter."""
    clock = FakeClock()
    Powercap(tmp_path).zone("intel-rapl:0", "package-0")
    nvidia = Nvidia(clock, load=lambda: FakeNvml(board(watts=60.0, pids=[os.getpid()]), board(watts=500.0, pids=[1])))
    with open_meters(tmp_path, {}, clock, nvidia, sampling=False) as meters:
        meters.use_gpu(True)
        found, _ = find_seconds(meters, tmp_path)
        (power,) = [second for second in found if second.compares == "graphics board"]
        assert power._watts() == pytest.approx(60.0)
