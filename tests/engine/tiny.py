"""Tiny early-exit networks as GGUF files: random weights in 32 bits, a small byte-level vocabulary, a numpy reference.

One network of the llama architecture is written three times: whole, as front (its own norm and head) and as back.
The front's state after its norm is what the back takes, so `whole` holds that norm as a layer of its own only in the
reference below; the file `whole` is a plain complete model of the same shape, a stand-in for any downloaded one.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

Weights = dict[str, npt.NDArray[np.float32]]

WIDTH, HEADS, HIDDEN, FRONT, BACK = 32, 2, 64, 2, 2
EPSILON, THETA, CONTEXT = 1e-5, 10_000.0, 256
MARKERS = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SAMPLE = """
def read(path, encoding="utf-8"):
    # Grüße, naïve café: 漢字
    with open(path, encoding=encoding) as file:
        return [line.rstrip() for line in file if line.strip()]


class Reader(object):
    def __init__(self, path):
        self.path = path
        self.lines = read(self.path)

    def __len__(self):
        return len(self.lines)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyFiles:
    """Where the files lie, and the weights that are in front and back."""

    whole: Path
    front: Path
    back: Path
    front_weights: Weights
    back_weights: Weights


@functools.cache
def tokenizer() -> Tokenizer:
    """Return a byte-level tokeniser of 384 ids and the markers, trained on the sample above."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=384, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([SAMPLE], trainer=trainer)
    made.add_special_tokens(list(MARKERS))
    return made


def write_files(folder: Path, *, seed: int = 7) -> TinyFiles:
    """Write the three files."""
    front, back = _network(seed, FRONT), _network(seed + 1, BACK)
    del back["output.weight"]  # tied, as the shipped back is
    files = TinyFiles(
        whole=folder / "whole.gguf",
        front=folder / "front.gguf",
        back=folder / "back.gguf",
        front_weights=front,
        back_weights=back,
    )
    write(files.whole, _network(seed + 2, FRONT + BACK))
    write(files.front, front)
    write(files.back, back)
    return files


def write(path: Path, weights: Weights, *, width: int = WIDTH, words: int | None = None) -> Path:
    """Write one model; `words` cuts the vocabulary short (a file that does not fit the others)."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blk.")))
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(THETA)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer, words)
    for name, array in weights.items():
        cut = array[:words] if name in {"token_embd.weight", "output.weight"} else array
        writer.add_tensor(name, cut)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_recurrent(path: Path, *, seed: int = 3) -> Path:
    """Write a tiny Mamba: a model whose state cannot forget a part of what it has read."""
    inner, state, kernel, rank = 2 * WIDTH, 8, 4, 4
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(2)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer, None)
    random = np.random.default_rng(seed)
    shapes = {
        "attn_norm.weight": (WIDTH,),
        "ssm_in.weight": (2 * inner, WIDTH),
        "ssm_conv1d.weight": (inner, kernel),
        "ssm_conv1d.bias": (inner,),
        "ssm_x.weight": (rank + 2 * state, inner),
        "ssm_dt.weight": (inner, rank),
        "ssm_dt.bias": (inner,),
        "ssm_a": (inner, state),
        "ssm_d": (inner,),
        "ssm_out.weight": (WIDTH, inner),
    }
    words = tokenizer().get_vocab_size()
    tensors = {"token_embd.weight": (words, WIDTH), "output_norm.weight": (WIDTH,), "output.weight": (words, WIDTH)}
    tensors |= {f"blk.{layer}.{name}": shape for layer in range(2) for name, shape in shapes.items()}
    for name, shape in tensors.items():
        drawn = random.standard_normal(shape).astype(np.float32) * 0.3
        writer.add_tensor(name, -np.abs(drawn) - 0.1 if name.endswith("ssm_a") else drawn)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def network(seed: int, layers: int, *, width: int = WIDTH) -> Weights:
    """Return random weights whose logits are spread enough for clear choices."""
    return _network(seed, layers, width)


def front_reference(files: TinyFiles, tokens: list[int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the front's states after its norm, shape (n, width), and its logits, shape (n, words)."""
    weights = files.front_weights
    states = _forward(weights, weights["token_embd.weight"][tokens].astype(np.float64))
    return states, states @ weights["output.weight"].T.astype(np.float64)


def back_reference(files: TinyFiles, states: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the whole network's logits for the front's states, shape (n, words)."""
    weights = files.back_weights
    return _forward(weights, states) @ weights["token_embd.weight"].T.astype(np.float64)


def _network(seed: int, layers: int, width: int = WIDTH) -> Weights:
    random = np.random.default_rng(seed)
    words = tokenizer().get_vocab_size()

    def matrix(rows: int, columns: int, scale: float) -> npt.NDArray[np.float32]:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    def gain() -> npt.NDArray[np.float32]:
        return (1 + 0.1 * random.standard_normal(width)).astype(np.float32)

    weights: Weights = {"token_embd.weight": matrix(words, width, 0.7), "output_norm.weight": gain()}
    weights["output.weight"] = matrix(words, width, 0.7)
    for layer in range(layers):
        name = f"blk.{layer}."
        weights |= {name + "attn_norm.weight": gain(), name + "ffn_norm.weight": gain()}
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights[f"{name}{part}.weight"] = matrix(width, width, width**-0.5)
        weights[name + "ffn_gate.weight"] = matrix(HIDDEN, width, width**-0.5)
        weights[name + "ffn_up.weight"] = matrix(HIDDEN, width, width**-0.5)
        weights[name + "ffn_down.weight"] = matrix(width, HIDDEN, HIDDEN**-0.5)
    return weights


def _add_vocabulary(writer: Any, words: int | None) -> None:
    made = json.loads(tokenizer().to_str())
    vocabulary = made["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    kinds = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(MARKERS)
    tokens += MARKERS
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_vocab_size(len(tokens[:words]))
    writer.add_token_list(tokens[:words])
    writer.add_token_types(kinds[:words])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in made["model"]["merges"]])
    if words is None:
        writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def _forward(weights: Weights, hidden: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the states after the output norm, for rows of input states, in 64 bits."""
    count = len(hidden)
    blocked = np.triu(np.full((count, count), -np.inf), 1)
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blk."))
    for layer in range(layers):
        part = {name.split(".")[2]: array for name, array in weights.items() if name.startswith(f"blk.{layer}.")}
        normed = _norm(hidden, part["attn_norm"])
        query, key, value = ((normed @ part[f"attn_{one}"].T).reshape(count, HEADS, -1) for one in "qkv")
        scores = np.einsum("qhd,khd->hqk", _rotate(query), _rotate(key)) / np.sqrt(query.shape[-1]) + blocked
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        hidden = hidden + np.einsum("hqk,khd->qhd", shares, value).reshape(count, -1) @ part["attn_output"].T
        normed = _norm(hidden, part["ffn_norm"])
        gate = normed @ part["ffn_gate"].T
        hidden = hidden + (gate / (1 + np.exp(-gate)) * (normed @ part["ffn_up"].T)) @ part["ffn_down"].T
    return _norm(hidden, weights["output_norm.weight"])


def _norm(rows: npt.NDArray[np.float64], gain: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return rows / np.sqrt((rows * rows).mean(-1, keepdims=True) + EPSILON) * gain


def _rotate(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rotary positions in interleaved pairs, as llama.cpp has them for this architecture; rows (n, heads, width)."""
    count, _, width = rows.shape
    angle = np.arange(count)[:, None] * THETA ** (-np.arange(0, width, 2) / width)
    cosine, sine = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]
    turned = np.empty_like(rows)
    turned[..., 0::2] = rows[..., 0::2] * cosine - rows[..., 1::2] * sine
    turned[..., 1::2] = rows[..., 0::2] * sine + rows[..., 1::2] * cosine
    return turned
