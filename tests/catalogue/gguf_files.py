"""Small GGUF files for tests: a header, a vocabulary, one tensor. No engine opens these."""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np

QWEN_MARKERS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


def write_gguf(
    path: Path,
    *,
    architecture: str = "qwen2",
    name: str = "Qwen2.5 Coder 1.5B",
    tokens: Sequence[str] = ("a", "b", *QWEN_MARKERS, "<|endoftext|>"),
    fim_ids: tuple[int, int, int] | None = None,
    rows: int = 64,
) -> Path:
    """Write a file whose one tensor has `rows` x 32 weights in f32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_context_length(2048)
    writer.add_block_count(3)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(list(tokens))
    keys = gguf.Keys.Tokenizer
    for key, number in zip((keys.FIM_PRE_ID, keys.FIM_SUF_ID, keys.FIM_MID_ID), fim_ids or (), strict=False):
        writer.add_uint32(key, number)
    writer.add_tensor("token_embd.weight", np.arange(rows * 32, dtype=np.float32).reshape(rows, 32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
