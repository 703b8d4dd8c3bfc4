"""What a router could save with a pair follows from who is right where and what each way to ask costs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.lab.pair import comparison, places
from jouline.lab.pair.comparison import Outcome
from jouline.lab.pair.corpus import Document


def outcome(*, small: bool, large: bool, logprob: float = -1.0, cost: float = 0.25, package: str = "p") -> Outcome:
    """Return a place where the large model afresh costs 1, and after a draft what the draft left."""
    return Outcome(
        package=package,
        small_right=small,
        large_right=large,
        small_logprob=logprob,
        small_cpu_s=cost,
        escalation_cpu_s=1 - cost,
        large_cpu_s=1.0,
        prompt_tokens=100,
    )


TABLE = [
    *[outcome(small=True, large=True, logprob=-0.1)] * 4,
    *[outcome(small=False, large=True, logprob=-2.0)] * 3,
    outcome(small=True, large=False, logprob=-0.2),
    *[outcome(small=False, large=False, logprob=-3.0)] * 2,
]
OUTCOMES = st.lists(
    st.builds(
        outcome,
        small=st.booleans(),
        large=st.booleans(),
        logprob=st.floats(-9, 0),
        cost=st.floats(0.1, 0.9),
        package=st.sampled_from("ab"),
    ),
    min_size=1,
    max_size=30,
)


def test_the_oracle_sends_no_more_than_parity_needs() -> None:
    """Three gains and one loss: two calls of the large model bring the small one level with it."""
    found = comparison.oracle(TABLE)
    assert found.large_share == pytest.approx(0.2)
    assert found.saving == pytest.approx(1 - (0.8 * 0.25 + 0.2 * 1.0))


def test_the_cascade_escalates_the_least_sure_and_pays_for_their_drafts() -> None:
    """Below -2 everything is escalated; the large model after a draft costs only what the draft left."""
    found = comparison.cascade(TABLE, slack=0.0)
    assert found.large_share == pytest.approx(0.4)
    assert found.saving == pytest.approx(1 - (0.6 * 0.25 + 0.4 * 1.0))


@given(table=OUTCOMES)
def test_nothing_beats_the_oracle_at_parity(table: list[Outcome]) -> None:
    """A threshold held to the same quality never saves more."""
    assert comparison.cascade(table, slack=0.0).saving <= comparison.oracle(table).saving + 1e-9


@given(table=OUTCOMES)
def test_an_interval_holds_the_values_that_packages_give(table: list[Outcome]) -> None:
    """Resampling one package alone gives the value itself; the ends are in order."""
    found = comparison.resampled(table, comparison.VALUES["small right"], lambda row: row.package, draws=20)
    assert found.low <= found.high
    if len({o.package for o in table}) == 1:
        assert found.low == pytest.approx(found.mean)


def test_the_table_names_every_value_of_every_shape() -> None:
    """Shapes stand side by side; what only one has is a dash for the other."""
    text = comparison.table({"3+6": comparison.figures(TABLE) | {"only here": 1.0}, "2+7": comparison.figures(TABLE)})
    assert "| | 3+6 | 2+7 |" in text
    assert "| only here | 1.0000 | - |" in text
    assert all(name in text for name in comparison.VALUES)


@given(table=OUTCOMES)
def test_a_way_held_against_itself_is_neither_better_nor_cheaper(table: list[Outcome]) -> None:
    """Places are paired, so that nothing but the ways themselves makes a difference; against a worse one it shows."""
    same = comparison.against(table, table)
    assert same["large right, more"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert same["CPU-seconds, small, share"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    worse = [replace(row, large_right=False) for row in table]
    assert comparison.against(worse, table)["large right, more"]["mean"] == -np.mean([row.large_right for row in table])


def test_a_sample_takes_from_every_package_in_turn() -> None:
    """A large package does not crowd the others out, and equal seeds give equal samples."""
    documents = [Document(package=p, path=f"{i}.py", text="x" * 10) for p, n in (("a", 50), ("b", 3)) for i in range(n)]
    found = places.sample(documents, 60)
    assert {d.package for d in found} == {"a", "b"}
    assert 60 <= sum(len(d.text) for d in found) < 80
    assert found == places.sample(documents, 60)
