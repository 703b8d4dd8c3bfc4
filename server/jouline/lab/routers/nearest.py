"""knn: what each model gained at the most similar queries seen (arXiv 2505.12601)."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from jouline.lab.grid import Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Greedy, State, known_means

NEIGHBOURS = 40
_PRIOR = 1.0  # how many neighbours the mean of all counts as, where a model answered few of the near queries


class Nearest(Greedy):
    """Means over the nearest training queries by cosine, weighted by similarity; of few queries a quarter is near."""

    def __init__(self, models: tuple[str, ...], neighbours: int = NEIGHBOURS) -> None:
        self.models = models
        self._wanted = neighbours
        self._rewards: Floats = np.empty((0, len(models)))
        self._means: Floats = np.zeros(len(models))
        self._index: NearestNeighbors | None = None

    @property
    def count(self) -> int:
        """How many queries count as near."""
        return max(1, min(self._wanted, len(self._rewards) // 4))

    @property
    def label(self) -> str:
        """What it is."""
        return f"the {self.count} nearest queries"

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Keep the queries and what is known of their rewards, in the place of those kept before."""
        self._rewards, self._means = rewards, known_means(rewards)
        self._index = NearestNeighbors(n_neighbors=self.count, metric="cosine").fit(queries.described)

    def worth(self, queries: Seen) -> Floats:
        """Return the weighted mean reward of each model at the nearest queries that it answered."""
        if self._index is None:
            return np.tile(self._means, (len(queries), 1))
        distances, found = self._index.kneighbors(queries.described)
        near = self._rewards[found]
        weights = np.maximum(1e-6, 1.0 - distances)[:, :, None] * ~np.isnan(near)
        sums = np.where(np.isnan(near), 0.0, near * weights).sum(axis=1) + 1e-9 * _PRIOR * self._means
        means: Floats = sums / (weights.sum(axis=1) + 1e-9 * _PRIOR)
        return means

    def state(self) -> State:
        """Return the rewards kept and their means; the queries themselves are the training table's."""
        return {"rewards": self._rewards, "means": self._means}
