"""The filter that keeps brackets sound (pure).

What stands around the cursor is looked at from the last line before it to the first one behind it that begin a
top-level statement, by indentation alone, and not further than some thousand characters; where that piece is not
sound itself, or too long, only the text's own line is held sound.
"""

from collections.abc import Sequence

from jouline.completion import CompletionRequest
from jouline.pipeline.lexis import CLOSERS, OPENERS, PROSE, Bracket, brackets, unmatched_closers
from jouline.pipeline.offer import Discard, Offer
from jouline.pipeline.overlap import fit_rest_of_line
from jouline.pipeline.pieces import WINDOW_CHARS, begin_before, piece_behind


def balance_brackets(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Cut the text before a bracket that closes nothing, something of another kind, or what is closed already.

    It is also cut before a bracket that it leaves open where one that the line closes would then close that.
    """
    while (cut := _first_fault(request, offer)) is not None:
        text = offer.text[:cut].rstrip()
        if not text:
            return Discard(reason="It would break the brackets around it.")
        fitted = fit_rest_of_line(request, Offer(text=text))
        if isinstance(fitted, Discard):
            return fitted
        offer = fitted
    return offer


def _first_fault(request: CompletionRequest, offer: Offer) -> int | None:
    """Return where in the text its first bracket stands that must not be there, None if all may."""
    if request.language in PROSE:
        return None
    line = request.line_prefix
    found = [
        Bracket(each.at - len(line), each.char)
        for each in brackets(line + offer.text, request.language)
        if each.at >= len(line)
    ]
    own, loose = _match(found)
    rest = unmatched_closers(request.rest_of_line[offer.replace :], request.language)
    if own and rest:
        return own[0].at
    return _faulty_closer(request, offer, loose, "".join(each.char for each in own)) if loose else None


def _match(found: Sequence[Bracket]) -> tuple[list[Bracket], list[Bracket]]:
    """Return the brackets that a text leaves open and those that close nothing of its own.

    One that would cross an open one counts as closing nothing, and nothing behind it is looked at.
    """
    own: list[Bracket] = []
    loose: list[Bracket] = []
    for bracket in found:
        if bracket.char in OPENERS:
            own.append(bracket)
        elif not own:
            loose.append(bracket)
        elif own[-1].char == CLOSERS[bracket.char]:
            own.pop()
        else:
            return own, [*loose, Bracket(bracket.at, "")]
    return own, loose


def _faulty_closer(request: CompletionRequest, offer: Offer, loose: Sequence[Bracket], own: str) -> int | None:
    """Return where the first loose closer stands that closes no bracket before the cursor which is still open.

    `own` are the brackets that the text leaves open behind them.
    """
    begin = begin_before(request)
    whole = begin == 0 or request.offset - begin < WINDOW_CHARS
    stack = _left_open(request.text[begin : request.offset], offer.text, request.language)
    piece = piece_behind(request)
    behind = unmatched_closers(piece[offer.replace :], request.language)
    open_before, sound = list(stack), whole
    for bracket in loose:
        if not bracket.char or (stack and stack[-1] != CLOSERS[bracket.char]) or (whole and not stack):
            return bracket.at
        if stack:
            stack.pop()
        if sound and not _aligned([*stack, *own], behind):
            sound = _aligned(open_before, unmatched_closers(piece, request.language))
            if sound:
                return bracket.at
    return None


def _left_open(before: str, text: str, language: str) -> list[str]:
    """Return the brackets that are open at the cursor, innermost last; the text tells which quotes are closed."""
    stack: list[str] = []
    for bracket in brackets(before + text, language):
        if bracket.at >= len(before):
            break
        if bracket.char in OPENERS:
            stack.append(bracket.char)
        elif stack and stack[-1] == CLOSERS[bracket.char]:
            stack.pop()
    return stack


def _aligned(stack: Sequence[str], closers: str) -> bool:
    """Whether every closer finds its opener, those of the stack being open, innermost last; others may stay open."""
    left = len(stack)
    for closer in closers:
        while left and stack[left - 1] != CLOSERS[closer]:
            left -= 1
        if not left:
            return False
        left -= 1
    return True
