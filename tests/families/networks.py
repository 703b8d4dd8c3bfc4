"""Tiny models of each family: its architecture, tokeniser and special tokens, and weights that follow a script.

One layer whose attention adds nothing and whose feed-forward network is a table: for each link `from -> to` one hidden
unit that fires on the embedding of `from` and adds that of `to`. So a model writes what its links say, through the
real arithmetic of its architecture, and nothing about it depends on training.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from tests.engine.tiny import MARKERS, tokenizer

WIDTH, HEADS, CONTEXT = 256, 4, 512
KEY, VALUE = 3.0, 6.0  # how strongly a link fires and how far it moves the state
Array = npt.NDArray[np.float32]
GATED = {"llama", "qwen2", "granite", "gemma", "stablelm"}
CENTRED = {"starcoder2", "stablelm"}  # LayerNorm with a bias, where the others have RMSNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a family's files are made: `pre` is the pre-tokeniser's name in GGUF, None for a SentencePiece vocabulary."""

    architecture: str
    pre: str | None
    begin: str | None = None  # the token that every text begins with
    space_prefix: bool = False


RECIPES: Mapping[str, Recipe] = {
    "embedded": Recipe(architecture="llama", pre="qwen2"),
    "qwen-coder": Recipe(architecture="qwen2", pre="qwen2"),
    "mellum": Recipe(architecture="llama", pre="mellum"),
    "seed-coder": Recipe(architecture="llama", pre="seed-coder"),
    "granite": Recipe(architecture="granite", pre="dbrx"),
    "granite-code": Recipe(architecture="llama", pre="refact"),
    "starcoder2": Recipe(architecture="starcoder2", pre="starcoder"),
    "codegemma": Recipe(architecture="gemma", pre=None, begin="<bos>"),
    "deepseek-coder": Recipe(architecture="llama", pre="deepseek-coder", begin="<\uff5cbegin▁of▁sentence\uff5c>"),
    "codestral": Recipe(architecture="llama", pre=None, begin="<s>", space_prefix=True),
    "stable-code": Recipe(architecture="stablelm", pre="stablelm2"),
}


def write_model(
    path: Path, *, name: str, recipe: Recipe, specials: Sequence[str], links: Mapping[bytes, bytes], end: str
) -> Path:
    """Write a model that writes, after a token spelled as a key of `links`, the token of its value; b"" is `end`."""
    tokens, spellings = _vocabulary(recipe, specials)
    ids = {spelling: number for number, spelling in enumerate(spellings) if spelling}
    pairs = [(ids[key], ids[value] if value else tokens.index(end)) for key, value in links.items() if key in ids]
    writer = gguf.GGUFWriter(path, recipe.architecture)
    writer.add_name(name)
    _add_sizes(writer, hidden=len(pairs), recipe=recipe)
    _add_vocabulary(writer, recipe, tokens, spellings, specials)
    for key, array in _weights(recipe.architecture, len(tokens), pairs).items():
        writer.add_tensor(key, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary(recipe: Recipe, specials: Sequence[str]) -> tuple[list[str], list[bytes]]:
    """Return the tokens as the file writes them and as they spell; special tokens spell nothing."""
    begin = [recipe.begin] if recipe.begin and recipe.begin not in specials else []
    if recipe.pre is None:
        single = [f"<0x{byte:02X}>" for byte in range(256)]
        words = ["▁", "▁path", "path", "(", ")", "▁return", "\n", "▁="]
        spelled = [bytes([byte]) for byte in range(256)] + [word.replace("▁", " ").encode() for word in words]
        # A byte token comes first in the list, a piece of the same spelling wins in the tokeniser.
        plain, spellings = ["<unk>", *single, *words], [b"", *spelled]
    else:
        vocabulary = json.loads(tokenizer().to_str())["model"]["vocab"]
        plain = [token for token in sorted(vocabulary, key=vocabulary.get) if token not in MARKERS]
        spellings = [bytes(_BYTES[letter] for letter in token) for token in plain]
    extra = [*begin, *specials]
    return [*plain, *extra], [*spellings, *([b""] * len(extra))]


def _byte_letters() -> dict[str, int]:
    """Return GPT-2's letters for bytes, which byte-level vocabularies are written in."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + index): byte for index, byte in enumerate(rest)}


_BYTES = _byte_letters()


def _add_sizes(writer: Any, *, hidden: int, recipe: Recipe) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_value_length(WIDTH // HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if recipe.architecture == "granite":
        writer.add_logit_scale(1.0)
        writer.add_embedding_scale(1.0)
        writer.add_residual_scale(1.0)
        writer.add_attention_scale((WIDTH // HEADS) ** -0.5)
    if recipe.architecture == "stablelm":
        writer.add_parallel_residual(False)


def _add_vocabulary(
    writer: Any, recipe: Recipe, tokens: list[str], spellings: list[bytes], specials: Sequence[str]
) -> None:
    kinds = [gguf.TokenType.NORMAL if spelling else gguf.TokenType.CONTROL for spelling in spellings]
    writer.add_vocab_size(len(tokens))
    if recipe.pre is None:
        kinds[0] = gguf.TokenType.UNKNOWN
        kinds[1:257] = [gguf.TokenType.BYTE] * 256
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([0.0] * 257 + [-float(rank) for rank in range(len(tokens) - 257)])
        writer.add_unk_token_id(0)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(recipe.pre)
        merges = json.loads(tokenizer().to_str())["model"]["merges"]
        writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(tokens.index(recipe.begin or specials[-1]))
    writer.add_eos_token_id(tokens.index(specials[-1]))
    writer.add_add_bos_token(recipe.begin is not None)
    writer.add_add_space_prefix(recipe.space_prefix)


def _weights(architecture: str, words: int, pairs: Sequence[tuple[int, int]]) -> dict[str, Array]:
    random = np.random.default_rng(11)
    signs = random.choice(np.array([-1.0, 1.0], np.float32), (words, WIDTH))  # rows nearly at right angles
    embedding = signs - signs.mean(1, keepdims=True) if architecture in CENTRED else signs
    scale = WIDTH**-0.5 if architecture == "gemma" else 1.0  # Gemma multiplies embeddings by the root of their width
    keys = KEY * np.stack([embedding[start] for start, _ in pairs]) / WIDTH
    values = VALUE * np.stack([embedding[stop] for _, stop in pairs], axis=1)
    down = values / (KEY * KEY if architecture in GATED else KEY)
    zero, ones, nothing = (
        np.zeros((WIDTH, WIDTH), np.float32),
        np.ones(WIDTH, np.float32),
        np.zeros(WIDTH, np.float32),
    )
    weights = {"token_embd.weight": embedding * scale, "output_norm.weight": ones}
    if architecture != "gemma":
        weights["output.weight"] = embedding
    block = {f"attn_{part}.weight": zero for part in ("q", "k", "v", "output")}
    block |= {"attn_norm.weight": ones, "ffn_norm.weight": ones, "ffn_up.weight": keys, "ffn_down.weight": down}
    if architecture in GATED:
        block["ffn_gate.weight"] = keys
    if architecture == "qwen2":
        block |= {f"attn_{part}.bias": nothing for part in ("q", "k", "v")}
    if architecture in CENTRED:
        weights["output_norm.bias"] = nothing
        block |= {"attn_norm.bias": nothing, "ffn_norm.bias": nothing}
    if architecture == "starcoder2":
        block |= {f"attn_{part}.bias": nothing for part in ("q", "k", "v", "output")}
        block |= {"ffn_up.bias": np.zeros(len(pairs), np.float32), "ffn_down.bias": nothing}
    weights |= {f"blk.0.{key}": array for key, array in block.items()}
    return {key: np.ascontiguousarray(array, np.float32) for key, array in weights.items()}
