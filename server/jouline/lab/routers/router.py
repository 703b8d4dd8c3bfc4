"""The protocol of every router of the bench: any number of models, full or partial feedback."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen

State = dict[str, NDArray[Any]]


class Router(Protocol):
    """Chooses a model for each query.

    A reward is what the caller wants much of: the quality in a table, or a mix of quality and cost in a bandit's log.
    `toll` is what choosing each model takes off that, shape (models,): the price of its cost.
    """

    models: tuple[str, ...]

    @property
    def label(self) -> str:
        """What it is, in a few words."""

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Take up rewards, shape (queries, models), not a number where a model was not asked."""

    def worth(self, queries: Seen) -> Floats:
        """Return what is expected of each model, shape (queries, models), in units of the reward where it can be."""

    def route(self, queries: Seen, toll: Floats) -> Choices:
        """Return the column of the model to ask for each query; a bandit may explore here."""

    def state(self) -> State:
        """Return what was learnt, as arrays."""


class Greedy:
    """A router that always asks the model of the largest worth less its toll; on a tie the first."""

    models: tuple[str, ...]

    def worth(self, queries: Seen) -> Floats:
        """Return what is expected of each model."""
        raise NotImplementedError

    def route(self, queries: Seen, toll: Floats) -> Choices:
        """Return the column of the best model for each query."""
        return best(self.worth(queries), toll)


def best(worth: Floats, toll: Floats) -> Choices:
    """Return the column of the largest worth less its toll in every row."""
    found: Choices = np.argmax(worth - toll, axis=1)
    return found


def known_means(rewards: Floats) -> Floats:
    """Return the mean known reward of each model; of a model never asked, the mean of all."""
    known = ~np.isnan(rewards)
    counts = known.sum(axis=0)
    overall = float(np.nanmean(rewards)) if known.any() else 0.0
    sums: Floats = np.where(known, rewards, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(1, counts), overall)


def battles(rewards: Floats, *, ties: bool) -> tuple[Choices, Choices, Choices, Floats]:
    """Return all pairs of models that answered the same query: query, winner, loser, and 1 or 1/2 for a tie.

    A tie comes twice, once for either side, as in RouteLLM; without `ties` it is left out.
    """
    query, winner, loser, weight = [], [], [], []
    models = rewards.shape[1]
    for first in range(models):
        for second in range(models):
            gap = rewards[:, first] - rewards[:, second]
            won, even = gap > 0, (gap == 0) & (first != second)
            for rows, share in ((won, 1.0), (even if ties else np.zeros_like(even), 0.5)):
                found = np.flatnonzero(rows)
                query.append(found)
                winner.append(np.full(len(found), first))
                loser.append(np.full(len(found), second))
                weight.append(np.full(len(found), share))
    return np.concatenate(query), np.concatenate(winner), np.concatenate(loser), np.concatenate(weight)
