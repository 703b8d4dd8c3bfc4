"""What the gate knows of a request: its place, what was tried and taken lately, the person's rhythm, the draft (pure).

Kept cheap on purpose: about a tenth of a millisecond, as it is computed for every key that is not answered otherwise.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from jouline.completion import CompletionRequest, Generation
from jouline.router.gate_line import LINE_CHARS, line_features
from jouline.router.syntax import stub

VERSION = 1
_WINDOW_CHARS = 6_000
_LEAST_KNOWN = 3  # characters that a repeated tail must have to mean anything
_RECENT_FATES = 20
_ATTEMPT = ("tried", "since", "agrees", "left_over", "last_logprob", "last_mean", "last_offered")

Features = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a model wrote for an earlier request; a text that was broken off as unlikely is kept as far as it went."""

    uri: str
    line_start: int
    typed: str
    text: str
    logprob: float
    tokens: int
    offered: bool


@dataclass(slots=True)
class History:
    """The last attempt and the latest fates of suggestions. Used by the engine's thread alone."""

    last: Attempt | None = None
    fates: deque[bool] = field(default_factory=lambda: deque(maxlen=_RECENT_FATES))

    def tried(self, request: CompletionRequest, draft: Generation, *, offered: bool) -> None:
        """Note what a model wrote and whether it was offered."""
        typed = request.line_prefix
        self.last = Attempt(
            uri=request.uri,
            line_start=request.offset - len(typed),
            typed=typed,
            text=draft.text,
            logprob=draft.logprob,
            tokens=draft.generated_tokens,
            offered=offered,
        )

    def judged(self, *, taken: bool) -> None:
        """Note that a suggestion was taken, whole or in part, or turned away."""
        self.fates.append(taken)


def place_features(request: CompletionRequest, history: History) -> Features:
    """Return what is known before any inference, always the same names in the same order."""
    left = request.line_prefix[-LINE_CHARS:]
    window = request.text[max(0, request.offset - _WINDOW_CHARS) : request.offset - len(left)]
    return (
        line_features(left, request.rest_of_line)
        | _around(request, left, window)
        | _known(left, window)
        | _lately(request, history)
        | {"rhythm": _rhythm(request)}
    )


def draft_features(draft: Generation) -> Features:
    """Return what a finished draft adds: how sure its tokens are, and how much text there is."""
    logprobs = draft.logprobs or (0.0,)
    return {
        "draft_logprob": draft.logprob,
        "draft_mean": draft.logprob / len(logprobs),
        "draft_least": min(logprobs),
        "draft_first": logprobs[0],
        "draft_margin_least": min(draft.margins, default=1.0),
        "draft_chars": math.log1p(len(draft.text.strip())),
        "draft_tokens": math.log1p(len(logprobs)),
        "draft_lines": float(draft.text.count("\n")),
        "draft_blank": float(not draft.text.strip()),
    }


def _around(request: CompletionRequest, left: str, window: str) -> Features:
    above = window.rstrip()
    last = above[above.rfind("\n") + 1 :]
    return {
        "python": float(request.language == "python"),
        "line_empty": float(not left.strip()),
        "above_opens": float(last.endswith((":", "(", "[", "{", ",", "\\"))),
        "above_chars": math.log1p(len(last)),
        "blank_above": float(window.endswith("\n\n")),
        "deeper": float(max(-8, min(8, _indent(left) - _indent(last)))),
        "document_chars": math.log1p(len(request.text)),
    }


def _known(left: str, window: str) -> Features:
    """Tell whether what was typed stands further up too: the word, the last characters, the whole line."""
    code, word = left.lstrip(), stub(left)
    return {
        "word_chars": float(min(len(word), 20)),
        "word_known": _times(word, window),
        "tail_6_known": _times(code[-6:], window),
        "tail_12_known": _times(code[-12:], window) if len(code) >= 12 else 0.0,
        "line_known": _times(code, window),
    }


def _times(text: str, window: str) -> float:
    """Return the logarithm of how often a text that is long enough stands in the window."""
    return math.log1p(min(window.count(text), 8)) if len(text) >= _LEAST_KNOWN else 0.0


def _lately(request: CompletionRequest, history: History) -> Features:
    fates = history.fates
    return {
        "last_taken": float(fates[-1]) if fates else 0.5,
        "taken_share": (sum(fates) + 1.0) / (len(fates) + 2.0),
    } | _last_attempt(request, history.last)


def _last_attempt(request: CompletionRequest, last: Attempt | None) -> Features:
    """Tell how the last attempt on this line went and whether what was typed since agrees with it."""
    typed = request.line_prefix
    same_line = last is not None and last.uri == request.uri and last.line_start == request.offset - len(typed)
    if last is None or not same_line or not typed.startswith(last.typed):
        return dict.fromkeys(_ATTEMPT, 0.0)
    since = typed[len(last.typed) :]
    agrees = last.text.startswith(since)
    return {
        "tried": 1.0,
        "since": float(min(len(since), 12)),
        "agrees": 1.0 if agrees else -1.0,
        "left_over": math.log1p(max(0, len(last.text) - len(since))) if agrees else 0.0,
        "last_logprob": max(last.logprob, -12.0),
        "last_mean": max(last.logprob / max(1, last.tokens), -6.0),
        "last_offered": float(last.offered),
    }


def _rhythm(request: CompletionRequest) -> float:
    """Return how much longer than usual the last pause was, as a logarithm; 0 where the rhythm is not known yet."""
    if not request.last_gap_ms or not request.usual_gap_ms:
        return 0.0
    return max(-2.0, min(2.0, math.log(request.last_gap_ms / request.usual_gap_ms)))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
