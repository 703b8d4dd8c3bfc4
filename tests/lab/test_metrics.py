"""Metrics of curves: against values worked out by hand, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.lab.metrics import (
    Curve,
    Ends,
    aiq,
    apgr,
    cpt,
    group_means,
    quality_at_half_cost,
    resamples,
    saving,
    upper_hull,
)

ENDS = Ends(small_quality=0.2, large_quality=0.6, small_cost=1.0, large_cost=3.0)


def points(*rows):
    """Return a curve of (share, cost, quality) rows."""
    share, cost, quality = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Curve(quality=quality, cost=cost, share=share)


LINE = points((0.25, 1.5, 0.3), (0.5, 2.0, 0.4), (0.75, 2.5, 0.5))


def test_a_random_mix_recovers_half_of_the_gap():
    """On the straight line both areas are 1/2, and half of the gap is there at half of the large calls."""
    assert apgr(LINE, ENDS) == pytest.approx(0.5)
    assert apgr(LINE, ENDS, by_cost=True) == pytest.approx(0.5)
    assert cpt(LINE, ENDS, 0.5) == pytest.approx(0.5)
    assert quality_at_half_cost(LINE, ENDS) == pytest.approx(0.4)


def test_areas_are_those_worked_out_by_hand():
    """One point above the line: trapezoids by hand."""
    curve = points((0.5, 1.5, 0.6))

    assert apgr(curve, ENDS) == pytest.approx(0.75)  # (0 + 1)/2 * .5 + 1 * .5
    assert apgr(curve, ENDS, by_cost=True) == pytest.approx(0.875)  # (0 + 1)/2 * .25 + 1 * .75
    assert cpt(curve, ENDS, 0.8) == pytest.approx(0.4)
    assert aiq(curve, ENDS) == pytest.approx((0.4 * 0.5 + 0.6 * 1.5) / 2.0)


def test_a_hull_has_no_dents_and_never_falls():
    """Points under the envelope do not count, and the envelope goes on level where quality would fall."""
    xs, ys = upper_hull(np.array([1.0, 1.5, 2.0, 3.0]), np.array([0.2, 0.25, 0.5, 0.4]))

    assert xs.tolist() == [1.0, 2.0, 3.0]
    assert ys.tolist() == [0.2, 0.5, 0.5]


def test_what_a_mix_cannot_reach_has_no_interpolated_cost():
    """The line ends at always large: beyond it, and where the large model is no better, there is no value."""
    worse = Ends(small_quality=0.5, large_quality=0.4, small_cost=1.0, large_cost=2.0)

    assert ENDS.interpolated_cost(0.4) == pytest.approx(2.0)
    assert ENDS.interpolated_cost(0.7) is None
    assert worse.interpolated_cost(0.45) is None
    assert apgr(LINE, worse) is None
    assert saving(1.5, ENDS.interpolated_cost(0.4)) == pytest.approx(25.0)
    assert saving(1.5, None) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(1, 3), st.floats(0.2, 0.6)), min_size=1, max_size=12))
def test_no_curve_between_the_ends_recovers_more_than_all(rows):
    """With qualities between the two ends every area lies between 0 and 1, and the hull is above the line."""
    curve = points(*rows)
    by_share, by_cost, hull = apgr(curve, ENDS), apgr(curve, ENDS, by_cost=True), aiq(curve, ENDS)

    assert by_share is not None
    assert by_cost is not None
    assert hull is not None
    assert -1e-9 <= by_share <= 1 + 1e-9
    assert -1e-9 <= by_cost <= 1 + 1e-9
    assert 0.4 - 1e-9 <= hull <= 0.6 + 1e-9


def test_resampling_draws_whole_groups():
    """A resample's mean is that of the groups drawn, each with all its rows."""
    groups = np.array(["a", "a", "a", "b"])
    index, counts = resamples(groups, 200, seed=0)
    means = group_means(np.array([1.0, 1.0, 1.0, 0.0]), index, counts)

    assert set(np.round(means, 6)) == {0.0, 0.75, 1.0}
