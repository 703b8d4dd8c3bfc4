"""What a router without a draft may learn from: a row's features, or its text where a table has none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_union
from sklearn.preprocessing import FunctionTransformer

from jouline.lab.outcomes import Row
from jouline.lab.table import Floats, Table, place_matrix

_WORDS = HashingVectorizer(n_features=2**13, ngram_range=(1, 2), alternate_sign=False)
_LETTERS = HashingVectorizer(n_features=2**13, analyzer="char_wb", ngram_range=(3, 4), alternate_sign=False)
_BEFORE, _AFTER = 2000, 500  # characters read on either side of a place without a text of its own

Described = Any  # an array or a sparse matrix of shape (rows, features)


def shared_features(tables: Sequence[Table]) -> tuple[str, ...]:
    """Return the names of the features that every row of every table has, in the first row's order."""
    rows = [row for table in tables for row in table.rows]
    found = set.intersection(*(set(row.get("features") or {}) for row in rows))
    return tuple(name for name in rows[0].get("features") or {} if name in found)


def describe(rows: Sequence[Row], names: Sequence[str]) -> Described:
    """Return the features of that name, shape (rows, names); hashed text, sparse, where no names are given."""
    return place_matrix(rows, names) if names else hashed([text(row) for row in rows])


def text(row: Row) -> str:
    """Return what a row asks: its text, or what stands around its place."""
    whole = row.get("text")
    return whole if isinstance(whole, str) else f"{row['prefix'][-_BEFORE:]}\n{row['suffix'][:_AFTER]}"


def hashed(texts: Sequence[str]) -> Described:
    """Return hashed n-grams of words and of letters, each of length 1, and counts of size; nothing is learnt here."""
    return make_union(_WORDS, _LETTERS, FunctionTransformer(_all_sizes)).transform(texts).tocsr()


def _all_sizes(texts: Sequence[str]) -> Floats:
    return np.array([_sizes(text) for text in texts])


def _sizes(text: str) -> list[float]:
    """Return letters, words, lines, digits and the mean length of a word, as logarithms scaled to about 0..1."""
    words = text.split()
    counts = [len(text), len(words), text.count("\n"), sum(letter.isdigit() for letter in text)]
    mean = sum(map(len, words)) / max(1, len(words))
    return [float(np.log1p(count)) / 8 for count in (*counts, mean)]
