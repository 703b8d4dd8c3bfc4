"""The learning rate is constant, then falls straight to nothing at the end."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.lab.pair import schedule
from jouline.lab.pair.schedule import Deadline

END = datetime(2026, 1, 1, 12, 0)  # noqa: DTZ001 - local time of day
RUN = Deadline(end=END, cooldown_minutes=40)


@pytest.mark.parametrize(
    ("minutes_before", "factor"), [(90, 1.0), (40, 1.0), (30, 0.75), (10, 0.25), (0, 0.0), (-5, 0.0)]
)
def test_the_factor_at_a_time(minutes_before: float, factor: float) -> None:
    """One until the cool-down, nothing from the end on."""
    assert factor == pytest.approx(RUN.factor(END - timedelta(minutes=minutes_before)))


@given(a=st.floats(-100, 100), b=st.floats(-100, 100))
def test_the_factor_never_rises(a: float, b: float) -> None:
    """Later is never faster."""
    early, late = sorted((a, b))
    assert RUN.factor(END + timedelta(minutes=early)) >= RUN.factor(END + timedelta(minutes=late))


def test_a_deadline_survives_its_file(tmp_path: Path) -> None:
    """What is written is read again; a file that is missing or half written is no deadline."""
    path = tmp_path / "deadline.json"
    assert schedule.read(path) is None
    schedule.write(RUN, path)
    assert schedule.read(path) == RUN
    path.write_text(path.read_text("utf-8")[:20], "utf-8")
    assert schedule.read(path) is None
