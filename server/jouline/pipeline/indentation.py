"""Filters that fit a text's indentation to the document's (pure)."""

import re
from dataclasses import replace

from jouline.completion import CompletionRequest
from jouline.pipeline.lexis import CLOSERS
from jouline.pipeline.offer import Discard, Offer

_OPENS_BLOCK = re.compile(r"(?:[:{(\[]|=>|->|\bdo|\bthen|\belse|\bbegin)[ \t]*\Z")
_END = re.compile(r"\s*(?:end|fi|done|esac)\b")
_LOOKED_AT_CHARS = 4_000
_USUAL_UNIT = 4


def undouble_space(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Take off the space with which a text begins where one stands left of the cursor."""
    line = request.line_prefix
    doubled = line.strip() and line[-1] in " \t" and offer.text[:1] == " " and offer.text.strip()
    return replace(offer, text=offer.text.lstrip(" ")) if doubled else offer


def undouble_indentation(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Take off the first line's indentation where the cursor is as far in as the line above asks for.

    Later lines that were indented along with it are moved back with it.
    """
    line = request.line_prefix
    lead = _lead(offer.text)
    if line.strip() or not line or not lead or not offer.text.strip():
        return offer
    if width(line) < _expected(request):
        return offer
    first, *others = offer.text.split("\n")
    nested = all(other.startswith(line + lead) or not other.strip() for other in others)
    moved = [other.replace(lead, "", 1) if nested and other.strip() else other for other in others]
    return replace(offer, text="\n".join([first[len(lead) :], *moved]))


def use_tabs_or_spaces(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Indent the text's later lines with what the document indents with."""
    if "\n" not in offer.text:
        return offer
    indents = _indents(request)
    tabs = sum(indent[0] == "\t" for indent in indents)
    if not indents or (0 < tabs < len(indents)):
        return offer
    unit = "\t" if tabs else " " * _unit(indents)
    first, *others = offer.text.split("\n")
    return replace(offer, text="\n".join([first, *(_reindented(line, unit) for line in others)]))


def stay_in_scope(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Cut the text before the first later line that is indented less than the line it begins in.

    Lines that close something, or go on behind what they close (`} else {`), may be; behind them nothing else is kept
    on their level.
    """
    if "\n" not in offer.text:
        return offer
    lines = offer.text.split("\n")
    base = width(request.line_prefix + lines[0])
    for index, line in enumerate(lines[1:], 1):
        closing = closes(line)
        if line.strip() and width(line) < base and not closing:
            return replace(offer, text="\n".join(lines[:index]).rstrip())
        if closing and width(line) < base:
            base = width(line) + (not _OPENS_BLOCK.search(line))
    return offer


def closes(line: str) -> bool:
    """Whether a line begins by closing something."""
    return line.lstrip()[:1] in CLOSERS or bool(_END.match(line))


def _reindented(line: str, unit: str) -> str:
    lead = _lead(line)
    if unit == "\t" and lead and "\t" not in lead:
        step = _USUAL_UNIT if len(lead) % _USUAL_UNIT == 0 else 2
        return "\t" * (len(lead) // step) + " " * (len(lead) % step) + line[len(lead) :]
    return lead.replace("\t", unit) + line[len(lead) :] if unit != "\t" else line


def _expected(request: CompletionRequest) -> int:
    """Return how far in a line behind the last one that is not blank is expected to stand."""
    before = request.text[max(0, request.offset - _LOOKED_AT_CHARS) : request.offset].rstrip()
    above = before[before.rfind("\n") + 1 :]
    opens = _OPENS_BLOCK.search(above)
    return width(above) + (_unit(_indents(request)) if opens else 0)


def _indents(request: CompletionRequest) -> list[str]:
    """Return the indentation of the lines before the cursor that have one, its own line first."""
    lines = request.text[max(0, request.offset - _LOOKED_AT_CHARS) : request.offset].split("\n")
    return [lead for line in reversed(lines) if (lead := _lead(line))]


def _unit(indents: list[str]) -> int:
    """Return the usual step of indentation, in columns: the least in sight that is at least 2."""
    least = min((columns for indent in indents if (columns := width(indent)) >= 2), default=_USUAL_UNIT)
    return least if least <= 2 * _USUAL_UNIT else _USUAL_UNIT


def _lead(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(line: str) -> int:
    """Return how far in a line begins, in columns."""
    return len(_lead(line).expandtabs(_USUAL_UNIT))
