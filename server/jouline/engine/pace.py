"""How many tokens to evaluate at once, so that a cancelled request frees the engine within milliseconds."""

_LONGEST_MS = 8.0  # between two looks at the abort flag; what is behind the last one comes on top
_LEAST_TOKENS = 16


class Pace:
    """Learns how long a token of a batch takes and keeps batches short enough. Not thread-safe.

    On a CPU llama.cpp looks at the flag before each node of its graph, so a batch of a small model may be as large as
    it likes; on a GPU it does not look at all, and only the gap between two batches lets a request be given up.
    """

    def __init__(self, *, most_tokens: int, looks: int) -> None:
        """Begin with the largest batch if the flag is looked at within it, `looks` times at even distances in time."""
        self._most_tokens = most_tokens
        self._looks = looks
        self.tokens = most_tokens if looks > 1 else min(most_tokens, 4 * _LEAST_TOKENS)

    def learn(self, tokens: int, ms: float) -> None:
        """Take up how long a batch took; the shortest say little of longer ones and are passed over."""
        if tokens < _LEAST_TOKENS or ms <= 0:
            return
        fitting = int(min(self._most_tokens, _LONGEST_MS * self._looks * tokens / ms))
        wanted = max(_LEAST_TOKENS, min(self._most_tokens, 1 << max(0, fitting.bit_length() - 1)))
        self.tokens = wanted if wanted < self.tokens else min(wanted, 2 * self.tokens)
