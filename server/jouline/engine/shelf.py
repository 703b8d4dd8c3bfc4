"""Timelines put aside: what a context had evaluated before it went elsewhere, least recently used ones dropped.

Found by their tokens, so nobody has to name files or suffixes: going back to a place finds the timeline that shares
most of its prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jouline.engine.memo import FloatArray
from jouline.engine.prefix import common_prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A timeline's tokens, its keys and values as llama.cpp packs them, and a front's hidden states."""

    tokens: list[int]
    packed: npt.NDArray[np.uint8]
    states: FloatArray | None = None

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.packed.nbytes + (self.states.nbytes if self.states is not None else 0)


class Shelf:
    """Parked timelines within a budget of bytes; 0 keeps none."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parked: list[Parked] = []  # the most recently used last
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._parked)

    @property
    def open(self) -> bool:
        """Whether it keeps anything at all."""
        return self._most_bytes > 0

    def put(self, parked: Parked) -> None:
        """Keep a timeline; those unused for longest make room, and what is larger than the whole budget is dropped."""
        self._parked.append(parked)
        self.bytes += parked.bytes
        while self.bytes > self._most_bytes:
            self.bytes -= self._parked.pop(0).bytes

    def reach(self, tokens: Sequence[int]) -> int:
        """Return how many of `tokens`, from the first on, the best of the parked timelines has."""
        return max((common_prefix(each.tokens, tokens) for each in self._parked), default=0)

    def take(self, tokens: Sequence[int], *, at_least: int) -> Parked | None:
        """Remove and return the timeline that shares most of `tokens`; None if none shares `at_least` so many."""
        reaches = [common_prefix(each.tokens, tokens) for each in self._parked]
        if not reaches or max(reaches) < at_least:
            return None
        found = self._parked.pop(reaches.index(max(reaches)))
        self.bytes -= found.bytes
        return found

    def clear(self) -> None:
        """Drop everything."""
        self._parked.clear()
        self.bytes = 0
