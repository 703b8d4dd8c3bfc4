"""Counters: wraps are joined, resets and sleeps are breaks, nothing is ever negative."""

from hypothesis import given
from hypothesis import strategies as st

from jouline.energy.counter import GRACE_S, PLAUSIBLE_W, Counter

RANGE = 65_535_999_999  # uJ: a unit of 15.3 uJ
MICRO = 1e-6

PERIODS = st.lists(st.tuples(st.floats(0.001, 30.0), st.floats(0.0, 400.0)), min_size=1, max_size=40)


@given(start=st.integers(0, RANGE), periods=PERIODS)
def test_joins_every_wrap_of_a_plausible_load(start, periods):
    """Whatever the start and the load, the total is the energy that really flowed."""
    counter = Counter(joules_per_unit=MICRO, range_units=RANGE)
    true_uj, now_s = 0, 0.0
    counter.advance(start, now_s, now_s)
    for seconds, watts in periods:
        true_uj += int(seconds * watts * 1e6)
        now_s += seconds
        reading = counter.advance((start + true_uj) % (RANGE + 1), now_s, now_s)
    assert reading.breaks == 0
    assert abs(reading.joules_total - true_uj * MICRO) < 1e-6


@given(
    raws=st.lists(
        st.tuples(st.floats(0.0, 1000.0), st.one_of(st.none(), st.integers(0, 2**40)), st.floats(0.0, 100.0)),
        min_size=2,
        max_size=30,
    ),
    wraps=st.booleans(),
)
def test_any_history_gives_no_negative_and_no_jump(raws, wraps):
    """Resets, losses, sleeps and nonsense: between two readings without a break the step is plausible."""
    counter = Counter(joules_per_unit=MICRO, range_units=RANGE if wraps else None)
    now_s = boot_s = 0.0
    last = None
    for seconds, raw, asleep in raws:
        now_s += seconds
        boot_s += seconds + asleep
        reading = counter.lost(now_s, "gone") if raw is None else counter.advance(raw, now_s, boot_s)
        if last is not None and last.joules_total is not None and reading.joules_total is not None:
            step = reading.joules_total - last.joules_total
            assert 0 <= step <= PLAUSIBLE_W * (seconds + GRACE_S) + 1e-6
        if last is not None and reading.breaks == last.breaks and reading.joules_total is None:
            assert last.joules_total is None
        last = reading


def test_a_reset_is_a_break_and_not_a_wrap():
    """A counter that falls to a small value after little time did not wrap."""
    counter = Counter(joules_per_unit=MICRO, range_units=RANGE)
    counter.advance(30_000_000_000, 0.0, 0.0)
    reading = counter.advance(1_000_000, 1.0, 1.0)
    assert (reading.joules_total, reading.breaks) == (0.0, 1)
    assert "implausible" in reading.why


def test_a_sleep_is_a_break():
    """What a counter did while the machine slept is nobody's guess."""
    counter = Counter(joules_per_unit=MICRO, range_units=RANGE)
    counter.advance(0, 0.0, 0.0)
    reading = counter.advance(5_000_000, 1.0, 3601.0)
    assert reading.breaks == 1
    assert "asleep" in reading.why


def test_too_long_a_gap_is_a_break():
    """Where the counter may have wrapped twice the step is unknown, however small it looks."""
    counter = Counter(joules_per_unit=MICRO, range_units=RANGE)
    counter.advance(0, 0.0, 0.0)
    assert counter.advance(10, 200.0, 200.0).breaks == 1


def test_a_counter_that_names_no_range_cannot_wrap():
    """Without a range a fall is a reset."""
    counter = Counter(joules_per_unit=MICRO)
    counter.advance(100, 0.0, 0.0)
    assert counter.advance(50, 1.0, 1.0).why == "the counter was reset"


def test_goes_on_after_a_break():
    """One bad step does not spoil the next."""
    counter = Counter(joules_per_unit=1.0)
    counter.advance(100, 0.0, 0.0)
    counter.lost(1.0, "no permission")
    first = counter.advance(200, 2.0, 2.0)
    second = counter.advance(230, 3.0, 3.0)
    assert first.breaks == second.breaks == 1
    assert second.joules_total - first.joules_total == 30
