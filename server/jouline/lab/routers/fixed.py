"""always-*: one model, whatever the query."""

import numpy as np

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import State


class Fixed:
    """Always asks the same model."""

    label = "always the same model"

    def __init__(self, models: tuple[str, ...], model: str) -> None:
        self.models = models
        self._column = models.index(model)

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Learn nothing."""

    def worth(self, queries: Seen) -> Floats:
        """Return 1 for its model and 0 for the others."""
        return np.tile(np.arange(len(self.models)) == self._column, (len(queries), 1)).astype(float)

    def route(self, queries: Seen, toll: Floats) -> Choices:  # noqa: ARG002  a toll changes nothing
        """Return its model's column everywhere."""
        return np.full(len(queries), self._column)

    def state(self) -> State:
        """Return its column."""
        return {"column": np.array(self._column)}
