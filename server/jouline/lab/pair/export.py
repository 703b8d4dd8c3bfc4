"""Network to GGUF and back: two llama-architecture files, the front complete, the back on top of its states.

The back's `token_embd` is never asked for tokens, since it is fed with states; it holds the head, which llama.cpp ties
to it. Our rotary positions turn the first half of a head against the second, llama.cpp's `llama` architecture turns
neighbours: query and key rows are reordered on the way.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from jouline.lab.pair.names import PARTS, file_name
from jouline.lab.pair.network import Layer, Pair, Shape

Array = NDArray[np.float32]

LINEAR = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}  # fmt: skip  # noqa: E501
NORM = {"attention_norm": "attn_norm", "feed_norm": "ffn_norm"}
FIM_KEYS = {
    gguf.Keys.Tokenizer.FIM_PRE_ID: "<|fim_prefix|>",
    gguf.Keys.Tokenizer.FIM_SUF_ID: "<|fim_suffix|>",
    gguf.Keys.Tokenizer.FIM_MID_ID: "<|fim_middle|>",
    gguf.Keys.Tokenizer.FIM_PAD_ID: "<|fim_pad|>",
    gguf.Keys.Tokenizer.FIM_REP_ID: "<|repo_name|>",
    gguf.Keys.Tokenizer.FIM_SEP_ID: "<|file_sep|>",
}


def interleaved(rows: Array, heads: int) -> Array:
    """Reorder rotary rows (heads x size, width) from halves to neighbouring pairs."""
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def halved(rows: Array, heads: int) -> Array:
    """Undo `interleaved`."""
    return rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def tensors(pair: Pair, part: str) -> Iterator[tuple[str, Array]]:
    """GGUF name and float32 values of every tensor of a part."""
    yield "token_embd.weight", _values(pair.embedding.weight)
    yield "output_norm.weight", _values(getattr(pair, f"{part}_norm").weight)
    for number, layer in enumerate(getattr(pair, part)):
        for ours, theirs in (LINEAR | NORM).items():
            values = _values(getattr(layer, ours).weight)
            yield f"blk.{number}.{theirs}.weight", interleaved(values, pair.shape.heads) if ours in "qk" else values


def _values(parameter: torch.Tensor) -> Array:
    return np.ascontiguousarray(parameter.detach().float().cpu().numpy())


def write(pair: Pair, tokenizer: Path, folder: Path, *, half: bool = True) -> list[Path]:
    """Write front and back with their tokenizer at float16 (or float32) into a folder; returns the two paths."""
    return [
        _write_part(pair, part, tokenizer, folder / file_name(part, "f16" if half else "f32"), half=half)
        for part in PARTS
    ]


def _write_part(pair: Pair, part: str, tokenizer: Path, path: Path, *, half: bool) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"jouline-embedded-{part}")
    _add_shape(writer, pair.shape, layers=len(getattr(pair, part)))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, json.loads(tokenizer.read_text("utf-8")))
    for name, values in tensors(pair, part):
        writer.add_tensor(name, values.astype(np.float16) if half and values.ndim == 2 else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_shape(writer: gguf.GGUFWriter, shape: Shape, *, layers: int) -> None:
    writer.add_license("MIT")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_dimension_count(shape.head)
    writer.add_vocab_size(shape.vocabulary)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    control = {added["content"]: added["id"] for added in tokenizer["added_tokens"]}
    ids = tokenizer["model"]["vocab"] | control
    names = sorted(ids, key=ids.__getitem__)
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(names)
    writer.add_token_types([gguf.TokenType.CONTROL if n in control else gguf.TokenType.NORMAL for n in names])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(control["<|endoftext|>"])
    writer.add_eos_token_id(control["<|endoftext|>"])
    writer.add_pad_token_id(control["<|fim_pad|>"])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    for key, name in FIM_KEYS.items():
        writer.add_uint32(key, control[name])


def read(front: Path, back: Path) -> Pair:
    """Return the network of two GGUF files of any precision, in float32: what their weights are worth."""
    readers = {"front": gguf.GGUFReader(front), "back": gguf.GGUFReader(back)}
    pair = Pair(_shape(readers))
    for part, reader in readers.items():
        values = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        with torch.no_grad():
            if part == "front":
                pair.embedding.weight.copy_(torch.from_numpy(values["token_embd.weight"]))
            getattr(pair, f"{part}_norm").weight.copy_(torch.from_numpy(values["output_norm.weight"]))
            for number, layer in enumerate(getattr(pair, part)):
                _fill(layer, values, f"blk.{number}.", pair.shape.heads)
    pair.eval()
    return pair


def _fill(layer: Layer, values: dict[str, Array], prefix: str, heads: int) -> None:
    for ours, theirs in (LINEAR | NORM).items():
        found = values[f"{prefix}{theirs}.weight"]
        found = halved(found, heads) if ours in "qk" else found
        getattr(layer, ours).weight.copy_(torch.from_numpy(np.ascontiguousarray(found)))


def _shape(readers: dict[str, gguf.GGUFReader]) -> Shape:
    def field(part: str, key: str) -> Any:
        return readers[part].fields[f"llama.{key}"].contents()

    return Shape(
        vocabulary=field("front", "vocab_size"),
        width=field("front", "embedding_length"),
        hidden=field("front", "feed_forward_length"),
        front=field("front", "block_count"),
        back=field("back", "block_count"),
        head=field("front", "rope.dimension_count"),
        context=field("front", "context_length"),
        rope_base=field("front", "rope.freq_base"),
        epsilon=field("front", "attention.layer_norm_rms_epsilon"),
    )
