"""One slot of a server with a prompt cache: what it would read of each prompt."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.replay.slot import Slot

PREFIX, SUFFIX, MIDDLE = -1, -2, -3
TOKENS = st.lists(st.integers(0, 3), max_size=12).map(tuple)


def prefix_first(prefix: tuple[int, ...], suffix: tuple[int, ...]) -> tuple[int, ...]:
    """Lay a prompt out as the peers do."""
    return (PREFIX, *prefix, SUFFIX, *suffix, MIDDLE)


def suffix_first(prefix: tuple[int, ...], suffix: tuple[int, ...]) -> tuple[int, ...]:
    """Lay a prompt out as ours, to which typing appends."""
    return (SUFFIX, *suffix, PREFIX, *prefix)


@given(suffix=TOKENS, typed=st.lists(TOKENS.filter(bool), min_size=1, max_size=6))
def test_in_an_append_only_order_only_what_was_typed_is_read(suffix, typed):
    """The count is the prompt's growth, which is what a timeline that can only go on has to evaluate."""
    slot = Slot()
    prompts = [suffix_first(prefix, suffix) for prefix in itertools.accumulate(typed)]
    read = [slot.ask(prompt) for prompt in prompts]
    assert read == [len(prompts[0]), *map(len, typed[1:])]
    assert sum(read) == len(prompts[-1])


@given(prefixes=st.lists(TOKENS, min_size=2, max_size=6), suffix=TOKENS)
def test_prefix_first_reads_the_suffix_again_at_every_changed_prefix(prefixes, suffix):
    """Whatever was typed or deleted, all from the suffix's marker on is read; the same prompt costs one token."""
    slot = Slot()
    slot.ask(prefix_first(prefixes[0], suffix))
    for before, prefix in itertools.pairwise(prefixes):
        read = slot.ask(prefix_first(prefix, suffix))
        assert read == 1 if prefix == before else read >= len(suffix) + 2


@given(prompts=st.lists(TOKENS.filter(bool), min_size=1, max_size=6), reuse=st.integers(1, 6))
def test_a_prompt_is_read_at_most_whole_and_at_least_by_one_token(prompts, reuse):
    """Shifting chunks never reads more than doing without, as long as the same prompt came before."""
    plain, shifting = Slot(), Slot(reuse)
    for prompt in prompts:
        assert 1 <= shifting.ask(prompt) <= plain.ask(prompt) <= len(prompt)


@pytest.mark.parametrize(
    ("before", "after", "reuse", "read"),
    [
        ("abcdefgh", "abcdefgh!", 4, 1),
        ("abcdefgh", "abefgh", 4, 1),  # deleted: what follows is shifted, its last token read for the answer
        ("abcdefgh", "abefgh", 5, 4),  # too short a chunk
        ("abcdefgh", "efgh12", 4, 2),  # the window's start moved on
        ("abcdefgh", "abXcdefgh", 4, 7),  # typed before a suffix: nothing follows the common beginning
        ("abcdefgh", "cdXefgh", 2, 5),  # the first chunk serves; what comes next is nowhere, so the second is lost
    ],
)
def test_chunks_are_shifted_as_llama_server_does(before, after, reuse, read):
    """Read from its sources: the cache is searched for what comes next in the prompt, never the other way round."""
    slot = Slot(reuse)
    slot.ask(tuple(map(ord, before)))
    assert slot.ask(tuple(map(ord, after))) == read
