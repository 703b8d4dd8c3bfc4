"""What decoding would take next, judged by other logits than those that decide: the ground that drafts are made on."""

from dataclasses import dataclass

import numpy as np

from jouline.engine.exit import kind_of
from jouline.engine.healing import Spelling
from jouline.engine.llama import FloatArray
from jouline.engine.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Guess:
    """A token that another model would take, and the lead of its logit over the next one's."""

    token: int
    lead: float


class Ahead:
    """A text that is being decoded, as far as a draft must know it: what is still to be spelled, and the room left."""

    def __init__(self, vocabulary: Vocabulary, stub: str, *, room: int, single_line: bool) -> None:
        """`room` is how many tokens may still be decoded; a single line ends at its first line break."""
        self._vocabulary = vocabulary
        self._spelling = Spelling(vocabulary, stub)
        self._single_line = single_line
        self.room = room
        self.logprob = 0.0  # of what was decoded behind the stub; kept by the decode loop

    def fork(self) -> "Ahead":
        """Return a copy that may run on by itself."""
        copy = Ahead(self._vocabulary, "", room=self.room, single_line=self._single_line)
        copy._spelling.left = self._spelling.left
        return copy

    @property
    def spelling(self) -> bool:
        """Whether a part of the stub is still to be spelled."""
        return bool(self._spelling.left)

    def guess(self, logits: FloatArray) -> Guess | None:
        """Return the likeliest token that may come next, None if none can spell the stub; `logits` stay as is."""
        if not self._spelling.left:
            return leader(logits)
        allowed = self._spelling.allowed()
        if not len(allowed):
            return None
        found = leader(logits[allowed])
        return Guess(int(allowed[found.token]), found.lead)

    def possible(self, logits: FloatArray) -> FloatArray:
        """Return the logits of those tokens that may come next."""
        return logits[self._spelling.allowed()] if self._spelling.left else logits

    def goes_on(self, token: int) -> bool:
        """Whether decoding would go on behind `token`, as far as can be told before it is chosen."""
        if token in self._vocabulary.ends or self.room <= 1:
            return False
        return not (self._single_line and not self.spelling and b"\n" in self._vocabulary.pieces[token])

    def kind(self, token: int) -> int:
        """Return the kind of a token (`exit.kind_of`)."""
        return kind_of(self._vocabulary.pieces[token])

    def take(self, token: int) -> None:
        """Go on by one token."""
        self._spelling.take(token)
        self.room -= 1


def leader(logits: FloatArray) -> Guess:
    """Return the index of the largest logit and its lead over the second; `logits` is changed and changed back."""
    best = int(logits.argmax())
    top = logits[best]
    if len(logits) == 1:
        return Guess(best, np.inf)
    logits[best] = -np.inf
    lead = float(top - logits.max())
    logits[best] = top
    return Guess(best, lead)
