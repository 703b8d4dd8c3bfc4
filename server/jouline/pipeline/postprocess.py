"""From a model's text to what is offered: a list of plain functions, any of which may decline.

Each filter takes the request and an `Offer` and returns an `Offer` or a `Discard` with the reason a person is given.
Those of `TIDY` look at the text itself and run once, before it is remembered; those of `FIT` look at what stands
around the cursor and run each time, also on the rest of a text that is typed along; `WORTH` judges a new text only.
"""

from collections.abc import Sequence
from dataclasses import replace

from jouline.completion import Candidate, CompletionRequest
from jouline.pipeline.balance import balance_brackets
from jouline.pipeline.indentation import stay_in_scope, undouble_indentation, undouble_space, use_tabs_or_spaces
from jouline.pipeline.offer import Discard, Filter, Offer
from jouline.pipeline.overlap import (
    cut_repeated_suffix,
    drop_nothing_new,
    drop_repeated_line,
    drop_rewritten_line,
    drop_too_short,
    fit_rest_of_line,
    one_line_before_code,
)
from jouline.pipeline.repetition import drop_leftovers, drop_loops, drop_repeated_lines
from jouline.pipeline.secrets import drop_secret


def strip_end(_request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Take trailing white space off; what is then empty is not offered."""
    text = offer.text.rstrip()
    return replace(offer, text=text) if text else Discard(reason="The model ended the line here.")


TIDY: tuple[Filter, ...] = (
    drop_loops,
    strip_end,
    drop_leftovers,
    drop_repeated_lines,
    undouble_space,
    undouble_indentation,
    use_tabs_or_spaces,
    stay_in_scope,
    drop_secret,
)
FIT: tuple[Filter, ...] = (
    strip_end,
    one_line_before_code,
    cut_repeated_suffix,
    fit_rest_of_line,
    balance_brackets,
    drop_repeated_line,
    drop_rewritten_line,
    drop_nothing_new,
)
WORTH: tuple[Filter, ...] = (drop_too_short,)


def finish(request: CompletionRequest, text: str) -> Offer | Discard:
    """Run all filters over a model's text."""
    return run(request, text, (*TIDY, *FIT, *WORTH))


def tidy(request: CompletionRequest, text: str) -> Offer | Discard:
    """Return a new text as it may be remembered."""
    return run(request, text, TIDY)


def fit(request: CompletionRequest, text: str, *, fresh: bool = False) -> Offer | Discard:
    """Fit a tidied text, a `fresh` one or what is left of it, to what stands around the cursor now."""
    return run(request, text, (*FIT, *WORTH) if fresh else FIT)


def run(request: CompletionRequest, text: str, filters: Sequence[Filter]) -> Offer | Discard:
    """Run filters in their order, up to the first that declines."""
    offer = Offer(text=text)
    for step in filters:
        done = step(request, offer)
        if isinstance(done, Discard):
            return done
        offer = done
    return offer


def others_of(request: CompletionRequest, first: Offer, texts: tuple[str, ...]) -> tuple[Candidate, ...]:
    """Return the other candidates as they are offered, each text once."""
    found = {first.text: first}
    for text in texts:
        tidied = tidy(request, text)
        offer = fit(request, tidied.text, fresh=True) if isinstance(tidied, Offer) else tidied
        if isinstance(offer, Offer):
            found.setdefault(offer.text, offer)
    return tuple(Candidate(text=offer.text, replace=offer.replace) for offer in found.values() if offer is not first)
