"""From a model's text to what is offered."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.pipeline.golden import cases
from tests.pipeline.places import accept, place

from jouline.pipeline.lexis import unmatched_closers
from jouline.pipeline.offer import Discard, Offer
from jouline.pipeline.postprocess import finish, fit

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_golden_places(case):
    """Each text, taken at its place, leaves the document that a person would have typed, or is declined."""
    request = place(case.before, language=case.language, trigger=case.trigger)
    offer = finish(request, case.text)

    if case.discard is not None:
        assert isinstance(offer, Discard)
        assert case.discard in offer.reason
    else:
        assert isinstance(offer, Offer)
        assert accept(request, offer.text, offer.replace) == case.after


def test_there_are_enough_golden_places():
    """The files are read, and no language is there by accident."""
    assert len(CASES) >= 150
    assert len({case.language for case in CASES}) >= 8
    assert len({str(case) for case in CASES}) == len(CASES)


def test_asked_by_hand_text_may_stand_before_other_text():
    """Whoever asks by hand gets an insertion where an automatic suggestion would be held back."""
    request = place("x = $0 + 1\n", trigger="invoked")
    assert finish(request, "compute(y)") == Offer(text="compute(y)", replace=0)


INK = st.text("ab ()[]{}\"':;,\n", max_size=14)


@given(
    before=st.text("ab (\n", max_size=10),
    rest=st.text('ab )]}:;," \t', max_size=6),
    text=INK,
    by_hand=st.booleans(),
)
def test_an_offer_never_reaches_beyond_its_line(before, rest, text, by_hand):
    """It has something on it, nothing behind it, and replaces no more than what is right of the cursor."""
    request = place(f"{before}$0{rest}\nnext line", trigger="invoked" if by_hand else "automatic")
    offer = finish(request, text)

    if isinstance(offer, Discard):
        assert offer.reason.endswith(".")
    else:
        assert offer.text.strip()
        assert offer.text == offer.text.rstrip()
        assert 0 <= offer.replace <= len(rest)


@given(before=st.text("ab (", max_size=6), behind=st.text("ab )=\n", max_size=12), text=INK, by_hand=st.booleans())
@example(before="f(", behind=")", text=")", by_hand=True)
@example(before="", behind="\nabab = b", text="abab = b", by_hand=True)
@example(before="x = ", behind="abab + b", text="abab", by_hand=True)
def test_what_stands_right_of_the_cursor_is_never_offered(before, behind, text, by_hand):
    """Neither what the line goes on with, nor what makes it the next line; and taking an offer changes the document."""
    request = place(f"{before}$0{behind}", trigger="invoked" if by_hand else "automatic")
    offer = finish(request, text)

    if isinstance(offer, Offer):
        right, new = request.rest_of_line.strip(), offer.text.strip()
        assert not (right and right.startswith(new))
        line = (before + offer.text.split("\n")[0]).strip()
        following = next((each.strip() for each in request.suffix.split("\n") if each.strip()), "")
        assert line != following or len(line) < 4
        assert accept(request, offer.text, offer.replace).replace("$0", "").split() != request.text.split()


SOUND = st.recursive(
    st.text("ab,", max_size=3),
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}"]), inner, st.booleans(), inner).map(
        lambda parts: parts[0][0] + ("\n  " if parts[2] else "") + parts[1] + parts[0][1] + parts[3]
    ),
    max_leaves=6,
)


def sound(code: str) -> bool:
    """Whether every closing bracket finds an opening one of its kind; those left open are passed over."""
    pairs, opened = {"(": ")", "[": "]", "{": "}"}, []
    for char in code:
        if char in pairs:
            opened.append(pairs[char])
        elif char in pairs.values():
            while opened and opened[-1] != char:
                opened.pop()
            if not opened:
                return False
            opened.pop()
    return True


@settings(max_examples=300)
@given(lines=st.lists(SOUND, min_size=1, max_size=3), text=st.text("ab ()[]{}\n", max_size=10), data=st.data())
@example(lines=["f(a)"], text="b))", data=None)
@example(lines=["f(a)"], text="b[", data=None)
def test_brackets_stay_sound(lines, text, data):
    """Whatever a model writes into code whose brackets are sound, they still are once it is taken."""
    code = "\n".join(f"x{line}" for line in lines)
    cut = data.draw(st.integers(0, len(code))) if data else code.index("a")
    request = place(f"{code[:cut]}$0{code[cut:]}\n", trigger="invoked", show_all=True)
    offer = finish(request, text)

    if isinstance(offer, Offer):
        assert sound(accept(request, offer.text, offer.replace))


@given(fixture=st.sampled_from(CASES), text=INK)
def test_any_text_at_a_real_place_is_an_offer_or_a_reason(fixture, text):
    """No filter fails, whatever the language and the place."""
    request = place(fixture.before, language=fixture.language)
    offer = finish(request, text)
    if isinstance(offer, Offer):
        again = fit(request, offer.text)
        assert isinstance(again, Offer)
        assert accept(request, again.text, again.replace) == accept(request, offer.text, offer.replace)


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
