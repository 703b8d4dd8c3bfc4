"""The logits of a timeline's last positions, so that going back a few tokens costs no evaluation."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_MOST_BYTES = 16_000_000
_ROWS = (32, 64)


class LogitMemo:
    """A ring of logit rows by position: 64 rows, fewer but at least 32 where they would take more than 16 MB."""

    def __init__(self, vocabulary_size: int) -> None:
        rows = max(_ROWS[0], min(_ROWS[1], _MOST_BYTES // (4 * vocabulary_size)))
        self._rows = np.empty((rows, vocabulary_size), np.float32)
        self._address, self._row_bytes = self._rows.ctypes.data, self._rows.strides[0]
        self._positions = np.full(rows, -1, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def note(self, position: int) -> int:
        """Return the address to which the logits after the token at `position` are to be copied; it holds them now."""
        row = position % len(self._rows)
        self._positions[row] = position
        return self._address + row * self._row_bytes

    def holds(self, position: int) -> bool:
        """Whether the logits after the token at `position` are known."""
        return position >= 0 and bool(self._positions[position % len(self._rows)] == position)

    def logits(self, position: int) -> FloatArray:
        """Return the logits noted for `position`, shape (vocabulary_size,): good until that row is noted anew."""
        row: FloatArray = self._rows[position % len(self._rows)]
        return row

    def forget(self, position: int) -> None:
        """Forget everything from `position` on."""
        self._positions[self._positions >= position] = -1
