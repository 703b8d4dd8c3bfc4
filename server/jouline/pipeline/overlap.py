"""Filters that keep a text from saying what stands right of the cursor or around it already (pure)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from jouline.completion import CompletionRequest
from jouline.pipeline.lexis import CLOSERS, open_quote, unmatched_closers, unmatched_openers
from jouline.pipeline.offer import Discard, Offer, is_trivial

_QUOTES = "\"'`"
_AFTER_CLOSERS = ":;,{ \t"
_LOOKED_AT_CHARS = 2_000  # of the suffix, for lines that the text repeats
LEAST_CHARS = 2


def one_line_before_code(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Keep only the first line where code follows the cursor on its line: the others would land inside of it."""
    if "\n" not in offer.text or _only_closers(request.rest_of_line):
        return offer
    text = offer.text[: offer.text.find("\n")].rstrip()
    return replace(offer, text=text) if text else Discard(reason="There is other text right of the cursor.")


def fit_rest_of_line(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Cover the part of the line right of the cursor that the text brings itself.

    Brackets and quotes that the editor closed are covered as far as the text closes them; other text must be the
    text's own end or its beginning. Else nothing is offered but to who asks by hand before something other than a
    word or a string.
    """
    rest = request.rest_of_line
    if not rest.strip():
        return replace(offer, replace=len(rest))
    if _only_closers(rest):
        return replace(offer, replace=covered(request, offer.text))
    if rest.strip().startswith(offer.text.strip()):
        return Discard(reason="The line already goes on like this.")
    if offer.text.endswith(rest.strip()) or _says_more(offer.text, rest.strip(), request.language):
        return replace(offer, replace=len(rest))
    by_hand = request.trigger == "invoked" and not (rest[0].isalnum() or rest[0] in "_\"'")
    return offer if request.show_all or by_hand else Discard(reason="There is other text right of the cursor.")


def _says_more(text: str, rest: str, language: str) -> bool:
    """Whether a text begins with the rest of the line and leaves open what that does, which is closed further down."""
    return text.startswith(rest) and unmatched_openers(text, language) == unmatched_openers(rest, language)


def covered(request: CompletionRequest, text: str) -> int:
    """Return how many characters right of the cursor, closers and what may follow them, the text brings itself."""
    rest = request.rest_of_line
    closed = _closed(request, text)
    if text.endswith(rest.strip()) and len(closed) >= sum(char in CLOSERS for char in rest):
        return len(rest)
    index = 0
    while index < min(len(rest), len(closed)) and rest[index] == closed[index]:
        index += 1
    left = rest[index:].strip()
    said_too = index > 0 and not set(left) - set(_AFTER_CLOSERS) and text.endswith(left)
    return len(rest) if said_too else index


def _closed(request: CompletionRequest, text: str) -> str:
    """Return the closing quote and brackets of the text that close what was opened before it, in their order."""
    quote = open_quote(request.line_prefix) if request.rest_of_line.lstrip()[:1] in _QUOTES else ""
    if not quote:
        return unmatched_closers(text, request.language)
    end = _end_of_string(text, quote)
    return quote + unmatched_closers(text[end:], request.language) if end else ""


def _end_of_string(text: str, quote: str) -> int:
    """Return the offset behind the quote that ends a string which goes on in the text, 0 if none does."""
    skip = False
    for index, char in enumerate(text):
        if char == quote and not skip:
            return index + 1
        skip = char == "\\" and not skip
    return 0


def drop_nothing_new(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a text that leaves the document as it is."""
    if offer.text.strip() == request.rest_of_line[: offer.replace].strip():
        return Discard(reason="All that is left to write stands there already.")
    return offer


def drop_too_short(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a text that takes no more keys to write than to accept; who asks by hand gets it."""
    if len(offer.text.strip()) >= LEAST_CHARS or request.show_all or request.trigger == "invoked":
        return offer
    return Discard(reason="What is left to write is no longer than the key that accepts it.")


def drop_repeated_line(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a text that makes the line equal to the next one that is not blank."""
    line = (request.line_prefix + offer.text.split("\n", 1)[0]).strip()
    following = next(_lines_behind(request), "").strip()
    if line == following and not is_trivial(line):
        return Discard(reason="It would only repeat the next line.")
    return offer


def cut_repeated_suffix(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Cut the lines off with which the text goes on into what stands below the cursor.

    That is a later line of the text which is the next one below, with its indentation if it is as short as a closing
    bracket; with those, all that follows must be there too.
    """
    if "\n" not in offer.text:
        return offer
    lines = offer.text.split("\n")
    behind = list(islice(_lines_behind(request), len(lines)))
    for index in range(1, len(lines)):
        if behind and _goes_on(lines[index:], behind):
            text = "\n".join(lines[:index]).rstrip()
            return replace(offer, text=text) if text else Discard(reason="It would only repeat the next lines.")
    return offer


def _goes_on(lines: list[str], behind: list[str]) -> bool:
    lines = [line.rstrip() for line in lines if line.strip()]
    if not lines:
        return False
    if not is_trivial(lines[0].strip()):
        return lines[0].strip() == behind[0].strip()
    return lines == behind[: len(lines)]


def _lines_behind(request: CompletionRequest) -> Iterator[str]:
    """Yield the next lines that are not blank, without what ends them."""
    start = request.offset + len(request.rest_of_line)
    lines = request.text[start : start + _LOOKED_AT_CHARS].split("\n")[1:]
    return (line.rstrip() for line in lines if line.strip())


def drop_rewritten_line(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a text that writes the line right above once more."""
    end = request.offset - len(request.line_prefix)
    above = request.text[request.text.rfind("\n", 0, max(0, end - 1)) + 1 : end].strip()
    line = (request.line_prefix + offer.text.split("\n", 1)[0] + request.rest_of_line[offer.replace :]).strip()
    same = line == above and not is_trivial(line)
    return Discard(reason="It would only repeat the line above.") if same else offer


def _only_closers(rest: str) -> bool:
    return all(char in CLOSERS or char in _QUOTES or char in _AFTER_CLOSERS for char in rest)
