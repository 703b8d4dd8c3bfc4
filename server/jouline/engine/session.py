"""Sessions: a caller states the whole prompt, the session decides what of its timeline is kept.

A `TokenSession` runs a complete model. An `ExitSession` runs the back half of an early-exit network on the hidden
states that a `TokenSession` (the front half) leaves behind; the two share every prompt token the front has seen.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from jouline.engine.llama import Context, FloatArray
from jouline.engine.memo import LogitMemo
from jouline.engine.prefix import common_prefix
from jouline.engine.shelf import Parked, Shelf
from jouline.errors import EngineError

_WORTH_PARKING = 64  # tokens: evaluating fewer again costs less than keeping them aside


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

    @property
    def held(self) -> list[int]:
        """All that is evaluated: the timeline, and what it was before it was taken back; not to be changed."""

    def unload(self) -> None:
        """Free the model's memory and forget everything; the next `sync` loads it again."""

    def step(self, token: int) -> None:
        """Append one token."""

    def forget(self) -> None:
        """Give up all that was evaluated, what was put aside too."""

    def logits(self, back: int = 0) -> FloatArray:
        """Return the logits after the token `back` before the last: a view, good until the next call."""

    def pending(self, tokens: Sequence[int]) -> float:
        """Return the work that `sync(tokens)` would do now, in tokens of a whole pass; changes nothing."""

    @property
    def evaluated(self) -> int:
        """Prompt tokens that the last `sync` evaluated."""


class Extensible(Session, Protocol):
    """A timeline that several tokens may be appended to at once, and taken from, whatever its length at no cost."""

    def extend(self, tokens: list[int], *, rows: int = 1) -> None:
        """Append `tokens` with logits for the last `rows` of them.

        Where the timeline has gone that way before, nothing is evaluated. Raises Cancelled as `sync` does.
        """

    def back_to(self, position: int) -> None:
        """Make the timeline the first `position` tokens of what is held; what is behind them is kept for now."""


class _Timeline:
    """What a context holds, how much of it is the caller's timeline, and which logits along it are known.

    What a caller leaves behind (the answer to the last prompt) stays until something else takes its place, so going
    that way again costs nothing. What is given up at a jump is put on the shelf.
    """

    def __init__(self, context: Context, states: FloatArray | None = None) -> None:
        self.context = context
        self.states = states
        self.held: list[int] = []
        self.length = 0
        self.prompt = 0  # tokens of the last whole prompt: what is held behind them is an answer
        self.unchanged = 0  # see `TokenSession.unchanged`
        self.memo = LogitMemo(context.weights.vocabulary_size)
        self.shelf = Shelf(0 if context.weights.recurrent else context.shelf_bytes)

    def usable(self, wanted: list[int], rows: int) -> int:
        """Return how many of `wanted` need no evaluation: those held, but for logits of the last `rows` not known."""
        keep = common_prefix(self.held, wanted)
        for count in range(max(1, len(wanted) - rows + 1), keep + 1):
            if not self.memo.holds(count - 1):
                return count - 1
        return keep

    def missing(self, wanted: list[int], rows: int) -> int:
        """Return how many of `wanted` would have to be evaluated."""
        usable = self.usable(wanted, rows)
        return len(wanted) - max(usable, min(self.shelf.reach(wanted), len(wanted) - max(1, rows)))

    def rewind(self, wanted: list[int], rows: int, keep: int) -> int:
        """Give up all but the `keep` tokens that are of use for `wanted`, or take up a parked timeline that has more.

        Returns how many tokens of `wanted` are held now.
        """
        if rows > len(self.memo):
            raise EngineError(f"Logits are wanted for {rows} tokens, more than the {len(self.memo)} that are kept.")
        if self.shelf.open and self._exchange(wanted, keep):
            keep = self.usable(wanted, max(1, rows))
        self.prompt = len(wanted)
        self.cut(keep)
        return len(self.held)

    def go_on(self, tokens: list[int], rows: int) -> list[int]:
        """Append those of the first `tokens` that need no evaluation and give up what else is held behind them.

        Returns what is still to be evaluated; where a model cannot forget a part, that begins before `tokens`.
        """
        before, at = self.held, self.length
        if at == len(before):
            return tokens
        known = self._following(tokens, rows)
        if known == len(tokens):
            self.length += known
            return []
        self.cut(at + known)
        return [*before[self.length : at], *tokens[max(0, self.length - at) :]]

    def _following(self, tokens: list[int], rows: int) -> int:
        """Return how many of `tokens` are held behind the timeline, with logits for the last `rows`."""
        at, count = self.length, len(tokens)
        keep = common_prefix(self.held[at : at + count], tokens)
        for index in range(max(0, count - rows), keep):
            if not self.memo.holds(at + index):
                return index
        return keep

    def cut(self, position: int) -> None:
        """Forget everything from `position` on; a model that cannot forget a part forgets all."""
        if position < len(self.held):
            self._keep(position)
        self.length = len(self.held)

    def _keep(self, position: int) -> None:
        self.held = self.held[: self.context.trim(position)]
        self.memo.forget(len(self.held))
        self.unchanged = min(self.unchanged, len(self.held))

    def forget(self) -> None:
        """Give up everything, what was put aside too."""
        self.cut(0)
        self.prompt = 0
        self.shelf.clear()

    def believe(self, tokens: list[int], kept: int) -> None:
        """After a failed decode hold the first `kept` of `tokens` and nothing else."""
        self.held = tokens
        self._keep(kept)
        self.length = len(self.held)

    def grew(self, tokens: list[int], rows: int) -> None:
        """Note that the context holds `tokens` too now, behind what it held, with logits for the last `rows`."""
        self.held += tokens
        self.length = len(self.held)
        for back in range(rows):
            self.context.read_logits(back, self.memo.note(self.length - 1 - back))

    def unload(self) -> None:
        """Forget everything and free the context with its weights."""
        self.held, self.length, self.prompt, self.unchanged = [], 0, 0, 0
        self.memo.forget(0)
        self.shelf.clear()
        self.context.unload()

    def logits(self, back: int) -> FloatArray:
        """Return the logits after the token `back` before the last."""
        return self.memo.logits(self.length - 1 - back)

    def _exchange(self, wanted: list[int], keep: int) -> bool:
        far = len(wanted) - keep >= _WORTH_PARKING
        found = self.shelf.take(wanted, at_least=keep + _WORTH_PARKING) if far else None
        if min(self.prompt, len(self.held)) - keep >= _WORTH_PARKING:
            self.shelf.put(self._parked())
        if found is None:
            return False
        self.held, self.length, self.unchanged = [], 0, 0  # should this be broken off, nothing is trusted
        self.memo.forget(0)
        if self.context.unpack(found.packed):
            if self.states is not None and found.states is not None:
                self.states[: len(found.states)] = found.states
            self.held = found.tokens
        return True

    def _parked(self) -> Parked:
        states = None if self.states is None else self.states[: len(self.held)].copy()
        return Parked(tokens=list(self.held), packed=self.context.pack(), states=states)


class _OnTimeline:
    """What both kinds of session tell of their timeline."""

    _line: _Timeline

    @property
    def tokens(self) -> list[int]:
        """The timeline; not to be changed."""
        return self._line.held[: self._line.length]

    @property
    def held(self) -> list[int]:
        """All that is evaluated: the timeline, and what it was before it was taken back; not to be changed."""
        return self._line.held

    def unload(self) -> None:
        """See `Session.unload`."""
        self._line.unload()

    def forget(self) -> None:
        """See `Session.forget`."""
        self._line.forget()

    @property
    def shelf(self) -> Shelf:
        """The timelines put aside."""
        return self._line.shelf

    def logits(self, back: int = 0) -> FloatArray:
        """See `Session.logits`."""
        return self._line.logits(back)

    def back_to(self, position: int) -> None:
        """See `Extensible.back_to`."""
        self._line.length = min(position, len(self._line.held))


class TokenSession(_OnTimeline):
    """A complete model's timeline; with `keep_states` also its hidden states, shape (capacity, width)."""

    def __init__(self, context: Context, *, keep_states: bool = False) -> None:
        self._context = context
        self.states: FloatArray | None = None
        if keep_states:
            self.states = np.empty((context.capacity, context.weights.width), np.float32)
        self._line = _Timeline(context, self.states)
        self.evaluated = 0

    def sync(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """See `Session.sync`; with no `rows` a timeline that merely contains the prompt is enough."""
        line, wanted = self._line, list(tokens)
        _check_room(len(wanted), self._context.capacity)
        usable = line.usable(wanted, rows)
        if usable == len(wanted):
            line.length, self.evaluated = len(wanted), 0
            return 0.0
        keep = line.rewind(wanted, rows, usable)
        self.evaluated = len(wanted) - keep
        self._append(wanted[keep:], max(1, rows))  # a prompt's last logits may well be asked for later
        return float(self.evaluated)

    def step(self, token: int) -> None:
        """See `Session.step`."""
        self.extend([token])

    def extend(self, tokens: list[int], *, rows: int = 1) -> None:
        """See `Extensible.extend`; with no `rows` a timeline that merely contains the tokens is enough."""
        line = self._line
        _check_room(line.length + len(tokens), self._context.capacity)
        if missing := line.go_on(tokens, rows):
            self._append(missing, rows)

    def mark(self, count: int) -> None:
        """Have `unchanged` tell from now on what becomes of the first `count` tokens held."""
        self._line.unchanged = count

    def unchanged(self) -> int:
        """Return how many of the tokens that were marked have been held ever since."""
        return self._line.unchanged

    def pending(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """See `Session.pending`."""
        return float(self._line.missing(list(tokens), rows))

    def _append(self, tokens: list[int], rows: int) -> None:
        line, context = self._line, self._context
        at = len(line.held)
        rows = min(rows, len(tokens))
        try:
            context.decode_tokens(tokens, at, self.states, rows=max(1, rows))
            line.grew(tokens, rows)
        except BaseException:  # an interrupt from the keyboard too
            kept = context.kept()
            line.believe(line.held[:at] + tokens, kept if self.states is None else min(kept, context.stored))
            raise


class ExitSession(_OnTimeline):
    """The back half of an early-exit network on top of its front's timeline."""

    def __init__(self, front: TokenSession, context: Context, *, front_share: float) -> None:
        """`front_share` is the front's part of the cost of one token through the whole network, 0..1."""
        self._front = front
        self._context = context
        self._line = _Timeline(context)
        self.front_share = front_share
        self.evaluated = 0

    def sync(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """See `Session.sync`; the front is brought up first, then the back catches up in one pass."""
        line, wanted = self._line, list(tokens)
        _check_room(len(wanted), self._context.capacity)
        front_work = self._front.sync(wanted, rows=0)
        self._front.mark(len(wanted))
        usable = line.usable(wanted, rows)
        if usable == len(wanted):
            line.length, self.evaluated = len(wanted), 0
            return front_work * self.front_share
        keep = line.rewind(wanted, rows, usable)
        self.evaluated = len(wanted) - keep
        self._catch_up(wanted[keep:], rows)
        return front_work * self.front_share + self.evaluated * (1 - self.front_share)

    def step(self, token: int) -> None:
        """See `Session.step`."""
        self.extend([token])

    def extend(self, tokens: list[int], *, rows: int = 1) -> None:
        """See `Extensible.extend`; the front goes first."""
        line, front = self._line, self._front
        at = line.length
        _check_room(at + len(tokens), self._context.capacity)
        before = line.held
        missing = line.go_on(tokens, rows)
        if not missing:
            return
        if front.unchanged() >= at:
            front.back_to(at)
            front.extend(tokens, rows=0)
        else:
            front.sync([*before[:at], *tokens], rows=0)
        front.mark(at + len(tokens))
        self._catch_up(missing, rows)

    def pending(self, tokens: Sequence[int]) -> float:
        """See `Session.pending`; what the front has seen costs the back's share alone."""
        wanted = list(tokens)
        front, back = self._front.pending(wanted, rows=0), self._line.missing(wanted, 1)
        return front * self.front_share + back * (1 - self.front_share)

    def _catch_up(self, missing: list[int], rows: int) -> None:
        """Evaluate `missing` behind what is held; the front has their states."""
        line, states = self._line, self._front.states
        if states is None:
            raise EngineError("The front of an early-exit pair was opened without its hidden states.")
        at = len(line.held)
        try:
            rows = min(rows, len(missing))
            self._context.decode_states(states[at : at + len(missing)], at, rows=rows)
            line.grew(missing, rows)
        except BaseException:  # an interrupt from the keyboard too
            line.believe(line.held[:at] + missing, self._context.kept())
            raise


def _check_room(count: int, capacity: int) -> None:
    if not count:
        raise EngineError("The prompt is empty; there is nothing to go on from.")
    if count > capacity:
        raise EngineError(f"The prompt has {count} tokens, more than the {capacity} that the model was opened for.")
