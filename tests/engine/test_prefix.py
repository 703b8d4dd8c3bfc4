"""The longest common prefix of two timelines."""

from hypothesis import example, given
from hypothesis import strategies as st

from jouline.engine.prefix import common_prefix

TOKENS = st.lists(st.integers(0, 2), max_size=40)


@given(shared=TOKENS, left=TOKENS, right=TOKENS)
@example(shared=[], left=[], right=[])
@example(shared=[1] * 30, left=[], right=[])
def test_it_is_a_prefix_of_both_and_maximal(shared, left, right):
    """Both agree up to the length returned, and not one token further."""
    one, other = shared + left, shared + right
    length = common_prefix(one, other)

    assert one[:length] == other[:length]
    assert length >= len(shared)
    assert length == min(len(one), len(other)) or one[length] != other[length]


@given(one=TOKENS, other=TOKENS)
def test_sides_do_not_matter(one, other):
    """It is symmetric, and a timeline agrees with all of itself."""
    assert common_prefix(one, other) == common_prefix(other, one)
    assert common_prefix(one, one) == len(one)
