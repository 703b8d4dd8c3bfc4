"""When drafts pay: costs, running acceptance, lookups."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.engine.draft import Acceptance, DraftCosts, Lookup, PassCosts, Worth, best_run, lead_kind, spread

SECONDS = st.floats(1e-4, 1.0)


@given(one=SECONDS, more=st.dictionaries(st.integers(2, 9), SECONDS, min_size=1))
def test_costs_never_fall_with_size(one, more):
    """However noisy what was measured: one token costs what was measured, and no pass less than a shorter one."""
    costs = spread({1: one, **more}, 9)
    assert costs[0] == one
    assert all(low <= high for low, high in pairwise(costs))


def test_costs_on_a_line_are_found_again():
    """What was not measured lies on the line through what was."""
    assert spread({1: 1.0, 2: 3.0, 4: 5.0, 9: 10.0}, 9) == pytest.approx((1, 3, 4, 5, 6, 7, 8, 9, 10))


def test_costs_between_two_depths():
    """Half-way between the depths measured costs lie half-way."""
    low = PassCosts(small=(1.0,) * 9, large=(2.0,) * 9, halves=True, depth=64)
    high = PassCosts(small=(3.0,) * 9, large=(6.0,) * 9, halves=True, depth=576)
    middle = DraftCosts(low, high).at(320)
    assert (middle.small[0], middle.large[8], middle.plain) == (2.0, 4.0, 6.0)


@given(outcomes=st.lists(st.booleans(), max_size=60), lead=st.floats(0, 50))
def test_acceptance_is_a_chance_that_follows_what_happened(outcomes, lead):
    """It stays in 0..1, and after enough of one outcome says so."""
    acceptance, kind = Acceptance(), lead_kind(lead, 0)
    for right in outcomes:
        acceptance.learn(kind, right=right)
        assert 0 < acceptance.of(kind) < 1
    for _ in range(200):
        acceptance.learn(kind, right=False)
    assert acceptance.of(kind) < 0.3


def plain(*, more: float) -> PassCosts:
    """Return the costs of a model by itself: a pass costs `more` for each token after the first."""
    return PassCosts(small=(0.0,) * 9, large=tuple(1 + more * n for n in range(9)), halves=False)


@given(chance=st.floats(0, 1), more=st.floats(0, 2))
def test_the_length_of_a_run_is_the_best_of_all(chance, more):
    """It gains at least what any other length would, drafting nothing gaining nothing."""
    costs = plain(more=more)
    chosen = best_run(costs, chance, 8)

    def gain(count):
        return sum(chance**n for n in range(1, count + 1)) - 1.1 * more * count

    assert gain(chosen) == pytest.approx(max(gain(count) for count in range(9)), abs=1e-9)


def test_a_lookup_knows_what_came_last():
    """The latest continuation of the same three tokens counts; new ones have none; runs go on from find to find."""
    lookup = Lookup()
    lookup.read([1, 2, 3, 4, 5, 6, 9, 1, 2, 3, 7, 8])
    assert lookup.after([0, 1, 2, 3]) == 7
    assert lookup.run([1, 2, 3], 8) == [7, 8]
    assert lookup.after([3, 2, 1]) is None
    assert lookup.run([2, 3, 4], 2) == [5, 6]
    lookup.read([1, 2, 3, 4], start=3)
    assert lookup.after([1, 2, 3]) == 4


def test_a_lookup_stays_small():
    """What it remembers is bounded."""
    lookup = Lookup(capacity=50)
    for begin in range(0, 1000, 20):
        lookup.read(list(range(begin, begin + 20)))
    assert len(lookup._next) <= 50 + 20


@given(
    quick=st.floats(0.2, 0.9),
    drafts=st.booleans(),
    noise=st.lists(st.floats(0.9, 1.1), min_size=200, max_size=200),
)
def test_the_quicker_way_is_taken_and_the_other_tried_now_and_then(quick, drafts, noise):
    """Whichever way is clearly quicker serves nearly all answers after the first; the other is not forgotten."""
    worth, chosen = Worth(), []
    for factor in noise:
        chosen.append(worth.choose())
        worth.learn(factor * (quick * 0.8 if chosen[-1] == drafts else 1.0), drafted=chosen[-1])
    late = chosen[20:]
    assert worth.pays == drafts
    assert 0.9 <= sum(each == drafts for each in late) / len(late) < 1


def test_what_is_no_quicker_is_not_drafted():
    """Equal times speak against drafts."""
    worth = Worth()
    for _ in range(40):
        worth.learn(1.0, drafted=worth.choose())
    assert not worth.pays
