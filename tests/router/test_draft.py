"""Evidence of a draft: the same whether or not it was stopped at the display threshold."""

from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import CompletionRequest, Generation
from jouline.router.draft import draft_features, tokens_until


def generation(text="value)", logprobs=(-0.1, -0.2), margins=None, stop="line"):
    """Return what a model wrote, with its tokens' log p."""
    return Generation(
        text=text,
        tokens=tuple(range(len(logprobs))),
        logprob=sum(logprobs),
        logprobs=tuple(logprobs),
        margins=tuple(margins or (0.5,) * len(logprobs)),
        stop=stop,
        prompt_tokens=10,
        prompt_evaluated=1,
        prompt_work=1.0,
        generated_tokens=len(logprobs),
        prompt_ms=1.0,
        generate_ms=1.0,
    )


REQUEST = CompletionRequest(uri="", language="python", text="value = 1\nprint(", offset=16)


@given(
    logprobs=st.lists(st.floats(-3, 0), min_size=1, max_size=12),
    floor=st.floats(-4, -0.1),
    text=st.sampled_from(["value)", "other(", "'open", "   "]),
)
def test_a_stopped_draft_shows_what_the_whole_one_shows_until_there(logprobs, floor, text):
    """Stopping a draft below the threshold changes none of its features."""
    count = tokens_until(tuple(logprobs), floor)
    below = sum(logprobs[:count]) < floor
    stopped = generation(text[:1], tuple(logprobs[:count]), stop="unlikely") if below else generation(text, logprobs)

    assert draft_features(REQUEST, stopped, floor) == draft_features(REQUEST, generation(text, logprobs), floor)


def test_a_draft_that_fits_the_file_says_so():
    """A text of known names that closes its bracket is told from one that does neither."""
    fits = draft_features(REQUEST, generation("value)"), -9.0)
    strange = draft_features(REQUEST, generation("other['"), -9.0)

    assert (fits["draft_known_names"], fits["draft_balanced"], fits["draft_open_string"]) == (1.0, 1.0, 0.0)
    assert (strange["draft_known_names"], strange["draft_balanced"], strange["draft_open_string"]) == (0.0, 0.0, 1.0)


def test_nothing_is_stopped_that_stays_above():
    """Tokens count up to and with the one that falls below the threshold, all where none does."""
    assert tokens_until((-0.5, -0.6, -0.1), -1.0) == 2
    assert tokens_until((-0.5, -0.4), -1.0) == 2
    assert tokens_until((), -1.0) == 0
