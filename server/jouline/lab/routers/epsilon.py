"""The three epsilon-greedy bandits, with GreenServ's constants (arXiv 2601.17551)."""

from collections.abc import Sequence

import numpy as np

from jouline.lab.grid import Floats
from jouline.lab.routers.bandit import Bandit, LinearBandit
from jouline.lab.routers.router import State

FIRST, LEAST = 1.0, 0.01
_UNSEEN = 0.5  # reward expected of a model of which nothing is known


def explores(steps: int, decay: float) -> float:
    """Return the chance to choose at random at the step of that number, from 0 on."""
    return max(LEAST, FIRST * float(decay**steps))


class EpsilonGreedy(Bandit):
    """The mean reward of each model, whatever the query."""

    label = "epsilon-greedy on means"
    decay = 0.98

    def __init__(self, models: Sequence[str], seed: int = 0) -> None:
        self.sums: Floats = np.empty(0)
        self.counts: Floats = np.empty(0)
        super().__init__(models, seed)

    def grow(self) -> None:
        """Begin with nothing seen."""
        self.sums, self.counts = np.append(self.sums, 0.0), np.append(self.counts, 0.0)

    def shrink(self, column: int) -> None:
        """Forget a column."""
        self.sums, self.counts = np.delete(self.sums, column), np.delete(self.counts, column)

    def update(self, context: Floats, column: int, reward: float) -> None:  # noqa: ARG002  the context plays no part
        """Add one reward to a model's mean."""
        self.sums[column] += reward
        self.counts[column] += 1

    def expected(self, context: Floats) -> Floats:  # noqa: ARG002
        """Return the means."""
        return np.where(self.counts > 0, self.sums / np.maximum(1, self.counts), _UNSEEN)

    def pick(self, context: Floats, toll: Floats) -> int:
        """Return a random column with the falling chance, else the best."""
        chance = explores(self.steps, self.decay)
        self.steps += 1
        if self.rng.random() < chance:
            return int(self.rng.integers(len(self.models)))
        return int(np.argmax(self.expected(context) - toll))

    def state(self) -> State:
        """Return sums and counts."""
        return {"sums": self.sums, "counts": self.counts, "steps": np.array(self.steps)}


class ContextualEpsilonGreedy(EpsilonGreedy):
    """A table of means for each context that has been met; a cell never seen takes the model's overall mean."""

    label = "epsilon-greedy on means by context"

    def __init__(self, models: Sequence[str], seed: int = 0) -> None:
        self.cells: dict[bytes, Floats] = {}  # context to (sums, counts), shape (2, models)
        super().__init__(models, seed)

    def grow(self) -> None:
        """Begin with nothing seen."""
        super().grow()
        self.cells = {key: np.hstack([cell, np.zeros((2, 1))]) for key, cell in self.cells.items()}

    def shrink(self, column: int) -> None:
        """Forget a column."""
        super().shrink(column)
        self.cells = {key: np.delete(cell, column, axis=1) for key, cell in self.cells.items()}

    def update(self, context: Floats, column: int, reward: float) -> None:
        """Add one reward to a model's mean, in its context and in all."""
        super().update(context, column, reward)
        cell = self.cells.setdefault(context.tobytes(), np.zeros((2, len(self.models))))
        cell[:, column] += (reward, 1.0)

    def expected(self, context: Floats) -> Floats:
        """Return the means in this context."""
        overall = super().expected(context)
        cell = self.cells.get(context.tobytes())
        return overall if cell is None else np.where(cell[1] > 0, cell[0] / np.maximum(1, cell[1]), overall)

    def state(self) -> State:
        """Return the contexts met and their tables."""
        keys = [np.frombuffer(key) for key in self.cells]
        return super().state() | {"contexts": np.array(keys), "cells": np.array(list(self.cells.values()))}


class LinearEpsilonGreedy(LinearBandit):
    """A ridge regression for each model."""

    label = "epsilon-greedy on ridge regressions"
    ridge = 0.25
    decay = 0.985

    def pick(self, context: Floats, toll: Floats) -> int:
        """Return a random column with the falling chance, else the best."""
        chance = explores(self.steps, self.decay)
        self.steps += 1
        if self.rng.random() < chance:
            return int(self.rng.integers(len(self.models)))
        return int(np.argmax(self.expected(context) - toll))
