"""sw-ranking: RouteLLM's similarity-weighted ranking (arXiv 2406.18665), on local embeddings.

Every battle seen weighs 10 * 10^(cosine / largest cosine) by its similarity to the query, and a Bradley-Terry model of
scale 400 and base 10 is fitted anew for each query. The original sorts 64 models into ten tiers first; with no more
models than tiers each is its own.
"""

import numpy as np

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Greedy, State, battles

SCALE = 400.0
_PRIOR = 10.0  # a battle of average weight that each side won half of, per pair: strengths stay finite
_ROUNDS = 60
_CHUNK = 512


def weights(cosines: Floats) -> Floats:
    """Return the weight of each battle for each query, from their cosines, shape (queries, battles)."""
    largest = cosines.max(axis=1, keepdims=True)
    found: Floats = 10.0 * 10.0 ** (cosines / np.where(largest > 0, largest, 1.0))
    return found


def ratings(wins: Floats) -> Floats:
    """Return Elo ratings, mean 0, of a matrix of (weighted) wins, shape (…, models, models), by maximum likelihood.

    The minorise-maximise steps of Hunter 2004 on P(i beats j) = 1 / (1 + 10^((r_j - r_i) / 400)).
    """
    fought = wins + wins.swapaxes(-1, -2)
    won = wins.sum(axis=-1)
    strength = np.ones(won.shape)
    for _ in range(_ROUNDS):
        together = strength[..., :, None] + strength[..., None, :]
        strength = won / np.maximum(1e-12, (fought / together).sum(axis=-1))
        strength /= np.exp(np.log(strength).mean(axis=-1, keepdims=True))
    found: Floats = SCALE * np.log10(strength)
    return found


def win_chance(ratings: Floats) -> Floats:
    """Return P(i beats j) for ratings of shape (…, models)."""
    found: Floats = 1.0 / (1.0 + 10.0 ** ((ratings[..., None, :] - ratings[..., :, None]) / SCALE))
    return found


class SimilarityRanking(Greedy):
    """The worth of a model is its mean chance to beat a model of the field, itself at 1/2."""

    label = "similarity-weighted Bradley-Terry ranking"

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self._embedded: Floats = np.empty((0, 0))
        self._query: Choices = np.empty(0, dtype=np.int64)
        self._wins: Floats = np.empty((0, 0))

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Keep the battles among these queries, in the place of those kept before."""
        query, winner, loser, share = battles(rewards, ties=True)
        count = len(self.models)
        fought = np.unique(query)
        self._embedded = queries.embedded[fought, :-1]
        self._wins = np.zeros((len(fought), count * count))
        np.add.at(self._wins, (np.searchsorted(fought, query), winner * count + loser), share)

    def worth(self, queries: Seen) -> Floats:
        """Return each model's mean chance to win."""
        parts = [self._worth(queries.embedded[start : start + _CHUNK, :-1]) for start in range(0, len(queries), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.models)))

    def _worth(self, embedded: Floats) -> Floats:
        count = len(self.models)
        wins = np.full((len(embedded), count, count), _PRIOR / 2)
        if len(self._wins):
            wins += (weights(embedded @ self._embedded.T) @ self._wins).reshape(-1, count, count)
        wins[:, np.arange(count), np.arange(count)] = 0.0
        chances: Floats = win_chance(ratings(wins)).mean(axis=2)
        return chances

    def state(self) -> State:
        """Return the embeddings of the queries fought over and the wins, shape (queries, models * models)."""
        return {"embedded": self._embedded, "wins": self._wins}
