"""Recorded meters behave like counters."""

import pytest

from jouline.energy.replay import ReplayMeter
from jouline.errors import MeterError
from tests.energy.fakes import FakeClock


def test_replays_steps_and_gaps(tmp_path):
    """Between rows the counter stands still; an empty field is a break."""
    file = tmp_path / "run.csv"
    file.write_text("seconds,joules\n0,10\n1,15\n2,\n3,40\n")
    clock = FakeClock()
    meter = ReplayMeter(file, clock=clock)
    seen = []
    for _ in range(4):
        reading = meter.read()
        seen.append((reading.joules_total, reading.breaks))
        clock.passes(1.0)
    assert seen == [(10.0, 0), (15.0, 0), (None, 1), (40.0, 1)]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "seconds,joules\nx,1\n", "seconds,joules\n1\n,,\n"])
def test_what_is_no_recording_is_refused(tmp_path, text):
    """One sentence with the columns that are needed."""
    file = tmp_path / "run.csv"
    file.write_text(text)
    with pytest.raises(MeterError, match="seconds,joules"):
        ReplayMeter(file, clock=FakeClock())


def test_a_missing_recording_is_refused(tmp_path):
    """The file's name is in the sentence."""
    with pytest.raises(MeterError, match=r"none\.csv"):
        ReplayMeter(tmp_path / "none.csv", clock=FakeClock())
