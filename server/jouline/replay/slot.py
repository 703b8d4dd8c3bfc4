"""What a server with one slot and a prompt cache reads of each prompt, counted without running it.

llama-server keeps what its slot has evaluated, the answer included, and of the next prompt reads only what follows the
longest common beginning (`cache_prompt`, on by default), one token at least, as the answer needs it; Ollama's runner
does the same. With `--cache-reuse N` llama-server also keeps chunks of N tokens and more that stand further back in
its cache than in the prompt, by shifting them (`update_slots` in llama.cpp's `tools/server/server-context.cpp`): that
helps where text was taken out before a chunk, as when a window's start moves on or characters are deleted. It does not
help a suffix behind text that grows, as the chunk must be what follows the common beginning of the *prompt*.
"""

from jouline.engine.prefix import common_prefix


class Slot:
    """One slot. The tokens of answers are left out: they stand behind the prompt and serve none that differs."""

    def __init__(self, reuse: int = 0) -> None:
        """`reuse` is the least number of tokens of a chunk that is shifted, 0 where none is."""
        self._reuse = reuse
        self._known: tuple[int, ...] = ()

    def ask(self, prompt: tuple[int, ...]) -> int:
        """Return how many tokens of a prompt are read, and keep it."""
        kept = common_prefix(self._known, prompt)
        if self._reuse:
            kept += self._shifted(prompt, kept)
        self._known = prompt
        return max(len(prompt) - kept, min(1, len(prompt)))

    def _shifted(self, prompt: tuple[int, ...], kept: int) -> int:
        """Return how many tokens behind the first `kept` are served by chunks further back in the cache."""
        known, old, new = self._known, kept, kept
        while old < len(known) and new < len(prompt):
            length = common_prefix(known[old:], prompt[new:]) if known[old] == prompt[new] else 0
            if length >= self._reuse:
                old, new = old + length, new + length
            else:
                old += 1
        return new - kept
