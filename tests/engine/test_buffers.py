"""What llama.cpp's log says of memory."""

import threading

import pytest

from jouline.engine.buffers import Buffers

TOLD = [
    (b"load_tensors:   CPU_Mapped model buffer size =     4.57 MiB\n", 4_792_000),
    (b"llama_kv_cache:        CPU KV buffer size =  1024.00 MiB\n", 1 << 30),
    (b"sched_reserve:      CUDA0 compute buffer size =     0.50 MiB\n", 1 << 19),
    (b"llama_kv_cache: size =    3.00 MiB (  1024 cells,   3 layers), K (f16):    1.50 MiB\n", None),  # told before
    (b"load: special tokens cache size = 8\n", None),
    (b"", None),
]


@pytest.mark.parametrize(("line", "taken"), TOLD)
def test_a_line_tells_of_one_buffer_or_of_none(line, taken):
    """Its bytes, to the hundredth of a mebibyte that is written; silence is unknown, not nothing."""
    buffers = Buffers()
    buffers.hear(line)
    assert buffers.since(0) == (None if taken is None else pytest.approx(taken, abs=6_000))


def test_each_thread_hears_its_own():
    """A pair that is opened elsewhere at the same time is not counted here."""
    buffers = Buffers()
    other = threading.Thread(target=buffers.hear, args=(TOLD[0][0],))
    other.start()
    other.join()
    assert buffers.since(0) is None
