"""Sessions: a caller states the whole prompt, the session decides what of its timeline is kept.

A `TokenSession` runs a complete model. An `ExitSession` runs the back half of an early-exit network on the hidden
states that a `TokenSession` (the front half) leaves behind; the two share every prompt token the front has seen.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from jouline.engine.llama import Context, FloatArray
from jouline.engine.prefix import common_prefix
from jouline.errors import EngineError


class Session(Protocol):
    """One mutable timeline of tokens."""

    def sync(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """Make the timeline equal to `tokens` with logits for the last `rows` of them.

        Returns the work done, in tokens of a whole pass of this model. Raises Cancelled when aborted; what finished
        by then is kept for the next call.
        """

    @property
    def tokens(self) -> list[int]:
        """The timeline; not to be changed."""

    def step(self, token: int) -> None:
        """Append one token."""

    def logits(self, back: int = 0) -> FloatArray:
        """Return the logits after the token `back` before the last: a view, good until the next call."""

    @property
    def evaluated(self) -> int:
        """Prompt tokens that the last `sync` evaluated."""


class TokenSession:
    """A complete model's timeline; with `keep_states` also its hidden states, shape (capacity, width)."""

    def __init__(self, context: Context, *, keep_states: bool = False) -> None:
        self._context = context
        self._tokens: list[int] = []
        self._rows = 0  # of how many tokens, counted from the last, the context has logits
        self.evaluated = 0
        self.states: FloatArray | None = None
        if keep_states:
            self.states = np.empty((context.capacity, context.weights.width), np.float32)

    def sync(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """See `Session.sync`; with no `rows` a timeline that merely contains the prompt is enough."""
        wanted = list(tokens)
        _check_room(len(wanted), self._context.capacity)
        keep = common_prefix(self._tokens, wanted)
        if keep == len(wanted) and (not rows or (self._rows >= rows and keep == len(self._tokens))):
            self.evaluated = 0
            return 0.0
        keep = self._rewind(min(keep, len(wanted) - max(1, rows)))
        self._append(wanted[keep:], max(1, rows))
        self.evaluated = len(wanted) - keep
        return float(self.evaluated)

    def step(self, token: int) -> None:
        """Append one token."""
        _check_room(len(self._tokens) + 1, self._context.capacity)
        self._append([token], 1)

    def logits(self, back: int = 0) -> FloatArray:
        """See `Session.logits`."""
        return self._context.logits(back)

    @property
    def tokens(self) -> list[int]:
        """The timeline; not to be changed."""
        return self._tokens

    def _rewind(self, position: int) -> int:
        if position < len(self._tokens):
            del self._tokens[self._context.trim(position) :]
        return len(self._tokens)

    def _append(self, tokens: list[int], rows: int) -> None:
        at = len(self._tokens)
        self._rows = 0
        try:
            self._context.decode_tokens(tokens, at, self.states, rows=rows)
        except BaseException:  # an interrupt from the keyboard too
            kept = self._context.kept()
            self._trust_only(kept if self.states is None else min(kept, self._context.stored), at, tokens)
            raise
        self._tokens.extend(tokens)
        self._rows = rows

    def _trust_only(self, kept: int, at: int, tokens: list[int]) -> None:
        """After an abort believe what llama.cpp reports, less the positions whose states were not read."""
        del self._tokens[at:]
        self._tokens.extend(tokens)
        del self._tokens[self._context.trim(kept) :]


class ExitSession:
    """The back half of an early-exit network on top of its front's timeline."""

    def __init__(self, front: TokenSession, context: Context, *, front_share: float) -> None:
        """`front_share` is the front's part of the cost of one token through the whole network, 0..1."""
        self._front = front
        self._context = context
        self._tokens: list[int] = []
        self._front_share = front_share
        self._rows = 0
        self.evaluated = 0

    @property
    def tokens(self) -> list[int]:
        """The back's timeline; not to be changed."""
        return self._tokens

    def sync(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """See `Session.sync`; the front is brought up first, then the back catches up in one pass."""
        wanted = list(tokens)
        _check_room(len(wanted), self._context.capacity)
        front_work = self._front.sync(wanted, rows=0)
        keep = common_prefix(self._tokens, wanted)
        if keep == len(wanted) == len(self._tokens) and self._rows >= rows:
            self.evaluated = 0
            return front_work * self._front_share
        keep = min(keep, len(wanted) - rows)
        if keep < len(self._tokens):
            del self._tokens[self._context.trim(keep) :]
        self.evaluated = len(wanted) - len(self._tokens)
        self._catch_up(wanted, rows)
        return front_work * self._front_share + self.evaluated * (1 - self._front_share)

    def step(self, token: int) -> None:
        """Append one token to both halves; where the front has gone that way already, to the back alone."""
        wanted = [*self._tokens, token]
        _check_room(len(wanted), self._context.capacity)
        self._front.sync(wanted, rows=0)
        self._catch_up(wanted, 1)

    def logits(self, back: int = 0) -> FloatArray:
        """See `Session.logits`."""
        return self._context.logits(back)

    def _catch_up(self, wanted: list[int], rows: int) -> None:
        at = len(self._tokens)
        states = self._front.states
        if states is None:
            raise EngineError("The front of an early-exit pair was opened without its hidden states.")
        self._rows = 0
        try:
            self._context.decode_states(states[at : len(wanted)], at, rows=rows)
        except BaseException:  # an interrupt from the keyboard too
            self._tokens = wanted[: self._context.trim(self._context.kept())]
            raise
        self._tokens = wanted
        self._rows = rows


def _check_room(count: int, capacity: int) -> None:
    if not count:
        raise EngineError("The prompt is empty; there is nothing to go on from.")
    if count > capacity:
        raise EngineError(f"The prompt has {count} tokens, more than the {capacity} that the model was opened for.")
