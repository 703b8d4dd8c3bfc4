"""How the engine opens a model."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Sizes and threads of one context.

    `ubatch_tokens` of 128 costs no prefill speed on CPU and lets an abort keep more finished work. `flash_attention`
    None is measured when a complete model is opened (`attention`); it is off for halves, where it never paid (LOG.md).
    """

    context_tokens: int = 2048
    batch_tokens: int = 512
    ubatch_tokens: int = 128
    threads: int = 1
    gpu_layers: int = 0
    flash_attention: bool | None = False
    twin: bool = False  # whether a second sequence shares the room, as `Context.double` needs
    cache_bits: Literal[16, 32] = 16  # of keys and values; 32 makes warm equal cold to the last digits
    shelf_bytes: int = 64_000_000  # most that timelines put aside may take, for going back to a place
