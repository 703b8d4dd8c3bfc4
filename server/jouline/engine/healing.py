"""Token healing: take back the last pre-token of the prefix and have the model spell it again.

A prefix that ends inside a word is tokenised unlike anything the model saw in training. Taking the last pre-token back
and decoding under a mask that spells it doubles exact match in the middle of words (measured on the first pair).
"""

import re

import numpy as np
import numpy.typing as npt

from jouline.engine.vocabulary import Vocabulary

# The pre-tokeniser of Qwen2, with Python's classes for its letter and number categories.
_PRE_TOKEN = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    re.IGNORECASE,
)
_LOOK_BACK = 64  # characters: longer pre-tokens than this are not healed as a whole


def split_stub(prefix: str) -> tuple[str, str]:
    """Return `prefix` without its last pre-token, and that pre-token; the stub never crosses a line break."""
    start = max(prefix.rfind("\n") + 1, len(prefix) - _LOOK_BACK)
    tail = prefix[start:]
    if not tail:
        return prefix, ""
    last = tail
    for match in _PRE_TOKEN.finditer(tail):
        last = match.group()
    return prefix[: len(prefix) - len(last)], last


class Spelling:
    """The part of the stub that the model has still to spell."""

    def __init__(self, vocabulary: Vocabulary, stub: str) -> None:
        self._vocabulary = vocabulary
        self.left = stub.encode(errors="replace")

    def allowed(self) -> npt.NDArray[np.int64]:
        """Return the ids allowed next, shape (n,); meaningful only while something is `left`."""
        return self._vocabulary.spelling(self.left)

    def take(self, token: int) -> bytes:
        """Account for a chosen token; returns those of its bytes that lie behind the stub."""
        piece = self._vocabulary.pieces[token]
        if not self.left:
            return piece
        beyond = piece[len(self.left) :]
        self.left = self.left[len(piece) :]
        return beyond
