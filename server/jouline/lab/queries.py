"""What a router sees of a query before any model ran: its features or text, an embedding, a bandit's context."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import StandardScaler

from jouline.lab.contexts import Contexts
from jouline.lab.described import Described, describe, text
from jouline.lab.grid import Floats
from jouline.lab.outcomes import Row

EMBEDDED = 96  # numbers of an embedding


class Embeds(Protocol):
    """What turns texts into vectors by knowledge of its own (`jouline.lab.sentences.Sentences`)."""

    label: str

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return a row of length 1 for each text."""


class Seen(Protocol):
    """What routers read of queries: `Queries`, or a log's (`jouline.lab.logged.LoggedQueries`)."""

    @property
    def described(self) -> Described:
        """Features, or hashed n-grams of the text; shape (queries, …)."""

    @property
    def embedded(self) -> Floats:
        """Embeddings of length 1, and one more number that is always 1."""

    @property
    def contexts(self) -> Floats:
        """GreenServ's one-hot features (`jouline.lab.contexts`)."""

    def __len__(self) -> int:
        """Return the number of queries."""

    def at(self, index: NDArray[np.int64]) -> "Seen":
        """Return some of the queries."""


class Queries:
    """Rows as a router sees them; each view is made when it is first asked for."""

    def __init__(self, rows: Sequence[Row], encoder: "Encoder") -> None:
        self.rows = rows
        self._encoder = encoder

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, index: NDArray[np.int64]) -> "Queries":
        """Return some of the queries; what was seen of them already is not looked at again."""
        found = Queries([self.rows[at] for at in index], self._encoder)
        for name in ("vectors", "described", "embedded", "contexts"):
            if name in self.__dict__:
                found.__dict__[name] = self.__dict__[name][index]
        return found

    @cached_property
    def described(self) -> Described:
        """Standardised features, or the text's sentence embedding or hashed n-grams, sparse; shape (rows, …)."""
        return self._encoder.describe(self)

    @cached_property
    def vectors(self) -> Floats:
        """The texts' sentence embeddings, where the encoder has a sentence encoder."""
        return self._encoder.vectors(self.rows)

    @cached_property
    def embedded(self) -> Floats:
        """Embeddings of length 1, and one more number that is always 1."""
        return self._encoder.embed(self)

    @cached_property
    def contexts(self) -> Floats:
        """GreenServ's one-hot features (`jouline.lab.contexts`)."""
        return self._encoder.contexts(self.rows)


class Encoder:
    """Learns from training rows how queries are described; everything runs on this machine."""

    def __init__(
        self, rows: Sequence[Row], names: Sequence[str], *, embeds: Embeds | None = None, seed: int = 0
    ) -> None:
        """`names` are the features that all rows have; none: the text is read.

        Without `embeds` an embedding is the latent semantic analysis of the hashed n-grams, or the features themselves.
        """
        self._names = tuple(names)
        self._embeds = embeds
        self._scaler = StandardScaler().fit(describe(rows, self._names)) if self._names else None
        self._latent = None if self._names or embeds else _latent(describe(rows, ()), seed)
        self._contexts = Contexts(rows)

    @property
    def of(self) -> str:
        """What the descriptions are made of, in a few words."""
        if self._names:
            return "features of the place"
        return self._embeds.label if self._embeds else "hashed words and letters of the text"

    def queries(self, rows: Sequence[Row]) -> Queries:
        """Return the rows as a router sees them."""
        return Queries(rows, self)

    def describe(self, queries: Queries) -> Described:
        """Return standardised features, or sentence embeddings of about that size, or hashed n-grams."""
        if self._scaler is not None:
            return np.clip(self._scaler.transform(describe(queries.rows, self._names)), -5.0, 5.0)
        if self._embeds is not None:
            return queries.vectors * np.sqrt(queries.vectors.shape[1])
        return describe(queries.rows, ())

    def vectors(self, rows: Sequence[Row]) -> Floats:
        """Return the texts' sentence embeddings; raise `ValueError` without a sentence encoder."""
        if self._embeds is None:
            raise ValueError("there is no sentence encoder")
        return self._embeds.embed([text(row) for row in rows])

    def embed(self, queries: Queries) -> Floats:
        """Return an embedding of length 1 for each row, and one more number that is always 1."""
        if self._latent is not None:
            vectors = self._latent.transform(queries.described)
        else:
            vectors = queries.described if self._names else queries.vectors
        return np.hstack([unit(np.asarray(vectors, dtype=np.float64)), np.ones((len(queries), 1))])

    def contexts(self, rows: Sequence[Row]) -> Floats:
        """Return GreenServ's one-hot features."""
        return self._contexts.of(rows)


def _latent(described: Described, seed: int) -> TruncatedSVD:
    rank = max(1, min(EMBEDDED, described.shape[0] - 1))
    return TruncatedSVD(n_components=rank, random_state=seed).fit(described)


def unit(vectors: Floats) -> Floats:
    """Return the rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
