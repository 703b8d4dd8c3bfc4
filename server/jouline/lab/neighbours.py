"""A router by nearest neighbours: what the large model gained at the most similar queries seen (arXiv 2505.12601)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from jouline.lab.described import Described
from jouline.lab.table import Floats

NEIGHBOURS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Queries seen, by cosine distance, and the gain of the large model at each."""

    scaler: StandardScaler
    index: NearestNeighbors
    gains: Floats

    @property
    def count(self) -> int:
        """How many queries count as near."""
        return int(self.index.n_neighbors)

    def gain(self, described: Described) -> Floats:
        """Return the mean gain at the nearest queries, weighted by similarity, one for each row."""
        distances, found = self.index.kneighbors(self.scaler.transform(described))
        weights = np.maximum(1e-6, 1.0 - distances)
        means: Floats = (weights * self.gains[found]).sum(axis=1) / weights.sum(axis=1)
        return means


def remember(described: Described, gains: Floats) -> Neighbours:
    """Keep the queries and their gains; of few queries only a part counts as near."""
    sparse: Any = hasattr(described, "tocsr")
    scaler = StandardScaler(with_mean=not sparse, with_std=not sparse).fit(described)
    count = max(1, min(NEIGHBOURS, len(gains) // 4))
    index = NearestNeighbors(n_neighbors=count, metric="cosine").fit(scaler.transform(described))
    return Neighbours(scaler=scaler, index=index, gains=gains)
