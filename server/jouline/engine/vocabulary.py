"""What a model's tokens spell: the bytes of each, which end a line, which end the text."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt


class Vocabulary:
    """The bytes of each token, indexed both ways. Immutable."""

    def __init__(self, pieces: Sequence[bytes], ends: Iterable[int]) -> None:
        """`pieces[id]` are a token's bytes, empty for control tokens; `ends` are the ids that end a text.

        Any other control token ends it too, because what follows a marker belongs to some other text; and an end spells
        nothing, whatever bytes the file gives it.
        """
        named = frozenset(ends)
        self.pieces = [b"" if token in named else piece for token, piece in enumerate(pieces)]
        self.ends = frozenset(token for token, piece in enumerate(self.pieces) if not piece)
        order = sorted((piece, token) for token, piece in enumerate(self.pieces) if piece)
        self._sorted = [piece for piece, _ in order]
        self._ids = np.array([token for _, token in order], np.int64)
        self._exact: dict[bytes, list[int]] = {}
        for piece, token in order:
            self._exact.setdefault(piece, []).append(token)

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self.pieces)

    def spelling(self, stub: bytes) -> npt.NDArray[np.int64]:
        """Return the ids that can begin to spell `stub` or spell it and go on, shape (n,)."""
        low = bisect_left(self._sorted, stub)
        high = bisect_left(self._sorted, _after(stub)) if _after(stub) else len(self._sorted)
        shorter = [t for end in range(1, len(stub)) for t in self._exact.get(stub[:end], ())]
        return np.concatenate([self._ids[low:high], np.array(shorter, np.int64)])


def _after(stub: bytes) -> bytes:
    """Return the first byte string behind all that start with `stub`, empty if there is none."""
    trimmed = stub.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b""
