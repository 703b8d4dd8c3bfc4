"""Drafts and exits on tiny models in 32 bits: whatever is drafted, the tokens are those of plain greedy decoding."""

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.timelines import OPTIONS, Timelines
from tests.engine.tiny import SAMPLE, tokenizer

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Prompt
from jouline.engine.draft import DraftCosts, Lookup, PassCosts
from jouline.engine.exit import EDGES, ExitPoint, ExitRule
from jouline.engine.generate import Limits, generate
from jouline.engine.llama import Weights
from jouline.engine.two_stage import TwoStageSession, generate_in_two_stages
from jouline.engine.vocabulary import Vocabulary

TOKENS = tokenizer().encode(SAMPLE).ids
KINDS = ("front", "separate", "same", "lookup")


def costs(*, halves: bool, batch: float = 1.0, dear: float = 0.0) -> DraftCosts:
    """Return costs where one token takes 1; more of them `batch` for the first and `dear` for each further one."""
    more = (1.0, *(batch + dear * count for count in range(8)))
    one = PassCosts(small=(1e-3,) * 9 if halves else (0.0,) * 9, large=more, halves=halves)
    return DraftCosts(one, one)


@pytest.fixture(scope="module")
def vocabulary(tiny_files):
    """Return the tiny models' vocabulary."""
    with contextlib.closing(Weights(tiny_files.whole)) as weights:
        return Vocabulary(weights.pieces(), weights.ends())


@pytest.fixture(scope="module")
def other(tiny_files):
    """Open the same files again, for a second model with the same vocabulary."""
    with contextlib.closing(Timelines(tiny_files)) as opened:
        yield opened


@pytest.fixture(scope="module")
def cold(tiny_files):
    """Open them once more, to compare with."""
    with contextlib.closing(Timelines(tiny_files)) as opened:
        yield opened


@pytest.fixture(scope="module")
def drafted(timelines, other) -> Callable[[str], TwoStageSession]:
    """Return a session of each kind, its costs such that it drafts as often as it can."""

    def make(kind: str, given: DraftCosts | None = None) -> TwoStageSession:
        halves = kind == "front"
        if halves:
            small, large = timelines.fresh_exit()
        else:
            large = timelines.fresh_whole()
            small = {"separate": other.fresh_exit()[0], "same": other.fresh_whole(), "lookup": None}[kind]
        return TwoStageSession(
            large, small, costs=given or costs(halves=halves), lookup=Lookup(), capacity=OPTIONS.context_tokens,
            front_share=0.5 if halves else 0.0,
        )  # fmt: skip

    return make


def large(opened: Timelines, kind: str):
    """Return a plain session of the large model, on an empty timeline."""
    return opened.fresh_exit()[1] if kind == "front" else opened.fresh_whole()


ASKED = st.tuples(
    st.integers(1, len(TOKENS)).map(lambda end: tuple(TOKENS[:end])),
    st.sampled_from(["", " ", "fi", "self."]),
    st.sampled_from([{}, {"min_logprob": -4.0}, {"single_line": False}, {"single_line": False, "block_indent": 4}]),
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_are_those_of_plain_decoding(cold, drafted, vocabulary, kind):
    """Text, tokens, stop and probabilities do not depend on drafts, whoever makes them, healed or not, warm or cold."""
    session, seen = drafted(kind), set()

    @settings(max_examples=30)
    @given(asked=st.lists(ASKED, min_size=1, max_size=3))
    def holds(asked):
        for tokens, stub, changes in asked:
            prompt, limits = Prompt(tokens=tokens, stub=stub), Limits(max_tokens=20, **changes)
            made = generate_in_two_stages(session, vocabulary, prompt, limits, CancelToken())
            seen.add((made.drafted > 0, made.draft_accepted > 0))
            plain = generate(large(cold, kind), vocabulary, prompt, limits, CancelToken())
            assert (made.tokens, made.text, made.stop) == (plain.tokens, plain.text, plain.stop)
            assert np.allclose(made.logprobs, plain.logprobs, atol=1e-3)

    holds()
    assert any(made for made, _ in seen)
    assert (True, True) in seen or kind != "same"  # networks of random weights agree about nothing


def test_a_draft_that_is_right_saves_passes(drafted, vocabulary):
    """Drafting with the very same weights, nearly all is accepted, and what it saves is as much."""
    session = drafted("same")
    prompt, limits = Prompt(tokens=tuple(TOKENS[:50])), Limits(max_tokens=24, single_line=False)
    made = generate_in_two_stages(session, vocabulary, prompt, limits, CancelToken())
    assert made.draft_accepted >= 0.6 * made.generated_tokens
    assert made.saved_by_drafts == pytest.approx(made.draft_accepted)


def test_what_was_read_before_is_a_draft(cold, drafted, vocabulary):
    """Where the text that will be written has been seen, the lookup drafts it, with no small model at all."""
    prompt, limits = Prompt(tokens=tuple(TOKENS[:50])), Limits(max_tokens=24, single_line=False)
    plain = generate(cold.fresh_whole(), vocabulary, prompt, limits, CancelToken())
    session = drafted("lookup")
    session._lookup.read([*prompt.tokens, *plain.tokens])
    made = generate_in_two_stages(session, vocabulary, prompt, limits, CancelToken())
    assert made.tokens == plain.tokens
    assert made.draft_accepted >= 0.5 * made.generated_tokens


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drafted_where_it_does_not_pay(drafted, vocabulary, kind):
    """Where a pass of two costs as much as two passes, no pass is longer than one token."""
    session = drafted(kind, costs(halves=kind == "front", batch=2.0, dear=1.0))
    prompt, limits = Prompt(tokens=tuple(TOKENS)), Limits(max_tokens=20, single_line=False)
    made = generate_in_two_stages(session, vocabulary, prompt, limits, CancelToken())
    assert (made.drafted, made.saved_by_drafts) == (0, 0.0)


def test_drafts_count_neither_as_evaluated_nor_as_work(drafted, vocabulary):
    """What a prompt cost is what it costs without drafts."""
    session = drafted("front")
    tokens = tuple(TOKENS[:30])
    made = generate_in_two_stages(session, vocabulary, Prompt(tokens=tokens), Limits(max_tokens=8), CancelToken())
    assert (made.prompt_evaluated, made.prompt_work) == (30, 30.0)


@given(moment=st.integers(0, 700), kind=st.sampled_from(["front", "same"]))
def test_a_cancelled_draft_leaves_nothing_wrong(timelines, cold, drafted, vocabulary, *, moment, kind):
    """Wherever drafting or checking is broken off, the next answer is right."""
    session = drafted(kind)
    prompt, limits = Prompt(tokens=tuple(TOKENS[:60])), Limits(max_tokens=10, single_line=False)
    timelines.abort.left = moment
    with contextlib.suppress(Cancelled):
        generate_in_two_stages(session, vocabulary, prompt, limits, CancelToken())
    timelines.abort.left = None
    made = generate_in_two_stages(session, vocabulary, prompt, limits, CancelToken())
    assert made.tokens == generate(large(cold, kind), vocabulary, prompt, limits, CancelToken()).tokens


def test_no_draft_goes_beyond_the_context(drafted, vocabulary):
    """With room for one more token nothing is drafted."""
    session = drafted("same")
    prompt = Prompt(tokens=(5,) * (OPTIONS.context_tokens - 1))
    made = generate_in_two_stages(session, vocabulary, prompt, Limits(max_tokens=2, single_line=False), CancelToken())
    assert made.drafted <= 1
    assert made.generated_tokens == 2


def rule(bias: float, **weights) -> ExitRule:
    """Return a rule of few weights."""
    return ExitRule(ExitPoint(energy_saving=50, bias=bias, weights=weights))


@pytest.mark.parametrize("tier", ["small", "large"])
def test_always_and_never(timelines, drafted, vocabulary, tier):
    """A rule that always exits writes the front's text without touching the back; one that never does, the large's."""
    prompt, limits = Prompt(tokens=tuple(TOKENS), stub=" fi"), Limits(max_tokens=12, single_line=False)
    session = drafted("front")
    made = generate_in_two_stages(
        session, vocabulary, prompt, limits, CancelToken(), rule=rule(1.0 if tier == "small" else -1.0)
    )
    assert (session.held == []) == (tier == "small")
    assert made.exited == (made.generated_tokens if tier == "small" else 0)
    plain = generate(timelines.fresh_exit()[tier == "large"], vocabulary, prompt, limits, CancelToken())
    assert made.tokens == plain.tokens


@pytest.mark.parametrize("least", range(1, len(EDGES["decoded"]) + 1))
def test_each_token_is_the_half_s_that_the_rule_names(timelines, drafted, vocabulary, least):
    """Text that begins with the front and goes on with the whole network, which catches up, is as each says."""
    weights = [1.0] * least + [-1.0] * (len(EDGES["decoded"]) + 1 - least)
    limits = Limits(max_tokens=12, single_line=False)
    made = generate_in_two_stages(
        drafted("front"), vocabulary, Prompt(tokens=tuple(TOKENS[:40])), limits, CancelToken(),
        rule=rule(0.0, decoded=weights),
    )  # fmt: skip
    switched = (*EDGES["decoded"], 99)[least - 1]
    expected = []
    for number in range(made.generated_tokens):
        session = timelines.fresh_exit()[number >= switched]
        session.sync([*TOKENS[:40], *made.tokens[:number]])
        expected.append(int(session.logits().argmax()))
    assert list(made.tokens) == expected
    assert made.exited == min(switched, made.generated_tokens)
