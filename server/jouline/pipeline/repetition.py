"""Filters against what small models do when they do not know how to go on: saying it again, or markup (pure)."""

import re
from dataclasses import replace

from jouline.completion import CompletionRequest
from jouline.pipeline.offer import Discard, Offer, is_trivial

# Tabby's patterns (tabby-agent, postprocess): a group of at least 3 characters 6 times, of at least 10 4 times.
_LOOPS = (re.compile(r"(.{3,}?)\1{5,}\Z"), re.compile(r"(.{10,}?)\1{3,}\Z"))
_LEFTOVERS = re.compile(r"<\|[a-z_]+\|>|<(?:fim|file|repo)_?[a-z]+>|</?s>|<(?:PRE|SUF|MID|EOT)>|\A\s*```")
_SAME_BLOCK_TIMES = 2


def whole_lines(text: str) -> str:
    """Return a text that was broken off without its last, unfinished line and without lines said over and over."""
    lines = text.split("\n")[:-1] if "\n" in text else [text]
    while len(lines) > 1 and lines[-1] == lines[-2]:
        lines.pop()
    return "\n".join(lines)


def drop_leftovers(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Cut the text before a model's own marker or a fence of Markdown in what is not Markdown."""
    found = None if request.language == "markdown" else _LEFTOVERS.search(offer.text)
    if not found:
        return offer
    text = offer.text[: found.start()].rstrip()
    return replace(offer, text=text) if text else Discard(reason="The model wrote a marker, not code.")


def drop_loops(_request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a line that ends in one group over and over; of several lines keep those before it."""
    lines = offer.text.split("\n")
    for index, line in enumerate(lines):
        if len(set(line.strip())) > 1 and any(loop.search(each) for loop in _LOOPS for each in (line, line.strip())):
            text = "\n".join(lines[:index]).rstrip()
            return replace(offer, text=text) if text else Discard(reason="The model only repeated itself here.")
    return offer


def drop_repeated_lines(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Keep one of several equal blocks of lines at the text's end, such as a branch written three times."""
    lines = offer.text.split("\n")
    whole = [(request.line_prefix + lines[0]).strip(), *(line.strip() for line in lines[1:])]
    for size in range(1, len(lines) // _SAME_BLOCK_TIMES + 1):
        last = whole[-size:]
        times = 1
        while whole[-size * (times + 1) : -size * times] == last:
            times += 1
        if times >= _SAME_BLOCK_TIMES and not all(is_trivial(line) for line in last):
            text = "\n".join(lines[: len(lines) - size * (times - 1)])
            return replace(offer, text=text)
    return offer
