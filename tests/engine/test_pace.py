"""Batches are as long as an abort may wait, and no longer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.engine.pace import Pace


@pytest.mark.parametrize(
    ("looks", "token_ms", "expected"), [(1, 0.01, 512), (1, 0.1, 64), (1, 5.0, 16), (80, 1.0, 512)]
)
def test_a_batch_takes_no_longer_than_may_be_waited_for(looks, token_ms, expected):
    """The time between two looks at the flag settles at a few milliseconds, or at the least batch."""
    pace = Pace(most_tokens=512, looks=looks)
    for _ in range(8):
        pace.learn(pace.tokens, pace.tokens * token_ms)
    assert pace.tokens == expected
    assert pace.tokens == 16 or pace.tokens * token_ms / looks <= 8.0


@given(st.lists(st.tuples(st.integers(1, 512), st.floats(0, 1e6))))
def test_no_measurement_leads_astray(measured):
    """Whatever a busy machine's clock says, a batch has from 16 tokens to what a batch can hold."""
    pace = Pace(most_tokens=512, looks=12)
    for tokens, ms in measured:
        pace.learn(tokens, ms)
        assert 16 <= pace.tokens <= 512
