"""Virtual time: what is asked, what comes too late, what is read and taken."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.replay.fakes import asking, completion, right, silent
from tests.replay.strategies import passages

from jouline.completion import CompletionRequest
from jouline.replay.events import Accepted, Answered, Event, Rejected, Superseded, Typed
from jouline.replay.passages import Passage
from jouline.replay.policy import Policy
from jouline.replay.rhythm import Rhythm
from jouline.replay.session import Ask, Session, Wishes
from jouline.replay.sources import SourceFile

GOAL = "import os\n\nnumbers = [first + second, third]\nprint(numbers)\n"
LINE = Passage(start=GOAL.index("\nnumbers"), end=GOAL.index("\nprint"))
PATIENT = Policy(name="patient", editor_delay_ms=0.0)


def events(
    ask: Ask, *, policy: Policy = PATIENT, goal: str = GOAL, passage: Passage = LINE, seed: int = 1
) -> list[Event]:
    """Type a passage and return all that happened."""
    session = Session(ask=ask, policy=policy, rhythm=Rhythm(seed=seed), wishes=Wishes(route="small"))
    return list(session.type(SourceFile(path=Path("f.py"), language="python", text=goal), passage))


def texts_on_screen(happened: list[Event]) -> list[str]:
    """Return the whole document after each key."""
    return [e.screen.before + e.screen.pending + e.screen.after for e in happened if isinstance(e, Typed | Accepted)]


@given(
    case=passages(),
    seed=st.integers(0, 99),
    engine_ms=st.floats(0, 400),
    delay_ms=st.floats(0, 400),
    cancels=st.booleans(),
    chars=st.integers(1, 9),
)
def test_every_session_ends_with_the_file(
    *, case: tuple[str, Passage], seed: int, engine_ms: float, delay_ms: float, cancels: bool, chars: int
) -> None:
    """Whatever is offered and however late, the last screen is the file, and time never runs backwards."""
    goal, passage = case
    policy = Policy(name="any", editor_delay_ms=0.0, delay=lambda _: delay_ms, cancels=cancels)
    ask = asking(right(goal, chars), engine_ms=engine_ms)
    happened = events(ask, policy=policy, goal=goal, passage=passage, seed=seed)
    if screens := texts_on_screen(happened):
        assert screens[-1] == goal
    pressed = [e.at_ms for e in happened if isinstance(e, Typed | Accepted)]
    assert pressed == sorted(pressed)


def test_every_key_asks_where_the_engine_is_fast() -> None:
    """With no delay and an instant engine each key makes one request, with the cursor where it then is."""
    asked: list[CompletionRequest] = []
    happened = events(asking(silent, engine_ms=0.0, asked=asked))
    keys = [e for e in happened if isinstance(e, Typed)]
    assert [request.offset for request in asked] == [len(e.screen.before) for e in keys]
    assert {request.route for request in asked} == {"small"}


def test_keys_that_follow_faster_than_the_delay_ask_nothing() -> None:
    """A delay longer than every pause leaves one request: after the last key."""
    asked: list[CompletionRequest] = []
    events(asking(silent, engine_ms=0.0, asked=asked), policy=Policy(name="slow", editor_delay_ms=1_400.0), seed=4)
    assert [request.offset for request in asked][-1] == LINE.end
    assert len(asked) <= 3  # thinking pauses at the line's beginning may add one


def test_an_answer_after_the_next_key_is_superseded_and_still_costs() -> None:
    """A request slower than the pause to the next key is stopped there; what it cost by then is kept."""
    happened = events(asking(right(GOAL), engine_ms=50_000.0))
    stopped = [e for e in happened if isinstance(e, Superseded)]
    assert len(stopped) == sum(isinstance(e, Typed) for e in happened)
    assert not any(isinstance(e, Accepted | Answered) for e in happened)
    assert {e.joules for e in stopped} == {0.25}


def test_without_cancelling_the_engine_stays_busy() -> None:
    """Where nothing is cancelled, late requests run to their end and keys meanwhile ask nothing."""
    asked: list[CompletionRequest] = []
    policy = Policy(name="stubborn", editor_delay_ms=0.0, cancels=False)
    happened = events(asking(silent, engine_ms=1_000.0, asked=asked), policy=policy)
    assert 1 < len(asked) < sum(isinstance(e, Typed) for e in happened) / 2
    assert sum(isinstance(e, Superseded) for e in happened) >= 1


def test_what_is_right_is_read_and_taken() -> None:
    """A right suggestion is accepted whole after it was read, and fewer keys are pressed."""
    happened = events(asking(right(GOAL, chars=40), engine_ms=20.0))
    accepted = [e for e in happened if isinstance(e, Accepted)]
    assert accepted
    assert all(e.whole for e in accepted)
    before = happened[happened.index(accepted[0]) - 1]
    assert isinstance(before, Answered)
    assert accepted[0].at_ms - before.at_ms >= 250.0


def test_a_wrong_suggestion_is_rejected_once() -> None:
    """A suggestion that is typed past is judged once, though every key along it brings it up again."""
    wrong = "numZ = 9"

    def answer(request: CompletionRequest):
        line = request.line_prefix
        return completion(wrong[len(line) :] if wrong.startswith(line) else "", action="cache", model=None)

    happened = events(asking(answer, engine_ms=1.0), seed=3)
    answers = [e for e in happened if isinstance(e, Answered) and e.completion.text]
    assert sum(isinstance(e, Rejected) for e in happened) == sum(not e.again for e in answers)
    assert sum(e.again for e in answers) >= 2


def test_the_delay_is_in_the_latency() -> None:
    """An answer comes the policy's delay and the engine's time after its key."""
    happened = events(
        asking(silent, engine_ms=20.0), policy=Policy(name="p", editor_delay_ms=10.0, delay=lambda _: 20.0)
    )
    for key, answer in itertools.pairwise(happened):
        if isinstance(answer, Answered):
            assert isinstance(key, Typed)
            assert abs(answer.at_ms - key.at_ms - 50.0) < 1e-6
            assert abs(answer.delay_ms - 30.0) < 1e-6
