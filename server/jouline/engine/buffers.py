"""How much memory llama.cpp takes: its log names each buffer as it is allocated, which no call of its API does."""

import re
import threading

# llama.cpp 0c1e57098: load_tensors, llama_context, llama_kv_cache and sched_reserve all write so.
_BUFFER = re.compile(rb"buffer size = +(\d+\.\d\d) MiB")
_MIB = 1 << 20


class Buffers(threading.local):
    """Sums the buffers that were allocated in this thread: weights, keys and values, what is computed on the way."""

    def __init__(self) -> None:
        self.bytes = 0

    def hear(self, line: bytes) -> None:
        """Take one line of the log."""
        if found := _BUFFER.search(line):
            self.bytes += round(float(found[1]) * _MIB)

    def since(self, before: int) -> int | None:
        """Return what was allocated since `bytes` was `before`; None where the log told of nothing."""
        return self.bytes - before or None
