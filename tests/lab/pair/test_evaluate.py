"""Figures are what they say: places by the rule, distances by definition, intervals over packages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.lab.pair import places
from jouline.lab.pair.corpus import Document
from jouline.lab.pair.estimates import interval
from jouline.lab.pair.evaluate import Answer, distance, summary

WORDS = st.text("abc ", max_size=8)


def levenshtein(a: str, b: str) -> int:
    """Return the textbook recursion."""
    if not a or not b:
        return len(a) + len(b)
    change = levenshtein(a[1:], b[1:]) + (a[0] != b[0])
    return min(change, levenshtein(a[1:], b) + 1, levenshtein(a, b[1:]) + 1)


@given(a=st.text("abc", max_size=5), b=st.text("abc", max_size=5))
def test_the_distance_is_levenshteins(a: str, b: str) -> None:
    """It equals the textbook recursion."""
    assert levenshtein(a, b) == distance(a, b)


def document(package: str) -> Document:
    """Return a module of code lines under a docstring and a comment."""
    lines = [f"def function_{i}(argument, other):\n    return argument * {i} + other  # why\n" for i in range(40)]
    return Document(
        package=package, path="m.py", text='"""Words in a docstring."""\n# a comment line\n' + "".join(lines)
    )


def test_places_are_shared_out_evenly_and_stand_in_code() -> None:
    """Every package gives as many; a place is in no comment line or docstring, and its rest ends its line."""
    drawn = places.draw([document("a"), document("b")], 60, seed=1)
    assert [sum(p.document.package == name for p in drawn) for name in "ab"] == [30, 30]
    for place in drawn:
        text = place.document.text
        assert place.offset > text.index("def function_0")
        assert text[place.offset :].split("\n")[0] == place.wanted
        assert sum(not c.isspace() for c in place.wanted) >= 3


def test_figures_are_given_by_language_group() -> None:
    """TypeScript and JavaScript stand together, Python first; a group without documents is not there."""
    documents = [Document(package="p", path=path, text="") for path in ("a.ts", "b.py", "c.mjs")]
    assert {name: len(found) for name, found in places.by_group(documents).items()} == {
        "Python": 1,
        "TypeScript and JavaScript": 2,
    }
    assert list(places.by_group(documents)) == ["Python", "TypeScript and JavaScript"]
    assert list(places.by_group(documents[:1])) == ["TypeScript and JavaScript"]


def test_equal_seeds_draw_equal_places() -> None:
    """Two models are compared on the same places."""
    assert places.draw([document("a")], 20, seed=4) == places.draw([document("a")], 20, seed=4)


def test_only_places_on_a_line_that_opens_a_block_ask_for_one() -> None:
    """The block's text replaces the rest of the line."""
    found = places.opening_blocks(places.draw([document("a")], 40, seed=2))
    assert found
    assert all(p.wanted.count("\n") == 1 and "return argument" in p.wanted for p in found)


def answer(package: str, tier: str, *, right: bool) -> Answer:
    """Return an answer that is right but for trailing spaces, or wrong."""
    return Answer(package=package, tier=tier, text="x = 1  " if right else "y", truth="x = 1", logprob=-1.0)


@given(outcomes=st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_four_shares_add_up(outcomes: list[tuple[str, bool, bool]]) -> None:
    """Small right + only large + neither = 1, and large right = small right - only small + only large."""
    found = []
    for package, small, large in outcomes:
        found += [answer(package, "small", right=small), answer(package, "large", right=large)]
    shares = summary(found)
    value = {name: share["mean"] for name, share in shares.items() if isinstance(share, dict) and "mean" in share}
    assert value["small_right"] + value["only_large"] + value["neither"] == pytest.approx(1)
    assert value["large_right"] == pytest.approx(value["small_right"] - value["only_small"] + value["only_large"])
    assert shares["places"] == len(outcomes)


def test_an_interval_holds_the_mean_and_is_a_point_where_packages_agree() -> None:
    """Whole packages vary, places within them do not."""
    rng = random.Random(0)
    parts = {name: float(rng.randint(5, 95)) for name in "abcde"}
    found = interval(parts, dict.fromkeys(parts, 100.0))
    assert found.low <= found.mean <= found.high
    same = interval(dict.fromkeys("abc", 20.0), dict.fromkeys("abc", 100.0))
    assert same.low == pytest.approx(same.high) == pytest.approx(0.2)
