"""A pair of models: both tiers, cancelled from other threads, opened wrongly."""

import contextlib
import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine import tiny

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Prompt
from jouline.engine.generate import Limits
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.errors import EngineError

OPTIONS = EngineOptions(context_tokens=2048, batch_tokens=512, ubatch_tokens=128, cache_bits=32)
LIMITS = Limits(max_tokens=12)
CODE = "def read(path):\n    with open(path) as file:\n        return file."


def files(tiny_files: tiny.TinyFiles, kind: str, **changes) -> PairFiles:
    """Describe a tiny pair."""
    separate = kind == "separate"
    described = PairFiles(
        kind=kind,
        small=tiny_files.whole if separate else tiny_files.front,
        large=tiny_files.whole if separate else tiny_files.back,
        small_options=OPTIONS,
        large_options=OPTIONS,
    )
    return dataclasses.replace(described, **changes)


@pytest.fixture(scope="module", params=["exit", "separate"])
def described(request, tiny_files) -> PairFiles:
    """Describe a tiny pair of either kind."""
    return files(tiny_files, request.param)


@pytest.fixture(scope="module")
def pair(described):
    """Open it once."""
    with contextlib.closing(Pair(described)) as opened:
        yield opened


def answer(pair: Pair, tier: str, text: str = CODE, stub: str = "", limits: Limits = LIMITS):
    """Return what one tier writes after `text`, without its timings."""
    prompt = Prompt(tokens=tuple(pair.tokenise(tier, text)), stub=stub)
    made = pair.generate(tier, prompt, limits, CancelToken())
    return dataclasses.replace(made, prompt_ms=0.0, generate_ms=0.0)


REQUEST = st.tuples(
    st.sampled_from(["small", "large"]),
    st.integers(1, len(CODE)).map(lambda end: CODE[:end]),
    st.sampled_from(["", " ", "fi", "self."]),
    st.sampled_from([None, -3.0]),
)


@settings(max_examples=15)
@given(requests=st.lists(REQUEST, min_size=1, max_size=4))
def test_answers_do_not_depend_on_what_was_asked_before(described, pair, requests):
    """Each answer of a pair in use is that of a pair just opened, which drafts nothing."""
    for tier, text, stub, floor in requests:
        limits = Limits(max_tokens=8, min_logprob=floor)
        with contextlib.closing(Pair(dataclasses.replace(described, drafts=False))) as fresh:
            expected = answer(fresh, tier, text, stub, limits)
        actual = answer(pair, tier, text, stub, limits)

        assert (actual.text, actual.stop) == (expected.text, expected.stop)
        assert np.allclose(actual.logprobs, expected.logprobs, atol=1e-4)
        assert actual.prompt_evaluated <= expected.prompt_evaluated


def test_a_pair_that_forgot_is_as_good_as_new(described, pair):
    """What was evaluated and what was put aside is gone: a prompt costs what it costs a pair just opened."""
    for tier in ("small", "large"):
        with contextlib.closing(Pair(described)) as fresh:
            expected = answer(fresh, tier, CODE, "", Limits(max_tokens=4))
        answer(pair, tier, CODE, "", Limits(max_tokens=4))
        pair.forget()
        again = answer(pair, tier, CODE, "", Limits(max_tokens=4))
        assert (again.text, again.prompt_evaluated) == (expected.text, expected.prompt_evaluated)


@pytest.mark.parametrize("tier", ["small", "large"])
def test_a_token_cancelled_before_the_start_evaluates_nothing(pair, tier):
    """Work that nobody wants any more is not begun; the next request is answered as if nothing had been."""
    expected = answer(pair, tier)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        pair.generate(tier, Prompt(tokens=tuple(pair.tokenise(tier, "x" + CODE))), LIMITS, token)
    again = answer(pair, tier)

    assert again.text == expected.text
    assert again.prompt_evaluated <= 1  # one, where the timeline had gone on behind the prompt


@pytest.mark.parametrize("tier", ["small", "large"])
def test_cancelling_from_another_thread_stops_a_running_decode(pair, tier):
    """A long prompt is given up within its evaluation; what follows is right."""
    expected = answer(pair, tier)
    token = CancelToken()
    long = Prompt(tokens=tuple(range(300)) * 6)
    outcome = []

    def work():
        try:
            outcome.append(pair.generate(tier, long, LIMITS, token))
        except Cancelled as cancelled:
            outcome.append(cancelled)

    worker = threading.Thread(target=work)
    worker.start()
    while not token._listeners and worker.is_alive():
        pass
    token.cancel()
    worker.join()

    assert isinstance(outcome[0], Cancelled)
    assert answer(pair, tier).text == expected.text


def test_a_cancellation_that_comes_late_stops_nobody_else(pair):
    """A token whose request has been answered has no hold on the engine any more."""
    done, expected = CancelToken(), answer(pair, "small")
    pair.generate("small", Prompt(tokens=(1, 2, 3)), LIMITS, done)
    done.cancel()
    assert answer(pair, "small").text == expected.text


def test_nor_does_one_that_comes_while_another_request_runs(pair, monkeypatch):
    """Only a request's own token stops it."""
    done, session = CancelToken(), pair._sessions["small"]
    pair.generate("small", Prompt(tokens=(1, 2, 3)), LIMITS, done)
    sync = session.sync
    monkeypatch.setattr(session, "sync", lambda tokens: (done.cancel(), sync(tokens))[1])
    assert answer(pair, "small").prompt_tokens


def test_named_ends_count_beside_the_files_own(described):
    """A card's end markers end a text; those that the vocabulary lacks are ignored."""
    word = "def"
    with contextlib.closing(Pair(described)) as plain:
        (token,) = plain.tokenise("small", word)
    changed = dataclasses.replace(described, small_ends=(word, "<PRE>"))
    with contextlib.closing(Pair(changed)) as opened:
        vocabulary = opened._vocabularies["small"]
        assert token in vocabulary.ends
        assert opened.special("small", "<|endoftext|>") in vocabulary.ends


BAD_HALVES = [
    pytest.param(tiny.network(1, 2, width=64), {"width": 64}, id="another width"),
    pytest.param(tiny.network(1, 2), {"words": 300}, id="another vocabulary"),
]


@pytest.mark.parametrize(("weights", "shape"), BAD_HALVES)
def test_halves_that_do_not_fit_are_refused(tmp_path, tiny_files, weights, shape):
    """Front and back of different networks are told apart when they are opened, not when they crash."""
    other = tiny.write(tmp_path / "other.gguf", weights, **shape)
    with pytest.raises(EngineError, match="not halves of one network"):
        Pair(files(tiny_files, "exit", large=other))


def test_a_pair_says_what_memory_it_takes(described):
    """No less than its files' weights; nothing while unloaded; the same again once it is back."""
    with contextlib.closing(Pair(described)) as pair:
        taken = {tier: pair.memory_bytes(tier) for tier in ("small", "large")}
        weights = sum({path: path.stat().st_size * 0.9 for path in (described.small, described.large)}.values())
        assert weights < sum(taken.values()) < weights + 50_000_000
        pair.unload("large")
        assert (pair.memory_bytes("small"), pair.memory_bytes("large")) == (taken["small"], 0)
        answer(pair, "large")
        assert pair.memory_bytes("large") == taken["large"]


def test_one_file_for_both_tiers_is_in_memory_once(tiny_files):
    """The weights count once, and stay while either tier needs them."""
    with contextlib.closing(Pair(files(tiny_files, "separate"))) as pair:
        expected = answer(pair, "small"), answer(pair, "large")
        assert pair._weights["small"] is pair._weights["large"]
        weights = pair._weights["small"].bytes
        assert pair.memory_bytes("small") - pair.memory_bytes("large") == weights
        pair.unload("large")
        assert not pair.resident("large")
        assert answer(pair, "small").text == expected[0].text
        assert answer(pair, "large").text == expected[1].text


def test_separate_models_may_differ_in_every_way(tmp_path, tiny_files):
    """Two complete models need not share width or vocabulary."""
    other = tiny.write(tmp_path / "other.gguf", tiny.network(1, 2, width=64), width=64, words=300)
    with contextlib.closing(Pair(files(tiny_files, "separate", large=other))) as pair:
        assert answer(pair, "large").prompt_tokens
        assert pair.special("large", "<|fim_prefix|>") is None
        assert pair.special("small", "<|fim_prefix|>") is not None


@pytest.mark.parametrize("kind", ["exit", "separate"])
def test_a_missing_half_is_one_sentence(tmp_path, tiny_files, kind):
    """What is missing is named, with what to do."""
    with pytest.raises(EngineError, match=r"gone\.gguf is missing; run"):
        Pair(files(tiny_files, kind, large=tmp_path / "gone.gguf"))


def test_a_back_with_a_smaller_context_refuses_what_it_cannot_hold(tiny_files):
    """The large tier's own context counts; the small one goes on answering."""
    short = dataclasses.replace(OPTIONS, context_tokens=256)
    with contextlib.closing(Pair(files(tiny_files, "exit", large_options=short))) as pair:
        prompt = Prompt(tokens=(5,) * 400)
        with pytest.raises(EngineError, match="400 tokens, more than the 256"):
            pair.generate("large", prompt, LIMITS, CancelToken())
        assert pair.generate("small", prompt, LIMITS, CancelToken()).prompt_tokens == 400


def test_a_closed_pair_answers_nothing_and_closes_again(described):
    """Using it after closing is an exception of Python's, not a crash of the process."""
    pair = Pair(described)
    pair.close()
    pair.close()
    with pytest.raises(KeyError):
        answer(pair, "small")
