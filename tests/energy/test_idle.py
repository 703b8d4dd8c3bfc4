"""Idle power: a low percentile of what was seen lately."""

from hypothesis import given
from hypothesis import strategies as st

from jouline.energy.idle import AGE_LIMIT_S, IdlePower


def test_what_was_seen_long_ago_is_forgotten():
    """A baseline from before lunch says nothing about now."""
    idle = IdlePower()
    idle.add("cpu", 0.0, 5.0)
    assert idle.watts("cpu", AGE_LIMIT_S) == 5.0
    assert idle.watts("cpu", AGE_LIMIT_S + 1) is None


def test_other_programs_bursts_are_no_idling():
    """Nine busy seconds of ten leave the quiet one."""
    idle = IdlePower()
    for second, watts in enumerate([80.0] * 5 + [6.0, 7.0] + [90.0] * 5):
        idle.add("cpu", float(second), watts)
    assert idle.watts("cpu", 12.0) == 7.0


@given(st.lists(st.floats(0.0, 500.0), min_size=1, max_size=50))
def test_it_lies_among_what_was_seen(samples):
    """Never below the least, never above the median."""
    idle = IdlePower()
    for second, watts in enumerate(samples):
        idle.add("cpu", float(second), watts)
    assert min(samples) <= idle.watts("cpu", 60.0) <= sorted(samples)[len(samples) // 2]


def test_each_key_has_its_own():
    """A meter nobody sampled is unknown."""
    idle = IdlePower()
    idle.add(("cpu", "ac"), 0.0, 5.0)
    assert idle.watts(("cpu", "battery"), 1.0) is None
