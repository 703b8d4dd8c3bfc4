"""Estimates of quality, shrunk to what rows outside the fit bear out."""

from collections.abc import Callable

import numpy as np

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Router, State, best, known_means

FOLDS = 4


class BorneOut:
    """A router whose worth is the mean of each model plus a slope times what another expects beyond its own mean.

    The slope of each model's margin over the first is fitted by least squares on rows that the other had not seen, and
    kept within 0..1: an estimate that tells nothing becomes the mean.
    """

    def __init__(self, make: Callable[[], Router], seed: int = 0) -> None:
        """`make` returns an untaught router."""
        self._make = make
        self._seed = seed
        self._router = make()
        self.models = self._router.models
        self._means: Floats = np.zeros(len(self.models))
        self._expected: Floats = np.zeros(len(self.models))
        self._slopes: Floats = np.zeros(len(self.models))
        self.unseen: Floats = np.empty((0, len(self.models)))

    @property
    def label(self) -> str:
        """What it is."""
        return f"{self._router.label}, shrunk to what other rows bear out"

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Teach the router, and find out in four folds how far its margins can be trusted.

        `unseen` then has what it is worth for these very rows, each told by a router that had not seen it.
        """
        fold = np.random.default_rng(self._seed).permutation(len(queries)) % FOLDS
        told = np.zeros(rewards.shape)
        for number in range(FOLDS):
            part = self._make()
            part.learn(queries.at(np.flatnonzero(fold != number)), rewards[fold != number])
            told[fold == number] = part.worth(queries.at(np.flatnonzero(fold == number)))
        self._router.learn(queries, rewards)
        self._means, self._expected = known_means(rewards), told.mean(axis=0)
        self._slopes = np.array([_slope(told, rewards, column) for column in range(len(self.models))])
        self.unseen = self._shrunk(told)

    def worth(self, queries: Seen) -> Floats:
        """Return the shrunk estimates."""
        return self._shrunk(self._router.worth(queries))

    def route(self, queries: Seen, toll: Floats) -> Choices:
        """Return the column of the best model for each query."""
        return best(self.worth(queries), toll)

    def state(self) -> State:
        """Return means, slopes and the router's own state."""
        return {"means": self._means, "expected": self._expected, "slopes": self._slopes} | self._router.state()

    def _shrunk(self, told: Floats) -> Floats:
        apart = told - self._expected
        margins: Floats = self._means + apart[:, :1] + self._slopes * (apart - apart[:, :1])
        return margins


def _slope(told: Floats, rewards: Floats, column: int) -> float:
    known = ~np.isnan(rewards[:, column]) & ~np.isnan(rewards[:, 0])
    margin, true = (told[known, column] - told[known, 0]), (rewards[known, column] - rewards[known, 0])
    spread = float(margin.var()) if known.any() else 0.0
    return float(np.clip(np.cov(margin, true, bias=True)[0, 1] / spread, 0.0, 1.0)) if spread > 0 else 0.0
