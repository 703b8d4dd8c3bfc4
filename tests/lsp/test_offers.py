"""What the person did with a suggestion: each outcome once, in the engine's units."""

from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import Candidate, Completion, Feedback
from jouline.lsp.offers import REMEMBERED, Offers


def outcome(feedback: Feedback | None) -> tuple[str, int] | None:
    """Return what the feedback says."""
    return (feedback.outcome, feedback.chars) if feedback else None


def answer(name: str, *texts: str) -> Completion:
    """Return a completion with these candidates."""
    others = tuple(Candidate(text=text) for text in texts[1:])
    return Completion(id=name, text=texts[0], action="generate", reason="", others=others)


def test_an_answer_counts_as_shown_until_the_client_tells():
    """Contract §6: without didShow, what was answered and not cancelled counts as shown; with it, only what it says."""
    offers = Offers()
    assert outcome(offers.offered(answer("1", "a"), "")) == ("shown", 0)
    assert offers.shown("1") is None
    assert offers.offered(answer("2", "b"), "") is None
    assert outcome(offers.shown("2")) == ("shown", 0)


def test_acceptance_is_final():
    """After it neither a part nor a rejection is news."""
    offers = Offers()
    offers.offered(answer("1", "abc"), "")
    assert outcome(offers.accepted("1")) == ("accepted", 3)
    assert offers.accepted("1") is None
    assert offers.rejected("1") is None
    assert offers.partially_accepted("1", 2) is None


def test_parts_count_the_suggestions_own_characters():
    """UTF-16 units of the item become code points of the completion, without the suggest widget's text before it."""
    offers = Offers()
    offers.offered(answer("1", "(😀)"), "print")
    assert offers.partially_accepted("1", 5) is None
    assert outcome(offers.partially_accepted("1", 6)) == ("partial", 1)
    assert offers.partially_accepted("1", 6) is None
    assert outcome(offers.partially_accepted("1", 8)) == ("partial", 2)


@given(st.lists(st.tuples(st.sampled_from(["shown", "accepted", "rejected"]), st.text(max_size=2)), max_size=9))
def test_unknown_ids_are_no_news(messages: list[tuple[str, str]]):
    """A client may name what was never offered; nothing is made of it."""
    offers = Offers()
    assert [getattr(offers, kind)(name) for kind, name in messages] == [None] * len(messages)


def test_only_the_latest_offers_are_remembered():
    """A long session does not grow."""
    offers = Offers()
    for number in range(REMEMBERED + 1):
        offers.offered(answer(str(number), "a"), "")
    assert offers.accepted("0") is None
    assert offers.accepted("1") is not None


def test_candidates_are_told_apart():
    """Whichever is taken, its own length counts, for the completion that it is of; a number too many is nobody's."""
    offers = Offers()
    offers.offered(answer("a", "one", "three", "seven"), "")
    assert offers.accepted("a.7") is None
    taken = offers.partially_accepted("a.1", 2)
    assert taken == Feedback(completion_id="a", outcome="partial", chars=2, candidate=1)
    assert offers.accepted("a.1") == Feedback(completion_id="a", outcome="accepted", chars=5)
    assert offers.accepted("a") is None
