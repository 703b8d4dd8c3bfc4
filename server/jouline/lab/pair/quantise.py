"""Quantised copies of a GGUF file, made by llama.cpp itself."""

import ctypes
import os
from pathlib import Path

import llama_cpp.llama_cpp as ffi

from jouline.errors import JoulineError

KINDS = {"q8_0": ffi.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": ffi.LLAMA_FTYPE_MOSTLY_Q4_0}


def quantise(source: Path, target: Path, kind: str) -> None:
    """Write `source` at a lower precision: `q8_0` or `q4_0` (of which llama.cpp keeps the head at six bits)."""
    silence = ffi.llama_log_callback(lambda _level, _text, _data: None)
    ffi.llama_log_set(silence, None)
    options = ffi.llama_model_quantize_default_params()
    options.ftype, options.nthread = KINDS[kind], 1
    failed = ffi.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(options))
    ffi.llama_log_set(ffi.llama_log_callback(0), None)  # `silence` ends with this function
    if failed:
        raise JoulineError(f"llama.cpp could not quantise {source}; is it a complete GGUF file?")
