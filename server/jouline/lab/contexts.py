"""GreenServ's context of a query (arXiv 2601.17551): task, cluster and complexity of the text, one-hot, and a bias.

Three defects of the published code are avoided: each of the three bins of complexity has a slot of its own, a text that
is not there has a slot of its own too and is not taken for the last bin, and clusters are learnt from training rows
alone.
"""

import re
from collections.abc import Sequence

import numpy as np

from jouline.lab.described import hashed, text
from jouline.lab.grid import Floats
from jouline.lab.outcomes import Row

CLUSTERS = 3
EASE_BINS = (20.0, 30.0)  # of 100 less Flesch's reading ease
_START_LINES, _START_CHARS = 3, 200
_WORDS = re.compile(r"[A-Za-z]+")
_VOWELS = re.compile(r"[aeiouy]+")
_SENTENCES = re.compile(r"[.!?]+")


class OnlineClusters:
    """k-means that takes one vector after the other, by cosine; centroids are the means of their members.

    The first `count` vectors that differ seed the centroids.
    """

    def __init__(self, count: int = CLUSTERS) -> None:
        self._count = count
        self._centroids: list[Floats] = []
        self._members: list[int] = []

    def learn(self, vector: Floats) -> int:
        """Take a vector up and return its cluster."""
        if len(self._centroids) < self._count and not any(np.allclose(vector, seen) for seen in self._centroids):
            self._centroids.append(vector.copy())
            self._members.append(1)
            return len(self._centroids) - 1
        nearest = self.nearest(vector)
        self._members[nearest] += 1
        self._centroids[nearest] += (vector - self._centroids[nearest]) / self._members[nearest]
        return nearest

    def nearest(self, vector: Floats) -> int:
        """Return the cluster whose centroid has the largest cosine with a vector."""
        cosines = [float(vector @ seen) / (float(np.linalg.norm(seen)) or 1.0) for seen in self._centroids]
        return int(np.argmax(cosines))


class Contexts:
    """What a context is made of, learnt from training rows in their order."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._tasks = tuple(sorted({row["task"] for row in rows}))
        self._clusters = OnlineClusters()
        for vector in _vectors([row for row in rows if _has_text(row)]):
            self._clusters.learn(vector)

    def of(self, rows: Sequence[Row]) -> Floats:
        """Return the contexts, shape (rows, 1 + tasks + clusters + 1 + bins + 1)."""
        told = [row for row in rows if _has_text(row)]
        vectors = iter(_vectors(told))
        return np.array([self._context(row, next(vectors) if _has_text(row) else None) for row in rows])

    def _context(self, row: Row, vector: Floats | None) -> Floats:
        cluster = CLUSTERS if vector is None else self._clusters.nearest(vector)
        bins = len(EASE_BINS) + 1
        ease = bins if vector is None else int(np.searchsorted(EASE_BINS, complexity(text(row)), side="right"))
        task = [float(row["task"] == name) for name in self._tasks]
        return np.array([1.0, *task, *_one_hot(cluster, CLUSTERS + 1), *_one_hot(ease, bins + 1)])


def _has_text(row: Row) -> bool:
    return bool(row.get("text") or row.get("prefix"))


def _vectors(rows: Sequence[Row]) -> list[Floats]:
    """Return the beginnings of the texts as hashed n-grams, each a vector of 1,024 numbers."""
    if not rows:
        return []
    starts = ["\n".join(text(row).split("\n")[:_START_LINES])[:_START_CHARS] for row in rows]
    return list(_folded(starts))


def _folded(starts: Sequence[str]) -> Floats:
    """Fold hashed n-grams to 1,024 numbers, so that centroids stay small."""
    sparse = hashed(starts).tocoo()
    dense = np.zeros((len(starts), 1024))
    np.add.at(dense, (sparse.row, sparse.col % 1024), sparse.data)
    return dense


def _one_hot(index: int, size: int) -> list[float]:
    return [float(position == index) for position in range(size)]


def complexity(text: str) -> float:
    """Return 100 less Flesch's reading ease (1948), clipped to 0..100: longer words and sentences are harder."""
    words = _WORDS.findall(text)
    if not words:
        return 0.0
    sentences = max(1, len([part for part in _SENTENCES.split(text) if part.strip()]))
    syllables = sum(max(1, len(_VOWELS.findall(word.lower()))) for word in words)
    ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)
    return float(np.clip(100.0 - ease, 0.0, 100.0))
