"""quality-floor: MESS+'s virtual queue (arXiv 2505.19947): mean quality above a bound at the least cost."""

import numpy as np

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Router, State

_QUEUES = np.concatenate([[0.0], np.geomspace(0.5, 200.0, 120)])  # for a caution of 1
CAUTION = 1.0  # V in units of a request: how much shortfall is let run up before quality counts as much as cost


class QualityFloor:
    """Asks argmin_m V c_m + Q (bound - p_m(x)), where Q <- max(0, Q + bound - quality) after each answer.

    c_m are mean costs scaled so that they span 1. Q is the shortfall of quality, in requests: mean quality over any n
    requests is at least the bound less (Q at their end) / n, so a small V keeps the bound closely and a large one is
    slow but cheap. Where quality is seen only at some requests, a shortfall counts for all that one sight stands for.
    """

    label = "virtual queue on the shortfall of quality"

    def __init__(self, estimate: Router, costs: Floats, bound: float, caution: float = CAUTION) -> None:
        """Begin with no shortfall; `estimate` tells the quality expected of each model, `costs` are mean costs."""
        self.models = estimate.models
        self.bound = bound
        self.queue = 0.0
        self._estimate = estimate
        span = float(costs.max() - costs.min())
        self._scaled = caution * (costs - costs.min()) / (span or 1.0)

    def worth(self, queries: Seen) -> Floats:
        """Return the quality expected of each model."""
        return self._estimate.worth(queries)

    def route(self, queries: Seen, toll: Floats) -> Choices:
        """Return the choice at each query with the queue as it stands."""
        expected = self.worth(queries) - toll
        return np.array([self.choose(row) for row in expected], dtype=np.int64)

    def begin_at(self, expected: Floats, quality: Floats) -> None:
        """Begin with the queue at which the bound is just kept on known rows, not with none.

        From none on it would first run up that shortfall. `expected` should come from an estimate that has not seen
        the rows; both are of shape (rows, models).
        """
        row = np.arange(len(expected))
        for queue in _QUEUES * (float(self._scaled.max()) or 1.0):
            self.queue = float(queue)
            chosen = np.argmin(self._scaled + self.queue * (self.bound - expected), axis=1)
            if quality[row, chosen].mean() >= self.bound:
                return

    def choose(self, expected: Floats) -> int:
        """Return the column to ask, given the quality expected of each model; the first on a tie."""
        return int(np.argmin(self._scaled + self.queue * (self.bound - expected)))

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Take up qualities that were seen, in their order; not a number where a model was not asked."""
        del queries  # the estimate is taught before it is handed over
        for quality in rewards[~np.isnan(rewards)]:
            self.saw(float(quality))

    def saw(self, quality: float, stands_for: float = 1.0) -> None:
        """Take up the quality of one answer, which stands for so many requests (1 / the chance to see it)."""
        self.queue = max(0.0, self.queue + stands_for * (self.bound - quality))

    def state(self) -> State:
        """Return the queue, the bound and what the estimate has learnt."""
        return {"queue": np.array(self.queue), "bound": np.array(self.bound)} | self._estimate.state()
