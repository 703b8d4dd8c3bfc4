"""From a model's text to what is offered: a list of plain functions, any of which may decline.

Each filter takes the request and an `Offer` and returns an `Offer` or a `Discard` with the reason a person is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jouline.completion import CompletionRequest

_CLOSERS = {")": "(", "]": "[", "}": "{"}
_AFTER_CLOSERS = ":;, \t"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Text for the cursor's place that takes the place of `replace` code points right of the cursor."""

    text: str
    replace: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Nothing is offered, and why."""

    reason: str


Filter = Callable[[CompletionRequest, Offer], Offer | Discard]


def finish(request: CompletionRequest, text: str) -> Offer | Discard:
    """Run all filters over a model's text."""
    offer: Offer | Discard = Offer(text=text)
    for step in FILTERS:
        if isinstance(offer, Discard):
            return offer
        offer = step(request, offer)
    return offer


def strip_end(_request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Take trailing white space off; what is then empty is not offered."""
    text = offer.text.rstrip()
    return replace(offer, text=text) if text else Discard(reason="The model ended the line here.")


def fit_rest_of_line(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Cover the part of the line right of the cursor that the text brings itself.

    Brackets that the editor closed are covered as far as the text closes them; other text must be the text's own end
    or its beginning. Else nothing is offered but to who asks by hand before something other than a word or a string.
    """
    rest = request.rest_of_line
    if not rest.strip():
        return replace(offer, replace=len(rest))
    if all(char in _CLOSERS or char in _AFTER_CLOSERS for char in rest):
        return replace(offer, replace=_covered(offer.text, rest))
    if offer.text == rest.strip():
        return Discard(reason="The line already goes on like this.")
    if offer.text.endswith(rest.strip()) or offer.text.startswith(rest.strip()):
        return replace(offer, replace=len(rest))
    by_hand = request.trigger == "invoked" and not (rest[0].isalnum() or rest[0] in "_\"'")
    return offer if request.show_all or by_hand else Discard(reason="There is other text right of the cursor.")


def whole_lines(text: str) -> str:
    """Return a text that was broken off without its last, unfinished line and without lines said over and over."""
    lines = text.split("\n")[:-1] if "\n" in text else [text]
    while len(lines) > 1 and lines[-1] == lines[-2]:
        lines.pop()
    return "\n".join(lines)


def drop_repeated_line(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a text that makes the line equal to the next one that is not blank."""
    line = (request.line_prefix + offer.text).strip()
    following = next((line for line in request.suffix[:2000].split("\n") if line.strip()), "").strip()
    trivial = len(line) < 4 or not any(char.isalnum() for char in line)
    same = bool(following) and line == following and not trivial
    return Discard(reason="It would only repeat the next line.") if same else offer


FILTERS: tuple[Filter, ...] = (strip_end, fit_rest_of_line, drop_repeated_line)


def _covered(text: str, rest: str) -> int:
    """Return how many characters of `rest`, closers and what may follow them, the text closes itself."""
    closed = unmatched_closers(text)
    if text.endswith(rest.strip()) and len(closed) >= sum(char in _CLOSERS for char in rest):
        return len(rest)
    for index, char in enumerate(rest):
        if index == len(closed) or closed[index] != char:
            return index
    return len(rest)


def unmatched_closers(text: str) -> str:
    """Return the closing brackets of `text` that close something opened before it; strings are skipped over."""
    depth: list[str] = []
    loose = ""
    quote = ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[index - 1] != "\\" else quote
        elif char in "\"'":
            quote = char if char in text[index + 1 :] else ""
        elif char in "([{":
            depth.append(char)
        elif char in _CLOSERS:
            if depth and depth[-1] == _CLOSERS[char]:
                depth.pop()
            else:
                loose += char
    return loose
