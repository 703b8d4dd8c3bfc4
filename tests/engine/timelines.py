"""Sessions on tiny models, fresh or used, and an abort that goes up at an exact moment."""

import itertools
from typing import Any

import llama_cpp.llama_cpp as ffi
from tests.engine.tiny import TinyFiles

from jouline.engine.llama import Context, Weights
from jouline.engine.options import EngineOptions
from jouline.engine.session import ExitSession, TokenSession

# A batch of 24 takes three micro-batches of 8, so that prompts of a few dozen tokens have many places to stop at.
OPTIONS = EngineOptions(context_tokens=256, batch_tokens=24, ubatch_tokens=8, cache_bits=32)


class AbortAfter:
    """An abort flag that goes up by itself when llama.cpp has asked it so many times; None is never."""

    def __init__(self) -> None:
        self.left: int | None = None
        self._callback = ffi.ggml_abort_callback(lambda _data: self._asked())

    def install(self, context: Any) -> None:
        """Have `context` ask this flag while it decodes."""
        ffi.llama_set_abort_callback(context, self._callback, None)

    @property
    def raised(self) -> bool:
        """Whether the flag is up."""
        return self.left == 0

    def _asked(self) -> bool:
        if self.left:
            self.left -= 1
        return self.raised


class Timelines:
    """Contexts on tiny files, shared by tests; `fresh_*` gives a session on an empty timeline."""

    def __init__(self, files: TinyFiles, options: EngineOptions = OPTIONS) -> None:
        self.files = files
        self.abort = AbortAfter()
        self._weights = [Weights(path) for path in (files.front, files.back, files.whole)]
        contexts = zip(self._weights, (True, False, False), strict=True)
        self._contexts = [Context(weights, options, self.abort, states=states) for weights, states in contexts]
        self.words = self._weights[0].vocabulary_size

    def fresh_whole(self) -> TokenSession:
        """Return a session on the whole model."""
        return TokenSession(self._emptied(2))

    def fresh_exit(self) -> tuple[TokenSession, ExitSession]:
        """Return the small and the large session of an early-exit pair."""
        front = TokenSession(self._emptied(0), keep_states=True)
        return front, ExitSession(front, self._emptied(1), front_share=0.5)

    def close(self) -> None:
        """Free everything."""
        for opened in itertools.chain(self._contexts, self._weights):
            opened.close()

    def _emptied(self, index: int) -> Context:
        self.abort.left = None
        self._contexts[index].trim(0)
        return self._contexts[index]
