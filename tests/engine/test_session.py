"""Sessions on tiny models in 32 bits: the fast path must equal the slow one."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.engine import tiny
from tests.engine.timelines import OPTIONS, AbortAfter, Timelines

from jouline.cancel import Cancelled
from jouline.engine.llama import Context, Weights
from jouline.engine.session import ExitSession, TokenSession
from jouline.errors import EngineError

TOLERANCE = 1e-4  # of logits whose standard deviation is about 4
TOKEN = st.integers(0, 380)
TIMELINE = st.lists(TOKEN, min_size=1, max_size=70)


@st.composite
def edits(draw) -> list[list[int]]:
    """Draw prompts as an editor makes them: each is the one before with an end typed, cut off or replaced."""
    prompts = [draw(TIMELINE)]
    for _ in range(draw(st.integers(1, 4))):
        kept = prompts[-1][: draw(st.integers(0, len(prompts[-1])))]
        prompts.append((kept + draw(st.lists(TOKEN, max_size=30))) or [draw(TOKEN)])
    return prompts


def _place(number: int) -> st.SearchStrategy[list[int]]:
    """Draw a prompt at one of a few places, far apart, each with something typed."""
    return st.lists(TOKEN, max_size=12).map(lambda typed: [number * 7] * (70 + 10 * number) + typed)


@pytest.fixture(scope="module")
def cold(tiny_files) -> Iterator[Timelines]:
    """Open the same models once more, to compare with."""
    opened = Timelines(tiny_files)
    yield opened
    opened.close()


def fresh_logits(cold: Timelines, tier: str, tokens: list[int]) -> np.ndarray:
    """Return what a session that never saw anything else says after `tokens`."""
    session = cold.fresh_whole() if tier == "whole" else cold.fresh_exit()[tier == "large"]
    session.sync(tokens)
    return session.logits().copy()


@given(prompts=edits())
def test_a_warm_session_equals_a_cold_one(timelines, cold, prompts):
    """After any sequence of prompts the logits are those of a session that saw only the last."""
    session = timelines.fresh_whole()
    for prompt in prompts:
        session.sync(prompt)
        assert np.allclose(session.logits(), fresh_logits(cold, "whole", prompt), atol=TOLERANCE)
        assert session.tokens == prompt


@given(prompts=edits(), tiers=st.lists(st.sampled_from(["small", "large"]), min_size=5, max_size=5), data=st.data())
def test_small_and_large_in_any_order_equal_each_alone(timelines, cold, prompts, tiers, data):
    """Two sessions that share the front's work, synced and stepped in any order, do not disturb each other."""
    sessions = dict(zip(("small", "large"), timelines.fresh_exit(), strict=True))
    for prompt, tier in zip(prompts, tiers, strict=False):
        timeline = list(prompt)
        sessions[tier].sync(timeline)
        for token in data.draw(st.lists(TOKEN, max_size=3)):
            sessions[tier].step(token)
            timeline.append(token)
        assert np.allclose(sessions[tier].logits(), fresh_logits(cold, tier, timeline), atol=TOLERANCE)


@given(
    start=TIMELINE,
    moves=st.lists(
        st.tuples(st.integers(0, 8), st.lists(TOKEN, min_size=1, max_size=4), st.none() | TIMELINE),
        min_size=1,
        max_size=4,
    ),
    tier=st.sampled_from(["large", "whole"]),
)
def test_going_back_and_appending_equal_asking_anew(timelines, cold, start, moves, tier):
    """Every row of what is appended is a cold session's, also where the front answered something else in between."""
    small, large = timelines.fresh_exit()
    session, line = (large if tier == "large" else timelines.fresh_whole()), list(start)
    session.sync(line)
    for back, tokens, meanwhile in moves:
        if meanwhile:
            small.sync(meanwhile)
        kept = max(1, len(line) - back)
        line = [*line[:kept], *tokens]
        session.back_to(kept)
        session.extend(tokens, rows=len(tokens))
        assert session.tokens == line
        for row in range(len(tokens)):
            found = session.logits(row)
            assert np.allclose(found, fresh_logits(cold, tier, line[: len(line) - row]), atol=TOLERANCE)


def test_stepping_the_large_where_the_small_went_elsewhere(timelines, cold):
    """Even between two steps of the large the small may answer another prompt."""
    small, large = timelines.fresh_exit()
    large.sync([1, 2, 3])
    small.sync([4])
    large.step(5)
    assert np.allclose(large.logits(), fresh_logits(cold, "large", [1, 2, 3, 5]), atol=TOLERANCE)


@given(before=st.lists(TOKEN, max_size=20), wanted=TIMELINE, tier=st.sampled_from(["small", "large", "whole"]))
@example(before=[], wanted=[5] * 70, tier="large")
@example(before=[], wanted=list(range(65)), tier="small")  # the rows reach over a batch's edge
def test_logits_of_several_tokens_of_one_pass(timelines, cold, before, wanted, tier):
    """Each row is what a session says that was given the tokens up to there, whatever was kept and however batched."""
    session, rows = _session(timelines, tier), min(5, len(wanted))
    if before:
        session.sync(before)
    session.sync(wanted)  # logits of the last alone are there, those of the others are not
    session.sync(wanted, rows=rows)
    found = [session.logits(back).copy() for back in range(rows)]
    for back, logits in enumerate(found):
        assert np.allclose(logits, fresh_logits(cold, tier, wanted[: len(wanted) - back]), atol=TOLERANCE)


@given(tokens=TIMELINE)
def test_front_and_back_equal_the_reference(timelines, tokens):
    """Front and back in llama.cpp give the logits of the same network written down in numpy."""
    small, large = timelines.fresh_exit()
    states, front_logits = tiny.front_reference(timelines.files, tokens)
    small.sync(tokens)
    assert np.allclose(small.logits(), front_logits[-1], atol=TOLERANCE)
    assert np.allclose(small.states[: len(tokens)], states, atol=TOLERANCE)
    large.sync(tokens)
    assert np.allclose(large.logits(), tiny.back_reference(timelines.files, states)[-1], atol=TOLERANCE)


@given(
    before=st.lists(TOKEN, max_size=40),
    wanted=TIMELINE,
    after=edits(),
    moment=st.tuples(st.sampled_from(["small", "large", "whole"]), st.integers(0, 900)),
)
@example(before=[], wanted=[1] * 70, after=[[1] * 70], moment=("large", 0))
def test_an_abort_at_any_moment_leaves_nothing_wrong(timelines, cold, *, before, wanted, after, moment):
    """Wherever in its work a sync is stopped, what follows equals a fresh session's."""
    tier, asked = moment
    session = _session(timelines, tier)
    if before:
        session.sync(before)
    timelines.abort.left = asked
    try:
        session.sync(wanted)
    except Cancelled:
        pass
    else:
        assert np.allclose(session.logits(), fresh_logits(cold, tier, wanted), atol=TOLERANCE)
    timelines.abort.left = None
    for prompt in (wanted, *after):
        session.sync(prompt)
        assert np.allclose(session.logits(), fresh_logits(cold, tier, prompt), atol=TOLERANCE)


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_the_moments_of_abort_are_real(timelines, tier):
    """Among the moments drawn above are stops at once, stops in the middle that keep work, and none at all."""
    kept = set()
    for asked in range(0, 900, 23):
        session = _session(timelines, tier)
        timelines.abort.left = asked
        try:
            session.sync(list(range(70)))
        except Cancelled:
            timelines.abort.left = None
            session.sync(list(range(70)))
            kept.add(70 - session.evaluated)
        else:
            kept.add(None)
    assert {0, None} < kept
    assert len(kept) >= 4


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_after_an_abort_the_old_logits_are_not_taken_for_the_timelines(timelines, cold, tier):
    """Going back to what stood before the abort, its last token is evaluated again."""
    session = _session(timelines, tier)
    session.sync([1, 2, 3])
    timelines.abort.left = 5
    with pytest.raises(Cancelled):
        session.sync([1, 2, 3, 4])
    timelines.abort.left = None
    session.sync([1, 2, 3])
    assert np.allclose(session.logits(), fresh_logits(cold, tier, [1, 2, 3]), atol=TOLERANCE)


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_an_abort_keeps_what_finished(timelines, tier):
    """The next sync of the same prompt does not begin at its beginning."""
    session = _session(timelines, tier)
    timelines.abort.left = 600
    with pytest.raises(Cancelled):
        session.sync([7] * 200)
    timelines.abort.left = None
    assert 0 < session.sync([7] * 200) < 200


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_only_what_is_new_is_evaluated(timelines, tier):
    """Typing at the end costs the new tokens, an identical prompt nothing, a step back one token."""
    session = _session(timelines, tier)
    evaluated = []
    for prompt in ([1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 9, 5], [1, 2], [8]):
        session.sync(prompt)
        evaluated.append(session.evaluated)
    assert evaluated == [4, 1, 0, 2, 1, 1]


def test_the_large_pays_only_the_back_for_what_the_small_has_seen(timelines):
    """Work counts tokens of a whole pass; the front's half of it is done where the small answered first."""
    small, large = timelines.fresh_exit()
    assert large.sync([1, 2, 3, 4]) == 4.0
    assert small.sync([1, 2, 3, 4, 5, 6]) == 2.0
    small.step(7)
    assert large.sync([1, 2, 3, 4, 5, 6]) == 2 * 0.5
    assert large.evaluated == 2
    assert large.sync([1, 2, 3, 4, 5, 6]) == 0.0


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory) -> Iterator[tuple[Context, Context]]:
    """Open a tiny Mamba twice."""
    weights = Weights(tiny.write_recurrent(tmp_path_factory.mktemp("mamba") / "mamba.gguf"))
    contexts = Context(weights, OPTIONS, AbortAfter()), Context(weights, OPTIONS, AbortAfter())
    yield contexts
    for opened in (*contexts, weights):
        opened.close()


@given(prompts=edits(), asked=st.none() | st.integers(0, 400))
@example(prompts=[list(range(60))] * 2, asked=100)
@example(prompts=[[1, 2, 3, 4], [1, 2, 5]], asked=None)
def test_a_model_that_cannot_forget_a_part_starts_over(recurrent, prompts, asked):
    """Recurrent models forget all or nothing, and an abort spoils their state; what was lost is evaluated again."""
    context, other = recurrent
    context.trim(0)
    session = TokenSession(context)
    context._abort.left = asked
    with contextlib.suppress(Cancelled):
        session.sync(prompts[0])
    context._abort.left = None
    for prompt in prompts:
        session.sync(prompt)
        other.trim(0)
        fresh = TokenSession(other)
        fresh.sync(prompt)
        assert np.allclose(session.logits(), fresh.logits(), atol=TOLERANCE)


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_what_does_not_fit_is_refused_in_one_sentence(timelines, cold, tier):
    """An empty prompt, one token too many and a step beyond the end are refused; the session works on."""
    session = _session(timelines, tier)
    full = [3] * OPTIONS.context_tokens
    for bad in ([], [*full, 3]):
        with pytest.raises(EngineError, match=r"^The prompt .*\.$"):
            session.sync(bad)
    session.sync(full)
    with pytest.raises(EngineError, match="256"):
        session.step(3)
    session.sync([1, 2])
    assert np.allclose(session.logits(), fresh_logits(cold, tier, [1, 2]), atol=TOLERANCE)


def test_a_token_outside_the_vocabulary_is_an_error_that_heals(timelines, cold):
    """llama.cpp refuses such a batch; the session still knows what it holds."""
    session = timelines.fresh_whole()
    session.sync([1, 2])
    with pytest.raises(EngineError):
        session.sync([1, 2, timelines.words + 5])
    session.sync([1, 2, 3])
    assert np.allclose(session.logits(), fresh_logits(cold, "whole", [1, 2, 3]), atol=TOLERANCE)


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_an_interrupt_behind_a_decode_leaves_nothing_wrong(timelines, cold, tier, monkeypatch):
    """Even where Ctrl-C strikes between llama.cpp's work and its being noted down, the session knows what it holds."""
    session = _session(timelines, tier)
    session.sync([1, 2, 3])
    decode = session._context._decode

    def interrupted(batch):
        decode(batch)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session._context, "_decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.sync([1, 2, *range(60)])
    for prompt in ([1, 2, 9, 8], [1, 2, *range(30)]):
        session.sync(prompt)
        assert np.allclose(session.logits(), fresh_logits(cold, tier, prompt), atol=TOLERANCE)


def test_a_back_needs_its_fronts_states(timelines):
    """An early-exit session on a front without states says so."""
    context = timelines.fresh_whole()._context
    orphan = ExitSession(TokenSession(context), timelines.fresh_exit()[1]._context, front_share=0.5)
    with pytest.raises(EngineError, match="hidden states"):
        orphan.sync([1])


def _session(timelines: Timelines, tier: str):
    return timelines.fresh_whole() if tier == "whole" else timelines.fresh_exit()[tier == "large"]


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_going_back_to_a_place_finds_what_was_put_aside(timelines, cold, tier):
    """A jump elsewhere and back evaluates one token, with the logits of a session that saw nothing else."""
    session = _session(timelines, tier)
    here, there = list(range(120)), list(range(200, 330))
    for prompt in (here, there, here, [*there, 7]):
        session.sync(prompt)
        assert np.allclose(session.logits(), fresh_logits(cold, tier, prompt), atol=TOLERANCE)
    assert session.evaluated == 1
    assert len(session.shelf) == 1


@given(prompts=st.lists(st.integers(0, 4).flatmap(_place), min_size=1, max_size=8), budget=st.integers(0, 200_000))
def test_what_is_put_aside_stays_within_its_budget(timelines, cold, prompts, budget):
    """However small the budget, answers are right and the shelf is no larger."""
    session = timelines.fresh_whole()
    session.shelf._most_bytes = budget
    for prompt in prompts:
        session.sync(prompt)
        assert session.shelf.bytes <= budget
        assert np.allclose(session.logits(), fresh_logits(cold, "whole", prompt), atol=TOLERANCE)


@given(prompts=edits(), tiers=st.lists(st.sampled_from(["small", "large"]), min_size=5, max_size=5))
def test_what_is_pending_is_what_a_sync_then_does(timelines, prompts, tiers):
    """The report agrees with the work that follows, and asking twice changes nothing."""
    sessions = dict(zip(("small", "large"), timelines.fresh_exit(), strict=True))
    for prompt, tier in zip(prompts, tiers, strict=False):
        told = sessions[tier].pending(prompt)
        assert sessions[tier].pending(prompt) == told == sessions[tier].sync(prompt)


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_going_the_same_way_again_evaluates_nothing(timelines, cold, tier):
    """Prompt and answer stay evaluated behind a prompt that is asked again; another way is evaluated from there."""
    session = _session(timelines, tier)
    session.sync([1, 2, 3])
    session.step(4)
    session.step(5)
    session.sync([1, 2, 3])
    assert session.evaluated == 0
    assert session.pending([1, 2, 3, 4]) == 0.0
    session.step(4)
    assert session.tokens == [1, 2, 3, 4]
    assert np.allclose(session.logits(), fresh_logits(cold, tier, [1, 2, 3, 4]), atol=TOLERANCE)
    session.step(6)
    assert np.allclose(session.logits(), fresh_logits(cold, tier, [1, 2, 3, 4, 6]), atol=TOLERANCE)


@pytest.mark.parametrize("tier", ["small", "large", "whole"])
def test_an_unloaded_model_comes_back_by_itself(timelines, cold, tier):
    """What was evaluated is forgotten, its memory is free, and the next prompt is answered as by a new session."""
    session = _session(timelines, tier)
    session.sync([1, 2, 3])
    session.unload()
    assert not session._line.context.resident
    assert session.pending([1, 2, 3]) > 0
    session.sync([1, 2, 3, 4])
    assert session.evaluated == 4
    assert np.allclose(session.logits(), fresh_logits(cold, tier, [1, 2, 3, 4]), atol=TOLERANCE)
