"""Attribution: shares sum to the measurement, and nothing is negative."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.energy.attribution import OTHERS, attribute, cpu_share, net_of_idle, widened

AMOUNTS = st.floats(0.0, 1e6)
CLAIMS = st.dictionaries(st.text(min_size=1, max_size=4), st.floats(-1.0, 1e4), max_size=6)


@given(joules=AMOUNTS, claims=CLAIMS, total=AMOUNTS)
def test_shares_sum_to_the_measurement(joules, claims, total):
    """Whatever is claimed, no joule is made and none is lost."""
    shares = attribute(joules, claims, total)
    assert math.isclose(sum(shares.values()), joules, rel_tol=1e-9, abs_tol=1e-9)
    assert min(shares.values()) >= -1e-9 * max(1.0, joules)
    assert set(claims) <= set(shares)


@given(joules=AMOUNTS, ours=st.floats(0.0, 100.0), others=st.floats(0.0, 100.0))
def test_a_share_is_proportional_to_the_claim(joules, ours, others):
    """Half of the busy time is half of the joules."""
    shares = attribute(joules, {"ours": ours}, ours + others)
    if ours + others > 0:
        assert shares["ours"] == pytest.approx(joules * ours / (ours + others))
        assert shares[OTHERS] == pytest.approx(joules * others / (ours + others), abs=1e-6)


def test_what_nobody_claims_is_the_others():
    """A busy machine on which we did nothing owes us nothing."""
    assert attribute(10.0, {"ours": 0.0}, 0.0) == {"ours": 0.0, OTHERS: 10.0}


@given(ours=st.floats(0.0, 100.0), busy=AMOUNTS, tick=st.floats(0.0, 1.0))
def test_our_share_lies_between_its_bounds(ours, busy, tick):
    """Coarse ticks widen the interval and never leave 0 to 1."""
    share = cpu_share(ours, busy, tick)
    assert 0.0 <= share.low <= share.value <= share.high <= 1.0


@given(gross=AMOUNTS, idle=st.one_of(st.none(), st.floats(0.0, 500.0)), seconds=st.floats(0.001, 100.0))
def test_net_is_between_zero_and_gross(gross, idle, seconds):
    """Taking idle power off never goes below zero; not knowing it never goes above gross."""
    net = net_of_idle(gross, idle, seconds)
    assert 0.0 <= net.low <= net.value <= net.high <= gross


@given(gross=AMOUNTS, fraction=st.floats(0.0, 2.0))
def test_widening_keeps_the_value_inside(gross, fraction):
    """A counter's step moves the bounds, not the value."""
    wide = widened(net_of_idle(gross, 0.0, 1.0), fraction)
    assert 0.0 <= wide.low <= wide.value <= wide.high
