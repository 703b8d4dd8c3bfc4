"""A complete llama of the embedded large model's size, with random weights: what is timed needs no sense.

Layers, width and vocabulary are those of front and back together, so any program that runs GGUF files can be asked to
run the same amount of work.
"""

import argparse
from pathlib import Path

import gguf
import numpy as np

from jouline.catalogue.card import bundled_folder, load_catalogue

_SKIPPED = ("GGUF.", "general.", "llama.")


def write_standard(path: Path, *, seed: int = 1) -> Path:
    """Write the model in q8_0 and return its path."""
    card, folder = load_catalogue().pair("embedded"), bundled_folder()
    halves = [gguf.GGUFReader(folder / stage.file) for stage in (card.small, card.large)]
    front = halves[0]
    width, hidden, heads, kv_heads, words = (
        int(front.fields[f"llama.{name}"].contents())
        for name in (
            "embedding_length",
            "feed_forward_length",
            "attention.head_count",
            "attention.head_count_kv",
            "vocab_size",
        )
    )
    layers = sum(int(half.fields["llama.block_count"].contents()) for half in halves)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("standard llama with random weights")
    writer.add_context_length(8192)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(words)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    _copy_tokeniser(front, writer)
    _add_weights(writer, np.random.default_rng(seed), (layers, width, hidden, width * kv_heads // heads, words))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _copy_tokeniser(front: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in front.fields.items():
        if name.startswith(_SKIPPED):
            continue
        kinds = field.types
        inner = kinds[1] if len(kinds) > 1 else None
        writer.add_key_value(name, field.contents(), kinds[0], inner)


def _add_weights(writer: gguf.GGUFWriter, random: np.random.Generator, sizes: tuple[int, int, int, int, int]) -> None:
    layers, width, hidden, narrow, words = sizes

    def add(name: str, rows: int, columns: int) -> None:
        drawn = (random.standard_normal((rows, columns)) * columns**-0.5).astype(np.float32)
        packed = gguf.quants.quantize(drawn, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    add("token_embd.weight", words, width)
    add("output.weight", words, width)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        name = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{name}{norm}.weight", np.ones(width, np.float32))
        for part, rows in (("attn_q", width), ("attn_k", narrow), ("attn_v", narrow), ("attn_output", width)):
            add(f"{name}{part}.weight", rows, width)
        add(name + "ffn_gate.weight", hidden, width)
        add(name + "ffn_up.weight", hidden, width)
        add(name + "ffn_down.weight", width, hidden)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    write_standard(parser.parse_args().path)
