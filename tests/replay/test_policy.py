"""The peers' ways to ask, as their sources have them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.replay.fakes import asking, right, silent
from tests.replay.test_session import GOAL, LINE, events

from jouline.completion import CompletionRequest
from jouline.replay.events import Accepted, Answered, Typed
from jouline.replay.log import rows
from jouline.replay.policy import PEERS, POLICIES, Moment, Policy, tabby_delay_ms
from jouline.replay.rhythm import Rhythm
from jouline.replay.session import Session, Wishes
from jouline.replay.sources import SourceFile

ANYWHERE = Path("f.py")


def moment(text: str, typed: str, **fields) -> Moment:
    """Return a moment at the end of `text`."""
    before, _, after = text.partition("|")
    request = CompletionRequest(uri="", language="python", text=before + after, offset=len(before))
    return Moment(request=request, typed=typed, **({"usual_gap_ms": None, "usual_response_ms": 0.0} | fields))


@pytest.mark.parametrize(
    ("text", "typed", "fields", "delay"),
    [
        ("ab", "b", {}, (3.0 - 1.5 * 0.5) * 200),  # line end and document end
        ("ab\nc|d", "c", {}, 3.0 * 200),
        ("ab(", "(", {}, (3.0 - 1.5 * 1.0) * 200),
        ("ab(|)", "(", {}, (3.0 - 1.5 * 1.0) * 200),  # closing brackets are an end too
        ("a_|\nb", "_", {}, (3.0 - 1.5 * 0.4) * 200),  # an underscore is of a word
        ("ab(", "(", {"usual_response_ms": 250.0}, 100.0),
        ("ab\nc|d", "c", {"usual_gap_ms": 900.0}, 1_000.0),
        ("ab(", "(", {"usual_gap_ms": 40.0}, 150.0),
    ],
)
def test_tabby_waits_as_its_source_says(text, typed, fields, delay):
    """Base 200 ms until known and within 100..400, less after a word and at ends, less what answers usually take."""
    assert tabby_delay_ms(moment(text, typed, **fields)) == pytest.approx(delay)


@given(gap=st.none() | st.floats(1, 5000), response=st.floats(0, 5000), typed=st.sampled_from("a( \n"))
def test_tabby_waits_between_a_tenth_and_a_whole_second(gap, response, typed):
    """Whatever the rhythm and the answers' times."""
    assert 100.0 <= tabby_delay_ms(moment("x" + typed, typed, usual_gap_ms=gap, usual_response_ms=response)) <= 1_000.0


def test_a_tool_that_polls_begins_when_it_looks_again():
    """llama.vscode looks every 150 ms whether the request before has ended, and does not stop it."""
    policy = Policy(name="polls", editor_delay_ms=0.0, cancels=False, polls_ms=150.0)
    happened = events(asking(silent, engine_ms=400.0), policy=policy)
    delays = [event.delay_ms for event in happened if isinstance(event, Answered)]
    assert delays
    assert all(delay % 150.0 == pytest.approx(0.0, abs=1e-6) or delay < 1e-6 for delay in delays)


def test_the_server_decides_how_long_to_wait_where_it_adapts():
    """With no wait every key asks; with a long one only pauses do; the wait counts from the key, not on top."""

    def asked(wait_ms: float) -> int:
        seen: list[CompletionRequest] = []
        session = Session(
            ask=asking(silent, engine_ms=1.0, asked=seen),
            wait=lambda _: wait_ms,
            policy=Policy(name="adapts", adapts=True),
            rhythm=Rhythm(seed=1),
            wishes=Wishes(),
        )
        source = SourceFile(path=ANYWHERE, language="python", text=GOAL)
        happened = list(session.type(source, LINE))
        answers = [event for event in happened if isinstance(event, Answered)]
        assert all(event.delay_ms == pytest.approx(max(50.0, wait_ms)) for event in answers)
        return len(seen)

    assert asked(0.0) == asked(50.0) > asked(250.0) > asked(900.0)


def test_requests_tell_the_rhythm_and_what_was_deleted():
    """Every request but the first knows the last gap; after a Backspace it says so."""
    seen: list[CompletionRequest] = []
    events(asking(silent, engine_ms=0.0, asked=seen), seed=3)
    assert all(request.last_gap_ms for request in seen[1:])
    assert {request.deleted for request in seen} <= {True, False}


def test_the_log_has_a_row_for_each_inference_and_what_was_taken():
    """What no model answered has no row; accepted characters stand with the request that offered them."""
    from dataclasses import replace

    def answer(request):
        return replace(right(GOAL, chars=40)(request), seen={"draft_logprob": -0.1, "word_chars": 2.0})

    happened = events(asking(answer, engine_ms=20.0))
    logged = list(rows(happened, file="f.py", group="p", seed=1))
    accepted = [event for event in happened if isinstance(event, Accepted)]
    assert len(logged) == sum(isinstance(event, Answered) for event in happened)
    assert sum(row["accepted_chars"] for row in logged) == sum(len(event.key.text) for event in accepted) > 0
    assert all("text" not in row and row["group"] == "p" for row in logged)
    quiet = events(asking(silent, engine_ms=20.0))
    assert list(rows(quiet, file="f.py", group="p", seed=1)) == []
    assert any(isinstance(event, Typed) for event in quiet)


def test_every_peer_is_there():
    """The table compares the four that the notes describe, and always-large."""
    assert {"jouline", "always-large", "llama.vscode", "tabby", "continue", "twinny"} == set(POLICIES)
    assert [name for name in POLICIES if not POLICIES[name].cancels] == ["llama.vscode", "twinny"]
    assert {name for name in POLICIES if POLICIES[name].prompt_order == "prefix first"} == set(PEERS)
    assert not POLICIES["twinny"].cache
    assert not any(POLICIES[name].gate or POLICIES[name].stop_early for name in POLICIES if name != "jouline")
