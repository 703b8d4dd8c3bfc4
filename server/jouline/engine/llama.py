"""llama.cpp through llama-cpp-python's low-level API: load, tokenise, decode, abort. No policy.

The only module that imports llama_cpp. Facts it rests on (llama.h of llama.cpp 0c1e57098, checked by running):
a context belongs to one thread at a time; `llama_decode` releases the GIL; an aborted decode returns 2 and keeps the
micro-batches that finished; with `embeddings` on, every token of a batch is an output and its hidden state is the one
after the output norm.
"""

import ctypes
import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as ffi
import numpy as np
import numpy.typing as npt

from jouline.cancel import Cancelled
from jouline.engine.buffers import Buffers
from jouline.engine.options import EngineOptions
from jouline.engine.pace import Pace
from jouline.errors import EngineError

FloatArray = npt.NDArray[np.float32]

_ABORTED = 2
_LOOKS_A_LAYER = 3  # at even distances: the feed-forward part's three products are its longest nodes
_BYTES = ctypes.POINTER(ctypes.c_uint8)


@functools.cache
def _backend() -> tuple[Buffers, Any]:
    """Start llama.cpp once and keep its log away from stdout and stderr; the callback must live on."""
    buffers = Buffers()
    callback = ffi.llama_log_callback(lambda _level, text, _data: buffers.hear(text))
    ffi.llama_log_set(callback, None)
    ffi.llama_backend_init()
    return buffers, callback


def supports_gpu() -> bool:
    """Whether this build of llama.cpp can place layers on a GPU."""
    _backend()
    return bool(ffi.llama_supports_gpu_offload())


class Weights:
    """A GGUF file opened by llama.cpp: its sizes and its tokeniser. Immutable after opening."""

    def __init__(self, path: Path, *, gpu_layers: int = 0, vocabulary_only: bool = False) -> None:
        """Open `path`, or only its tokeniser; raises EngineError with one plain sentence when that fails."""
        self._buffers, _ = _backend()
        self.path = path
        self.gpu_layers = gpu_layers
        self.shared = False  # by two contexts: then `unload` keeps them
        before = self._buffers.bytes
        self.pointer: Any = _opened(path, gpu_layers=gpu_layers, vocabulary_only=vocabulary_only)
        self.bytes = self._buffers.since(before)  # what they take in memory while loaded; None is unknown
        self._words: Any = None  # a model opened for its tokeniser alone, while the weights are unloaded
        self._vocab = ffi.llama_model_get_vocab(self.pointer)
        self.vocabulary_size: int = ffi.llama_vocab_n_tokens(self._vocab)
        self.width: int = ffi.llama_model_n_embd(self.pointer)
        self.layers: int = ffi.llama_model_n_layer(self.pointer)
        self.recurrent = bool(
            ffi.llama_model_is_recurrent(self.pointer) or ffi.llama_model_is_hybrid(self.pointer)
        )  # its state is one of all that was read, no part of which can be taken back
        self.trained_context: int = ffi.llama_model_n_ctx_train(self.pointer)
        self.windowed = ffi.llama_model_n_swa(self.pointer) > 0  # some layers look back only so far
        self.parameters: int = ffi.llama_model_n_params(self.pointer)

    def tokenise(self, text: str) -> list[int]:
        """Return the ids of `text`; what looks like a control token in it stays plain text.

        Half of a surrogate pair, which an editor may send but no UTF-8 can hold, counts as a question mark.
        """
        data = text.encode(errors="replace")
        room = (len(data) // 256 + 1) * 256  # ctypes makes a type for each new length
        ids = (ffi.llama_token * room)()
        count = ffi.llama_tokenize(self._vocab, data, len(data), ids, room, False, False)
        if count < 0:
            raise EngineError("The tokeniser failed on this text; please report it with the model's name.")
        return list(ids[:count])

    def special(self, marker: str) -> int | None:
        """Return the id of a control token by its text, such as `<|fim_prefix|>`; None if it is not one token here."""
        data = marker.encode()
        ids = (ffi.llama_token * (len(data) + 8))()
        count = ffi.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, True)
        return int(ids[0]) if count == 1 else None

    def begin(self) -> int | None:
        """Return the id that must begin every text, None where the file asks for none."""
        return int(ffi.llama_vocab_bos(self._vocab)) if ffi.llama_vocab_get_add_bos(self._vocab) else None

    def pieces(self) -> list[bytes]:
        """Return the bytes of each token, empty for control tokens; shape (vocabulary_size,)."""
        buffer = ctypes.create_string_buffer(512)
        return [self._piece(token, buffer) for token in range(self.vocabulary_size)]

    def _piece(self, token: int, buffer: Any) -> bytes:
        length = ffi.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        if length < 0:  # the negated length of a piece that does not fit
            return self._piece(token, ctypes.create_string_buffer(-length))
        return bytes(buffer.raw[:length])

    def ends(self) -> frozenset[int]:
        """Return the ids that end a generation."""
        is_end = ffi.llama_vocab_is_eog
        return frozenset(t for t in range(self.vocabulary_size) if is_end(self._vocab, t))

    def unload(self) -> None:
        """Free the weights until `load`, unless they are shared; the tokeniser stays. No context may use them."""
        if self.pointer and not self.shared:
            self._words = _opened(self.path, gpu_layers=0, vocabulary_only=True)
            self._vocab = ffi.llama_model_get_vocab(self._words)
            ffi.llama_model_free(self.pointer)
            self.pointer = None

    def load(self) -> None:
        """Have the weights in memory again; raises EngineError where the file is gone."""
        if not self.pointer:
            self.pointer = _opened(self.path, gpu_layers=self.gpu_layers, vocabulary_only=False)
            self._vocab = ffi.llama_model_get_vocab(self.pointer)
            ffi.llama_model_free(self._words)
            self._words = None

    def close(self) -> None:
        """Free the weights; no context on them may be used afterwards."""
        for pointer in (self.pointer, self._words):
            if pointer:
                ffi.llama_model_free(pointer)
        self.pointer = self._words = None


def _opened(path: Path, *, gpu_layers: int, vocabulary_only: bool) -> Any:
    if not path.is_file():
        raise EngineError(f"The model file {path} is missing; run `jouline models verify`.")
    params = ffi.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    params.vocab_only = vocabulary_only
    pointer = ffi.llama_model_load_from_file(os.fsencode(path), params)
    if not pointer:
        raise EngineError(f"{path} cannot be opened as a GGUF model; fetch it again or choose another file.")
    return pointer


class AbortFlag:
    """A byte that makes a running decode return within milliseconds, set from any thread without the GIL.

    llama.cpp asks a C callback before each node of the graph; `strlen` on a one-byte buffer is such a callback: it
    returns 1 while the byte is set, else 0. CPU backends only; on GPU the batches are small and checked between.
    """

    def __init__(self) -> None:
        self._flag = ctypes.create_string_buffer(2)
        strlen = ctypes.cast(_c_library().strlen, ctypes.c_void_p).value
        self._callback = ctypes.cast(strlen or 0, ffi.ggml_abort_callback)

    def install(self, context: Any) -> None:
        """Have `context` ask this flag while it decodes."""
        ffi.llama_set_abort_callback(context, self._callback, ctypes.cast(self._flag, ctypes.c_void_p))

    def raise_flag(self) -> None:
        """Stop the decode that is running."""
        self._flag[0] = b"\1"

    def lower(self) -> None:
        """Let decodes run again."""
        self._flag[0] = b"\0"

    @property
    def raised(self) -> bool:
        """Whether the flag is up."""
        return bool(self._flag[0] == b"\1")


def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL("msvcrt" if os.name == "nt" else None)


class Context:
    """One timeline of keys and values on some weights, with preallocated batches. Not thread-safe.

    `states` makes every decode keep the hidden states of its tokens (an early-exit front).
    """

    def __init__(self, weights: Weights, options: EngineOptions, abort: AbortFlag, *, states: bool = False) -> None:
        self.weights = weights
        self.capacity = options.context_tokens
        self.shelf_bytes = options.shelf_bytes
        self._abort = abort
        self._batch_tokens = options.batch_tokens
        self._waits = options.gpu_layers > 0  # a GPU works on after `llama_decode` has returned
        looks = 1 if self._waits else _LOOKS_A_LAYER * weights.layers
        self._pace = Pace(most_tokens=options.batch_tokens, looks=looks)
        self._params = _context_params(options, states=states)
        self._logit_bytes = 4 * weights.vocabulary_size
        self._open()
        self._tokens = _Batch(options.batch_tokens, 0)
        self._vectors = _Batch(options.batch_tokens, weights.width)
        self.evaluated = 0  # tokens since opening, prompts and answers alike
        self.stored = 0  # positions whose hidden states were read by the last `decode_tokens`

    def _open(self) -> None:
        buffers, _ = _backend()
        before = buffers.bytes
        self._pointer = ffi.llama_init_from_model(self.weights.pointer, self._params)
        if not self._pointer:
            raise EngineError(f"There is not enough memory to run {self.weights.path.name}; choose a smaller model.")
        self.bytes = buffers.since(before)  # of keys, values and what is computed on the way; None is unknown
        self._memory = ffi.llama_get_memory(self._pointer)
        self._abort.install(self._pointer)

    @property
    def resident(self) -> bool:
        """Whether the context, and so its weights, are in memory."""
        return bool(self._pointer)

    def unload(self) -> None:
        """Free the context and its weights and forget the timeline; the next decode loads both again."""
        if self._pointer:
            ffi.llama_free(self._pointer)
            self._pointer = None
            self.weights.unload()

    def _wake(self) -> None:
        if not self._pointer:
            self.weights.load()
            self._open()

    def decode_tokens(self, tokens: Sequence[int], at: int, states: FloatArray | None = None, *, rows: int = 1) -> None:
        """Evaluate `tokens` at positions `at`…; logits are kept for the last `rows`, states written to `states[at:]`.

        Raises Cancelled when the abort flag went up (then `kept` tells what is there) and EngineError on failure.
        """
        self.stored = at
        for start, end in self._chunks(len(tokens), rows):
            chunk = tokens[start:end]
            batch = self._tokens.fill(len(chunk), at + start, rows if end == len(tokens) else 1)
            self._tokens.token[: len(chunk)] = chunk
            self._decode(batch)
            if states is not None:
                row, self.stored = states.strides[0], at + end
                address = states.ctypes.data + (at + start) * row
                ctypes.memmove(address, ffi.llama_get_embeddings(self._pointer), len(chunk) * row)

    def decode_states(self, states: FloatArray, at: int, *, rows: int = 1) -> None:
        """Evaluate hidden states, shape (n, width), in the place of tokens at positions `at`…; all else as above."""
        for start, end in self._chunks(len(states), rows):
            chunk = states[start:end]
            batch = self._vectors.fill(len(chunk), at + start, rows if end == len(states) else 1)
            self._vectors.embd[: len(chunk)] = chunk
            self._decode(batch)

    def _chunks(self, count: int, rows: int) -> list[tuple[int, int]]:
        """Cut `count` tokens into batches, the last of which holds all that logits are wanted for."""
        if rows > self._batch_tokens:
            raise EngineError(f"Logits are wanted for {rows} tokens, more than the {self._batch_tokens} of a batch.")
        if count == 1:
            return [(0, 1)]
        if not count:
            return []
        size = max(rows, self._pace.tokens)
        starts = list(range(0, max(1, count - rows + 1), size))
        if count - starts[-1] > size:
            starts.append(count - rows)
        return list(zip(starts, [*starts[1:], count], strict=True))

    def _decode(self, batch: Any) -> None:
        if self._abort.raised:
            raise Cancelled
        self._wake()
        began = time.perf_counter()
        code = ffi.llama_decode(self._pointer, batch)
        if self._waits:
            ffi.llama_synchronize(self._pointer)
        if code == _ABORTED:
            raise Cancelled
        if code != 0:
            raise EngineError(f"The model {self.weights.path.name} failed to evaluate a batch (code {code}).")
        self.evaluated += int(batch.n_tokens)
        self._pace.learn(int(batch.n_tokens), (time.perf_counter() - began) * 1e3)

    def read_logits(self, back: int, address: int) -> None:
        """Copy the float32 logits of the token `back` before the last to `address`; the last decode kept them."""
        if not (found := ffi.llama_get_logits_ith(self._pointer, -1 - back)):
            raise EngineError(f"The model {self.weights.path.name} was evaluated and gave nothing; please report it.")
        ctypes.memmove(address, found, self._logit_bytes)

    def trim(self, position: int) -> int:
        """Forget everything from `position` on; returns how many positions are left.

        That is `position`, or 0 where a model cannot forget a part (recurrent and hybrid ones) and so forgets all.
        """
        if not self._pointer:
            return 0
        if ffi.llama_memory_seq_rm(self._memory, 0, position, -1):
            return position
        ffi.llama_memory_clear(self._memory, True)
        return 0

    def kept(self) -> int:
        """Return how many positions are good after a decode that failed: those that llama.cpp reports.

        Of a recurrent model it is none: the batch that was broken off has spoilt its state, whatever is reported.
        """
        if self.weights.recurrent or not self._pointer:
            return 0
        return int(ffi.llama_memory_seq_pos_max(self._memory, 0)) + 1

    def pack(self) -> npt.NDArray[np.uint8]:
        """Return a copy of the timeline's keys and values, for `unpack`."""
        size = int(ffi.llama_state_seq_get_size(self._pointer, 0))
        packed = np.empty(size, np.uint8)
        written = int(ffi.llama_state_seq_get_data(self._pointer, packed.ctypes.data_as(_BYTES), size, 0))
        return packed[:written]

    def unpack(self, packed: npt.NDArray[np.uint8]) -> bool:
        """Take up a timeline that `pack` returned in the place of what is there; False, all forgotten, on failure."""
        self._wake()
        ffi.llama_memory_clear(self._memory, False)
        if self._take(packed, 0):
            return True
        ffi.llama_memory_clear(self._memory, True)
        return False

    def double(self) -> bool:
        """Have all keys and values twice, at the positions where they are, with nothing evaluated; False on failure.

        Needs `twin`. What is decoded then attends to twice as much and means nothing: for timing only.
        """
        if not self._take(self.pack(), 1):
            return False
        ffi.llama_memory_seq_cp(self._memory, 1, 0, -1, -1)
        return bool(ffi.llama_memory_seq_rm(self._memory, 1, -1, -1))

    def _take(self, packed: npt.NDArray[np.uint8], sequence: int) -> bool:
        data = packed.ctypes.data_as(_BYTES)
        return bool(ffi.llama_state_seq_set_data(self._pointer, data, packed.nbytes, sequence))

    def close(self) -> None:
        """Free the context and its batches."""
        if self._pointer:
            ffi.llama_free(self._pointer)
            self._pointer = None
        self._tokens.close()
        self._vectors.close()


def _context_params(options: EngineOptions, *, states: bool) -> Any:
    params = ffi.llama_context_default_params()
    params.n_ctx = options.context_tokens
    params.n_batch = options.batch_tokens
    params.n_ubatch = options.ubatch_tokens
    params.n_threads = params.n_threads_batch = options.threads
    params.flash_attn_type = (
        ffi.LLAMA_FLASH_ATTN_TYPE_ENABLED if options.flash_attention else ffi.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    params.type_k = params.type_v = ffi.GGML_TYPE_F32 if options.cache_bits == 32 else ffi.GGML_TYPE_F16
    params.n_seq_max, params.kv_unified = 2 if options.twin else 1, options.twin
    params.embeddings = states
    params.no_perf = True
    return params


class _Batch:
    """A llama_batch with numpy views on its arrays, so that filling it costs no ctypes call a token."""

    def __init__(self, size: int, width: int) -> None:
        self._batch = ffi.llama_batch_init(size, width, 1)
        self._position = np.ctypeslib.as_array(self._batch.pos, (size,))
        self._wanted = np.ctypeslib.as_array(self._batch.logits, (size,))
        np.ctypeslib.as_array(self._batch.n_seq_id, (size,))[:] = 1
        for index in range(size):
            self._batch.seq_id[index][0] = 0
        if width:
            self.embd = np.ctypeslib.as_array(self._batch.embd, (size, width))
        else:
            self.token = np.ctypeslib.as_array(self._batch.token, (size,))

    def fill(self, count: int, at: int, rows: int) -> Any:
        """Set `count` positions from `at` on, output wanted for the last `rows`; returns the C struct."""
        self._batch.n_tokens = count
        if count == 1:
            self._position[0], self._wanted[0] = at, 1
            return self._batch
        self._position[:count] = np.arange(at, at + count)
        self._wanted[:count] = 0
        self._wanted[max(0, count - rows) : count] = 1
        return self._batch

    def close(self) -> None:
        """Free the arrays."""
        if self._batch is not None:
            ffi.llama_batch_free(self._batch)
            self._batch = None
