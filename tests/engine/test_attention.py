"""Flash attention: chosen by what was measured, and never by what it writes."""

import contextlib
import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine import tiny
from tests.engine.test_pair import CODE, LIMITS, OPTIONS, answer, files

from jouline.engine import attention
from jouline.engine.attention import quicker_with_flash
from jouline.engine.llama import AbortFlag, Context, Weights
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair

ROOMY = EngineOptions(context_tokens=256, cache_bits=32)


@pytest.fixture(scope="module")
def both(tiny_files):
    """Open a pair without flash attention and with it; one file serves both tiers."""
    with contextlib.ExitStack() as undo:
        yield [
            undo.enter_context(contextlib.closing(Pair(files(tiny_files, "separate", small_options=options))))
            for options in (OPTIONS, dataclasses.replace(OPTIONS, flash_attention=True))
        ]


@settings(max_examples=15)
@given(end=st.integers(1, len(CODE)), stub=st.sampled_from(["", " ", "fi"]), again=st.integers(1, len(CODE)))
def test_both_ways_write_the_same(both, end, stub, again):
    """The tokens are equal but where two are as good as equally likely, behind prompts whole or only grown.

    llama.cpp casts keys and values to 16 bits for flash attention, those of 32 bits too, so a tie may fall either way.
    """
    for length in (end, again):
        plain, flash = (answer(pair, "small", CODE[:length], stub) for pair in both)
        pairs = zip(plain.tokens, flash.tokens, strict=False)
        parted = next((index for index, (one, other) in enumerate(pairs) if one != other), None)
        alike = None if parted is None else parted - (len(plain.tokens) - len(plain.logprobs))
        assert plain.logprobs[:alike] == pytest.approx(flash.logprobs[:alike], abs=0.02)
        assert alike is None or plain.margins[alike] < 0.02


def test_a_pair_says_which_way_it_took(both, tiny_files):
    """As it was told, else as it measured; halves of one network are not measured."""
    assert [pair.flash_attention["small"] for pair in both] == [False, True]
    unasked = dataclasses.replace(OPTIONS, flash_attention=None)
    with contextlib.closing(Pair(files(tiny_files, "exit", small_options=unasked))) as pair:
        assert pair.flash_attention == {"small": False, "large": False}


def test_doubling_deepens_without_evaluating(tiny_files):
    """Twice the keys and values are there, no token was evaluated for them, and the timeline ends where it did."""
    with contextlib.closing(Weights(tiny_files.whole)) as weights:
        options = dataclasses.replace(ROOMY, twin=True)
        with contextlib.closing(Context(weights, options, AbortFlag())) as context:
            context.decode_tokens([1, 2, 3], 0)
            sizes = []
            for _ in range(4):
                sizes.append(context.pack().nbytes)
                assert context.double()
            added = [behind - before for before, behind in itertools.pairwise(sizes)]
            assert added == [added[0], 2 * added[0], 4 * added[0]]
            assert (context.evaluated, context.kept()) == (3, 3)
            context.decode_tokens([4], 3)  # and it goes on
            assert context.trim(1) == 1


@pytest.mark.parametrize(("ratio", "chosen"), [(0.5, True), (0.95, True), (0.97, False), (1.0, False), (1.5, False)])
def test_what_is_quicker_by_more_than_noise_is_chosen(tiny_files, monkeypatch, ratio, chosen):
    """By the median of rounds in which both ways take turns, so one disturbed round changes nothing."""
    turns = []

    def taken_s(context, _clock):
        flash = context._params.flash_attn_type == 1
        turns.append(flash)
        return (ratio if flash else 1.0) * 1e-4 * (50.0 if len(turns) == 6 else 1.0)

    monkeypatch.setattr(attention, "_request_s", taken_s)
    ticks = itertools.count()
    with contextlib.closing(Weights(tiny_files.whole)) as weights:
        found = quicker_with_flash(weights, ROOMY, AbortFlag(), clock=lambda: next(ticks) * 0.02)
    assert found is chosen
    assert turns[:4] == [False, True, True, False]
    assert len(turns) >= 2 * attention._LEAST_ROUNDS


def test_a_slow_model_is_not_made_to_wait_for(tiny_files, monkeypatch):
    """Where three rounds do not fit the budget, one is all that is tried, and nothing is chosen."""
    turns = []
    monkeypatch.setattr(attention, "_request_s", lambda context, _clock: turns.append(context) or 1.0)
    with contextlib.closing(Weights(tiny_files.whole)) as weights:
        assert not quicker_with_flash(weights, ROOMY, AbortFlag(), clock=lambda: 0.0)
    assert len(turns) == 2


def test_where_it_cannot_matter_nothing_is_tried(tmp_path, tiny_files, monkeypatch):
    """A model without attention, and one whose attention is a small part of its work, open no second context."""
    monkeypatch.setattr(attention, "behind", lambda *_given, **_named: pytest.fail("It was tried."))
    recurrent = tiny.write_recurrent(tmp_path / "recurrent.gguf")
    for path, least in ((recurrent, 0.0), (tiny_files.whole, 1.0)):
        monkeypatch.setattr(attention, "_LEAST_SHARE", least)
        with contextlib.closing(Weights(path)) as weights:
            assert not quicker_with_flash(weights, ROOMY, AbortFlag(), clock=lambda: 0.0)


def test_measuring_leaves_nothing_behind(tiny_files):
    """A pair that measured answers as one that was told the same."""
    unasked = dataclasses.replace(OPTIONS, flash_attention=None)
    with contextlib.closing(Pair(files(tiny_files, "separate", small_options=unasked))) as measured:
        told = dataclasses.replace(OPTIONS, flash_attention=measured.flash_attention["small"])
        with contextlib.closing(Pair(files(tiny_files, "separate", small_options=told))) as pair:
            expected, found = (answer(each, "small", limits=LIMITS) for each in (pair, measured))
    assert (found.tokens, found.prompt_evaluated) == (expected.tokens, expected.prompt_evaluated)
