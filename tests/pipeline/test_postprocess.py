"""From a model's text to what is offered."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.pipeline.places import accept, place

from jouline.pipeline.postprocess import Discard, Offer, finish, unmatched_closers

GOLDEN = Path(__file__).parents[1] / "golden" / "postprocess"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(GOLDEN.glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]


@pytest.mark.parametrize("case", CASES)
def test_golden_places(case):
    """Each text, taken at its place, leaves the document that a person would have typed, or is declined."""
    request = place(case["before"], language=case.get("language", "python"))
    offer = finish(request, case["text"])

    if "discard" in case:
        assert isinstance(offer, Discard)
        assert case["discard"] in offer.reason
    else:
        assert isinstance(offer, Offer)
        assert accept(request, offer.text, offer.replace) == case["after"]


def test_there_are_enough_golden_places():
    """The table is not empty by accident."""
    assert len(CASES) >= 40


def test_asked_by_hand_text_may_stand_before_other_text():
    """Whoever asks by hand gets an insertion where an automatic suggestion would be held back."""
    request = place("x = $0 + 1\n", trigger="invoked")
    assert finish(request, "compute(y)") == Offer(text="compute(y)", replace=0)


@given(
    before=st.text("ab (\n", max_size=10),
    rest=st.text('ab )]}:;," \t', max_size=6),
    text=st.text("ab ()[]{}\"':\n", max_size=12),
    by_hand=st.booleans(),
)
def test_an_offer_never_reaches_beyond_its_line(before, rest, text, by_hand):
    """It begins as the model wrote, has something on it, and replaces no more than what is right of the cursor."""
    request = place(f"{before}$0{rest}\nnext line", trigger="invoked" if by_hand else "automatic")
    offer = finish(request, text)

    if isinstance(offer, Discard):
        assert offer.reason.endswith(".")
    else:
        assert text.startswith(offer.text)
        assert offer.text.strip()
        assert 0 <= offer.replace <= len(rest)


BALANCED = st.recursive(
    st.text("ab, ", max_size=4),
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}"]), inner, inner).map(
        lambda parts: f"{parts[0][0]}{parts[1]}{parts[0][1]}{parts[2]}"
    ),
    max_leaves=8,
)


@given(code=BALANCED, data=st.data())
@example(code="a(b[c]{})", data=None)
def test_unmatched_closers_are_what_the_cut_off_part_opened(code, data):
    """Cut balanced code anywhere: what the rest closes beyond its own is what the beginning left open, inside out."""
    cut = data.draw(st.integers(0, len(code))) if data else len(code) // 2
    pairs, opened = {"(": ")", "[": "]", "{": "}"}, []
    for char in code[:cut]:
        if char in pairs:
            opened.append(pairs[char])
        elif char in pairs.values():
            opened.pop()
    assert unmatched_closers(code[cut:]) == "".join(reversed(opened))


@pytest.mark.parametrize(("text", "loose"), [("(]", "]"), ("(])", "]"), ("[)]", ")"), ("){]}(", ")]")])
def test_a_closer_of_another_kind_closes_nothing(text, loose):
    """Brackets that cross are loose, and those around them still meet."""
    assert unmatched_closers(text) == loose


@given(text=st.text("()[]{}ab\"'\\", max_size=20))
def test_unmatched_closers_are_closers_of_the_text(text):
    """Whatever the text, they are some of its closing brackets in their order."""
    left = iter(text)
    assert all(closer in left for closer in unmatched_closers(text))
