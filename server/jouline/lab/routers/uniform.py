"""random: a coin, or one of all models with equal chances."""

import numpy as np

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Greedy, State


class Uniform(Greedy):
    """Its worth is a seeded random number for each query and model; a toll shifts the shares."""

    label = "a seeded coin"

    def __init__(self, models: tuple[str, ...], seed: int = 0) -> None:
        self.models = models
        self._rng = np.random.default_rng(seed)

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Learn nothing."""

    def worth(self, queries: Seen) -> Floats:
        """Return random numbers from 0 to 1."""
        return self._rng.random((len(queries), len(self.models)))

    def route(self, queries: Seen, toll: Floats) -> Choices:
        """Return a random model each time."""
        return super().route(queries, toll)

    def state(self) -> State:
        """Return nothing."""
        return {}
