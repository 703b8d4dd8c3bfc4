"""The sentence encoder: its arithmetic on weights made up here, and the files it reads."""

import json
import math
import struct

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from jouline.lab.queries import Encoder
from jouline.lab.sentences import Sentences, gelu

WIDTH, HIDDEN = 4, 8
WORDS = {"[PAD]": 0, "a": 1, "b": 2, "c": 3}


def write(folder, *, layers=1, seed=0):
    """Write a tiny BERT: weights, configuration, tokeniser; return its weights."""
    rng = np.random.default_rng(seed)
    shapes = {"embeddings.word_embeddings.weight": (4, WIDTH), "embeddings.position_embeddings.weight": (16, WIDTH),
              "embeddings.token_type_embeddings.weight": (2, WIDTH)}  # fmt: skip
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes[f"{name}.attention.self.{part}.weight"] = (WIDTH, WIDTH)
        shapes |= {f"{name}.attention.output.dense.weight": (WIDTH, WIDTH),
                   f"{name}.intermediate.dense.weight": (HIDDEN, WIDTH),
                   f"{name}.output.dense.weight": (WIDTH, HIDDEN)}  # fmt: skip
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    shapes |= {name.removesuffix("weight") + "bias": shape[:1] for name, shape in shapes.items() if "layer" in name}
    shapes |= {f"{name}.{part}": (WIDTH,) for name in norms for part in ("weight", "bias")}
    tensors = {name: rng.normal(size=shape).astype("<f4") for name, shape in shapes.items()}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        span = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": span}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    config = {"num_hidden_layers": layers, "num_attention_heads": 2, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[PAD]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return tensors


def by_loops(tensors, ids):
    """Return the unit mean of the states of one text, head by head and token by token."""

    def norm(x, name):
        x = x - x.mean()
        return x / math.sqrt((x**2).mean() + 1e-12) * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def linear(x, name):
        return tensors[f"{name}.weight"] @ x + tensors[f"{name}.bias"]

    kind = tensors["embeddings.token_type_embeddings.weight"][0]
    words, places = tensors["embeddings.word_embeddings.weight"], tensors["embeddings.position_embeddings.weight"]
    states = [norm(words[token] + places[at] + kind, "embeddings.LayerNorm") for at, token in enumerate(ids)]
    name, mixed = "encoder.layer.0", []
    for state in states:
        parts = []
        for head in (slice(0, 2), slice(2, 4)):
            query = linear(state, f"{name}.attention.self.query")[head]
            keys = [linear(other, f"{name}.attention.self.key")[head] for other in states]
            values = [linear(other, f"{name}.attention.self.value")[head] for other in states]
            scores = np.exp([query @ key / math.sqrt(2) for key in keys])
            parts.append(sum(w * v for w, v in zip(scores / scores.sum(), values, strict=True)))
        mixed.append(np.concatenate(parts))
    out = []
    for state, mix in zip(states, mixed, strict=True):
        first = norm(state + linear(mix, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = gelu(linear(first, f"{name}.intermediate.dense"))
        out.append(norm(first + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"))
    mean = np.mean(out, axis=0)
    return mean / np.linalg.norm(mean)


def test_the_fast_encoder_is_the_slow_one(tmp_path):
    """Texts of different lengths in one batch give what each gives alone by loops; padding changes nothing."""
    tensors = write(tmp_path)
    found = Sentences(tmp_path).embed(["a b c", "b", "c a"])

    for row, ids in zip(found, ([1, 2, 3], [2], [3, 1]), strict=True):
        assert row == pytest.approx(by_loops(tensors, ids), abs=1e-5)


def test_routers_are_given_the_embeddings(tmp_path):
    """With a sentence encoder texts are described and embedded by it."""
    write(tmp_path)
    rows = [{"query_id": text, "task": "t", "text": text} for text in ("a b", "c", "b b a")]
    encoder = Encoder(rows, (), embeds=Sentences(tmp_path))
    queries = encoder.queries(rows)

    assert queries.described.shape == (3, WIDTH)
    assert queries.embedded[:, :-1] == pytest.approx(queries.described / math.sqrt(WIDTH))
    assert "MiniLM" in encoder.of
    assert queries.at(np.array([2])).described == pytest.approx(queries.described[2:])
