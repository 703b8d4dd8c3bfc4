"""What GreenServ's five bandits share (arXiv 2601.17551): models that come and go, one answer seen at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jouline.errors import ConfigError
from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import State


class Bandit:
    """Learns from the reward of the model that was asked, and of no other. Seeded: the same calls, the same choices."""

    label = "bandit"

    def __init__(self, models: Sequence[str], seed: int = 0) -> None:
        self.models: tuple[str, ...] = ()
        self.rng = np.random.default_rng(seed)
        self.steps = 0
        for model in models:
            self.add_model(model)

    def add_model(self, model: str) -> None:
        """Take up a model that nothing is known of; it gets the last column."""
        if model in self.models:
            raise ConfigError(f"The bandit has a model {model} already.")
        self.models = (*self.models, model)
        self.grow()

    def remove_model(self, model: str) -> None:
        """Drop a model and what was learnt of it; the columns behind it move up."""
        if model not in self.models:
            raise ConfigError(f"The bandit has no model {model}, only {', '.join(self.models)}.")
        column = self.models.index(model)
        self.models = self.models[:column] + self.models[column + 1 :]
        self.shrink(column)

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Take up every reward that is known, row after row."""
        for row, column in zip(*np.nonzero(~np.isnan(rewards)), strict=True):
            self.update(queries.contexts[row], int(column), float(rewards[row, column]))

    def worth(self, queries: Seen) -> Floats:
        """Return the mean reward expected of each model: what is asked for once nothing is explored any more."""
        rows = [self.expected(context) for context in queries.contexts]
        return np.array(rows).reshape(len(queries), len(self.models))

    def route(self, queries: Seen, toll: Floats) -> Choices:
        """Return the choice at each query, exploring; what is learnt in between counts only in the next call."""
        return np.array([self.pick(context, toll) for context in queries.contexts], dtype=np.int64)

    def grow(self) -> None:
        """Make room for one more model in the last column."""
        raise NotImplementedError

    def shrink(self, column: int) -> None:
        """Forget a column."""
        raise NotImplementedError

    def update(self, context: Floats, column: int, reward: float) -> None:
        """Take up one reward."""
        raise NotImplementedError

    def expected(self, context: Floats) -> Floats:
        """Return the mean reward expected of each model."""
        raise NotImplementedError

    def pick(self, context: Floats, toll: Floats) -> int:
        """Return a column, exploring."""
        raise NotImplementedError

    def state(self) -> State:
        """Return what was learnt."""
        raise NotImplementedError


class LinearBandit(Bandit):
    """A ridge regression of the reward on the context for each model: A = reg I + sum x x', b = sum r x.

    A is kept inverted (Sherman and Morrison 1950), so that an update costs the square of the context's length.
    """

    ridge = 1.0

    def __init__(self, models: Sequence[str], width: int, seed: int = 0) -> None:
        """`width` is the length of a context."""
        self.width = width
        self.inverse: NDArray[np.float64] = np.empty((0, width, width))
        self.moment: NDArray[np.float64] = np.empty((0, width))
        self.weights: NDArray[np.float64] = np.empty((0, width))
        super().__init__(models, seed)

    def grow(self) -> None:
        """Begin with A = reg I and b = 0."""
        self.inverse = np.concatenate([self.inverse, np.eye(self.width)[None] / self.ridge])
        self.moment = np.concatenate([self.moment, np.zeros((1, self.width))])
        self.weights = np.concatenate([self.weights, np.zeros((1, self.width))])

    def shrink(self, column: int) -> None:
        """Forget a column."""
        self.inverse = np.delete(self.inverse, column, axis=0)
        self.moment = np.delete(self.moment, column, axis=0)
        self.weights = np.delete(self.weights, column, axis=0)

    def update(self, context: Floats, column: int, reward: float) -> None:
        """Add one observation to the regression of a model."""
        inverse = self.inverse[column]
        moved = inverse @ context
        inverse -= np.outer(moved, moved) / (1.0 + context @ moved)
        self.moment[column] += reward * context
        self.weights[column] = inverse @ self.moment[column]

    def expected(self, context: Floats) -> Floats:
        """Return the regressions' values."""
        found: Floats = self.weights @ context
        return found

    def worth(self, queries: Seen) -> Floats:
        """Return the regressions' values, all rows at once."""
        found: Floats = queries.contexts @ self.weights.T
        return found

    def state(self) -> State:
        """Return A inverted and b of each model, and how many choices were made."""
        return {"inverse": self.inverse, "moment": self.moment, "steps": np.array(self.steps)}
