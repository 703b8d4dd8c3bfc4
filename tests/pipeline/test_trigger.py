"""The rhythm of typing, and how long a request waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.places import place

from jouline.pipeline.trigger import LONGEST_MS, USUAL_GAP_MS, Keystrokes, wait_ms

GAPS = st.lists(st.floats(1.0, 5_000.0), min_size=1, max_size=150)


@given(gaps=GAPS)
def test_the_usual_gap_is_one_of_typing(gaps):
    """It is known after ten gaps of less than a second, and lies among those."""
    keys, now = Keystrokes(), 0.0
    keys.changed(now, written="a")
    for gap in gaps:
        now += gap
        keys.changed(now, written="a")
    typed = [gap for gap in gaps if gap < 999.9]
    assert keys.last_gap_ms == pytest.approx(gaps[-1], abs=1e-6)
    if len(typed) < 9:
        assert keys.usual_gap_ms is None
    if keys.usual_gap_ms is not None:
        assert min(typed) - 1e-6 <= keys.usual_gap_ms <= max(typed) + 1e-6


def test_deletions_and_insertions_of_whole_texts_are_no_rhythm():
    """What the editor or an accepted suggestion writes at once, and what is taken away, is not typing."""
    keys = Keystrokes()
    for number in range(40):
        keys.changed(number * 10.0, written="accepted text")
        keys.changed(number * 10.0 + 5.0, deleted=True)
    assert keys.usual_gap_ms is None
    assert keys.deleted
    keys.changed(1_000.0, written="a", deleted=True)  # typed over a selection
    assert not keys.deleted


def test_a_promising_place_does_not_wait():
    """Nothing waits where the gate says so, where no gate is trained, where one asks by hand or waives the gate."""
    request = place("x = $0\n", usual_gap_ms=180.0)
    assert wait_ms(request, at_once=True) == 0.0
    assert wait_ms(request, at_once=None) == 0.0
    assert wait_ms(place("x = $0\n", trigger="invoked"), at_once=False) == 0.0
    assert wait_ms(place("x = $0\n", gate=False), at_once=False) == 0.0


@given(usual=st.none() | st.floats(1.0, 999.0), factor=st.floats(1.0, 4.0))
def test_other_places_wait_for_a_pause_in_this_person_s_typing(usual, factor):
    """The wait follows the person's usual gap, is longer on battery, and never longer than a second."""
    request = place("x = $0\n", usual_gap_ms=usual)
    wait = wait_ms(request, at_once=False, factor=factor)
    assert wait >= wait_ms(request, at_once=False)
    assert min(LONGEST_MS, usual or USUAL_GAP_MS) <= wait <= LONGEST_MS
