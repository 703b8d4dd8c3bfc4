"""Several answers to one prompt: different, the greedy one first, each a greedy path behind its branch."""

import contextlib
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.test_pair import CODE, LIMITS, files

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Prompt
from jouline.engine.pair import Pair


@pytest.fixture(scope="module", params=["exit", "separate"])
def pair(request, tiny_files):
    """Open a tiny pair of either kind."""
    with contextlib.closing(Pair(files(tiny_files, request.param))) as opened:
        yield opened


def asked(pair, tier, end, stub=""):
    """Return a prompt of the sample's beginning."""
    return Prompt(tokens=tuple(pair.tokenise(tier, CODE[:end])), stub=stub)


@settings(max_examples=20)
@given(
    tier=st.sampled_from(["small", "large"]),
    end=st.integers(1, len(CODE)),
    stub=st.sampled_from(["", " ", "fi", "self."]),
    count=st.integers(1, 4),
)
def test_the_greedy_answer_comes_first_and_no_text_comes_twice(pair, *, tier, end, stub, count):
    """The first is what `generate` gives; the others differ from it and from each other, and are not empty."""
    prompt = asked(pair, tier, end, stub)
    greedy = pair.generate(tier, prompt, LIMITS, CancelToken())
    found = pair.candidates(tier, prompt, LIMITS, CancelToken(), count)

    assert (found[0].text, found[0].tokens) == (greedy.text, greedy.tokens)
    assert 1 <= len(found) <= count
    texts = [each.text for each in found]
    assert len(set(texts)) == len(texts)
    assert all(texts[1:])
    for each in found:
        assert "\n" not in each.text
        assert len(each.tokens) <= LIMITS.max_tokens
        assert each.logprob == pytest.approx(sum(each.logprobs), abs=1e-4)


def test_each_goes_on_greedily_behind_its_branch(pair):
    """In 32 bits every token behind the one that branched off is the one that a plain greedy run would choose."""
    prompt = asked(pair, "small", len(CODE))
    greedy, *others = pair.candidates("small", prompt, LIMITS, CancelToken(), 4)
    assert len(others) == 3
    for other in others:
        left = next(i for i, (a, b) in enumerate(zip(other.tokens, greedy.tokens, strict=False)) if a != b)
        path = other.tokens[: left + 1]
        rest = dataclasses.replace(LIMITS, max_tokens=max(1, LIMITS.max_tokens - len(path)))
        plain = pair.generate("small", Prompt(tokens=prompt.tokens + path), rest, CancelToken())
        assert other.tokens in (path, path + plain.tokens)
        assert np.allclose(other.logprobs[left + 1 :], plain.logprobs[: len(other.logprobs) - left - 1], atol=1e-4)


@pytest.mark.parametrize("tier", ["small", "large"])
def test_the_prompt_is_evaluated_once(pair, tier):
    """All but the first answer evaluate their branch alone."""
    prompt = Prompt(tokens=tuple(pair.tokenise(tier, "import sys\n" * 9 + CODE)))
    first, *others = pair.candidates(tier, prompt, LIMITS, CancelToken(), 3)
    assert first.prompt_evaluated <= len(prompt.tokens)
    assert all(other.prompt_evaluated <= 1 for other in others)


def test_cancelled_candidates_leave_the_engine_free(pair):
    """A token that is set stops them like any request."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        pair.candidates("small", asked(pair, "small", 20), LIMITS, token, 3)
    assert pair.generate("small", asked(pair, "small", 20), LIMITS, CancelToken()).tokens
