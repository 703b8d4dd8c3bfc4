"""Answers that are known already."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.places import place

from jouline.pipeline.cache import CacheEntry, CompletionCache


def entry(text: str, **changes) -> CacheEntry:
    """Return what a model offered."""
    made = CacheEntry(text=text, tier="small", model_id="m", confidence=0.9, route="auto", energy_saving=50)
    return dataclasses.replace(made, **changes)


def remembered(fixture: str, text: str, **changes) -> CompletionCache:
    """Return a cache that knows one offer."""
    cache = CompletionCache()
    cache.put(place(fixture), entry(text, **changes))
    return cache


TYPED = [
    ("x = $0\n", "compute(y)", "x = $0\n", "compute(y)"),
    ("x = $0\n", "compute(y)", "x = com$0\n", "pute(y)"),
    ("x = $0\n", "compute(y)", "x = compute(y$0\n", ")"),
    ("x = $0\n", "compute(y)", "x = compute($0)\n", "y)"),  # the editor closed the bracket
    ("x = $0\n", "compute(y)", "x = compute(y)$0\n", None),  # nothing is left
    ("x = $0\n", "compute(y)", "x = con$0\n", None),
    ("x = $0\n", "compute(y)", "x =$0\n", None),
    ("x = $0\n", "compute(y)", "x = com$0\nz\n", None),
    ("x = $0\n", "compute(y)", "y = com$0\n", None),
    ("x = $0\n", "compute(y)", "a\nx = com$0\n", None),
    ("x = $0\n", "a\n    b", "x = a$0\n", "\n    b"),
    ("x = $0\n", "a\n    b", "x = a\n    $0\n", "b"),  # line by line
    ("x = $0\n", "a\n    b", "x = a\n$0\n", "    b"),
    ("x = $0\n", "a\n    b", "x = c\n    $0\n", None),
    ("x = $0\n", "", "x = $0\n", ""),
    ("x = $0\n", "", "x = a$0\n", None),
]


@pytest.mark.parametrize(("asked", "offered", "now", "left"), TYPED)
def test_an_offer_is_typed_through(asked, offered, now, left):
    """What is left of an offer is given as long as what was typed agrees with it, and nothing around it changed."""
    found = remembered(asked, offered).get(place(now))
    assert (None if found is None else found.text) == left


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "file:///b.py"},
        {"route": "large"},
        {"energy_saving": 51},
        {"multiline": "always"},
    ],
)
def test_another_wish_is_not_answered(changes):
    """Another document, route, setting or length of text asks for something else."""
    cache = remembered("x = $0\n", "compute(y)")
    assert cache.get(place("x = $0\n")) is not None
    assert cache.get(place("x = $0\n", **changes)) is None


@pytest.mark.parametrize("wish", [{"trigger": "invoked"}, {"show_all": True}])
def test_silence_does_not_answer_who_asks_by_hand(wish):
    """A known silence spares automatic requests a second try; an explicit one gets its text."""
    assert remembered("x = $0\n", "").get(place("x = $0\n", **wish)) is None
    assert remembered("x = $0\n", "y").get(place("x = $0\n", **wish)).text == "y"


def test_a_silence_does_not_hide_where_typing_came_from():
    """The nearest place counts: silence where the cursor is, else the offer that is being typed."""
    cache = remembered("x = $0\n", "compute(y)")
    cache.put(place("x = co$0\n"), entry(""))
    assert cache.get(place("x = co$0\n")).text == ""
    assert cache.get(place("x = com$0\n")).text == "pute(y)"


def test_what_was_shown_by_hand_alone_is_not_offered_unasked():
    """A text too unsure to be shown answers who asks by hand; to others it is a silence at its place and no more."""
    cache = remembered("x = $0\n", "compute(y)", sure=False)
    assert cache.get(place("x = $0\n", trigger="invoked")).text == "compute(y)"
    assert cache.get(place("x = c$0\n", trigger="invoked")).text == "ompute(y)"
    assert cache.get(place("x = $0\n")).text == ""
    assert cache.get(place("x = c$0\n")) is None


def test_an_edit_out_of_the_model_s_sight_keeps_the_answer():
    """A line added more than two thousand characters above changes nothing that the model saw."""
    above = "line = 1\n" * 300
    cache = remembered(f"{above}x = $0\n", "compute(y)")
    assert cache.get(place(f"import os\n{above}x = com$0\n")).text == "pute(y)"


OTHERS = ("compare(z)", "compute(a)", "total(\n    a,\n)")
CHOICES = [
    ("x = $0\n", "compute(y)"),
    ("x = comp$0\n", "ute(y)"),  # all begin so: the first counts
    ("x = compa$0\n", "re(z)"),
    ("x = compute(a$0\n", ")"),
    ("x = total(\n    $0\n", "a,\n)"),  # line by line
    ("x = none$0\n", None),
]


@pytest.mark.parametrize(("now", "left"), CHOICES)
def test_what_was_offered_beside_is_typed_through_too(now, left):
    """The rest of another candidate answers where the typing follows it and not the first."""
    found = remembered("x = $0\n", "compute(y)", others=OTHERS).get(place(now))
    assert (None if found is None else found.text) == left
    assert found is None or found.others == () or now == "x = $0\n"


def test_the_text_of_which_a_part_was_taken_comes_first():
    """Whatever else begins alike; each time more of it is taken, and unasked though it was unsure."""
    cache = CompletionCache()
    offer = entry("compute(y)", others=OTHERS, sure=False)
    cache.put(place("x = $0\n"), offer, "7")
    assert cache.get(place("x = compute($0\n")) is None
    for typed, left in (("comp", "ute(a)"), ("compute(", "a)")):
        cache.chosen("7", 2)
        assert cache.get(place(f"x = {typed}$0\n")).text == left
    cache.chosen("7", 0)
    assert cache.get(place("x = compute($0\n")).text == "y)"


def test_a_choice_of_what_is_not_known_changes_nothing():
    """An offer of long ago, or a candidate that there never was."""
    cache = CompletionCache()
    for number in range(9):
        cache.put(place(f"x{number} = $0\n"), entry("compute(y)", others=OTHERS), str(number))
    for completion, candidate in (("0", 2), ("8", 4), ("none", 0)):
        cache.chosen(completion, candidate)
    for number in (0, 8):
        assert cache.get(place(f"x{number} = comp$0\n")).text == "ute(y)"


def test_what_is_left_keeps_its_origin():
    """Tier, model and confidence of a typed-through offer are the offer's own."""
    found = remembered("x = $0\n", "compute(y)", tier="large", confidence=0.4).get(place("x = c$0\n"))
    assert found == entry("ompute(y)", tier="large", confidence=0.4)


@given(used=st.lists(st.integers(0, 9), max_size=40), limit=st.integers(1, 6))
def test_the_least_recently_used_go_first(used, limit):
    """Exactly the `limit` places used last are known, whether they were asked for or answered."""
    cache, order = CompletionCache(entries=limit), []
    for number in used:
        if cache.get(place(f"a{number} = $0\n")) is None:
            assert number not in order
            cache.put(place(f"a{number} = $0\n"), entry("y"))
        order = [*(one for one in order if one != number), number][-limit:]
    known = [number for number in range(10) if cache.get(place(f"a{number} = $0\n"))]
    assert known == sorted(order)


TEXTS = st.sampled_from(["", "a", "ab", "aba", "ab\na"])
DOCUMENTS = st.tuples(st.text("ab\n", max_size=6), st.sampled_from(["", "\nb"]), st.sampled_from(["u", "v"]))


@given(
    offers=st.lists(st.tuples(DOCUMENTS, TEXTS), max_size=12),
    asked=DOCUMENTS,
    by_hand=st.booleans(),
)
def test_it_answers_as_a_search_through_all_offers(offers, asked, by_hand):
    """What it finds is the latest offer at the nearest place on this line that the typing agrees with."""
    cache, known = CompletionCache(), {}
    for (before, behind, uri), text in offers:
        cache.put(place(f"{before}$0{behind}", uri=uri), entry(text))
        lead, line_break, rest = text.partition("\n")
        if rest:
            known[before + lead + line_break, behind, uri] = rest
        known[before, behind, uri] = text
    before, behind, uri = asked
    expected = None
    for cut in range(len(before), before.rfind("\n"), -1):
        text, typed = known.get((before[:cut], behind, uri)), before[cut:]
        fits = text is not None and text.startswith(typed) and (not typed or len(text) > len(typed))
        if fits and (text or not by_hand):
            expected = text[len(typed) :]
            break
    found = cache.get(place(f"{before}$0{behind}", uri=uri, trigger="invoked" if by_hand else "automatic"))

    assert (None if found is None else found.text) == expected
