"""mf: RouteLLM's bilinear model (arXiv 2406.18665), trained on local embeddings.

score(m, q) = w . (v_m / |v_m| * W e_q), and P(a beats b) = sigmoid(score_a - score_b). Trained on pairs of which one
model did better, ties dropped, Gaussian noise on the embedding, Adam with weight decay, a part kept back. Fewer
dimensions and larger steps than the original: there are hundreds of battles here, not tens of thousands.
"""

from dataclasses import dataclass, fields

import numpy as np

from jouline.lab.grid import Choices, Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Greedy, State, battles

WIDTH = 32
NOISE = 0.1
_STEP, _DECAY, _BATCH, _EPOCHS = 3e-3, 1e-3, 64, 60
_HELD_BACK = 0.1
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass(slots=True)
class Factors:
    """Vectors of the models (models, width), the projection of embeddings (width, embedded), weights (width,)."""

    models: Floats
    project: Floats
    weigh: Floats

    def scores(self, embedded: Floats) -> Floats:
        """Return the score of each model at each query, shape (queries, models)."""
        directions = self.models / np.linalg.norm(self.models, axis=1, keepdims=True)
        found: Floats = (embedded @ self.project.T * self.weigh) @ directions.T
        return found


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def loss(factors: Factors, embedded: Floats, winner: Choices, loser: Choices) -> float:
    """Return the mean of -log P(winner beats loser)."""
    scores = factors.scores(embedded)
    row = np.arange(len(embedded))
    return float(np.logaddexp(0.0, scores[row, loser] - scores[row, winner]).mean())


def gradient(factors: Factors, embedded: Floats, winner: Choices, loser: Choices) -> Factors:
    """Return the gradient of `loss`."""
    row = np.arange(len(embedded))
    lengths = np.linalg.norm(factors.models, axis=1, keepdims=True)
    directions = factors.models / lengths
    projected = embedded @ factors.project.T
    scores = factors.scores(embedded)
    pull = sigmoid(scores[row, loser] - scores[row, winner])[:, None] / len(embedded)
    apart = directions[winner] - directions[loser]
    of_directions = np.zeros_like(directions)
    np.add.at(of_directions, winner, -pull * factors.weigh * projected)
    np.add.at(of_directions, loser, pull * factors.weigh * projected)
    along = (of_directions * directions).sum(axis=1, keepdims=True) * directions
    return Factors(
        models=(of_directions - along) / lengths,
        project=(-pull * factors.weigh * apart).T @ embedded,
        weigh=(-pull * projected * apart).sum(axis=0),
    )


class MatrixFactorisation(Greedy):
    """The worth of a model is its mean chance to beat a model of the field, itself at 1/2."""

    label = "matrix factorisation"

    def __init__(self, models: tuple[str, ...], seed: int = 0) -> None:
        self.models = models
        self._seed = seed
        self._factors: Factors | None = None

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Fit anew to the battles among these queries."""
        query, winner, loser, _ = battles(rewards, ties=False)
        rng = np.random.default_rng(self._seed)
        self._factors = _started(rng, len(self.models), queries.embedded.shape[1])
        if len(query):
            self._factors = _trained(self._factors, queries.embedded, (query, winner, loser), rng)

    def worth(self, queries: Seen) -> Floats:
        """Return each model's mean chance to win."""
        if self._factors is None:
            return np.full((len(queries), len(self.models)), 0.5)
        scores = self._factors.scores(queries.embedded)
        chances: Floats = sigmoid(scores[:, :, None] - scores[:, None, :]).mean(axis=2)
        return chances

    def state(self) -> State:
        """Return the three matrices."""
        if self._factors is None:
            return {}
        return {field.name: getattr(self._factors, field.name) for field in fields(self._factors)}


def _started(rng: np.random.Generator, models: int, embedded: int) -> Factors:
    return Factors(
        models=rng.normal(size=(models, WIDTH)),
        project=rng.normal(size=(WIDTH, embedded)) / np.sqrt(embedded),
        weigh=rng.normal(size=WIDTH) / np.sqrt(WIDTH),
    )


def _trained(
    factors: Factors, embedded: Floats, fought: tuple[Choices, Choices, Choices], rng: np.random.Generator
) -> Factors:
    """Return the factors of the epoch with the least loss on the battles of the queries kept back."""
    query, winner, loser = fought
    back = np.isin(query, rng.permutation(np.unique(query))[: int(_HELD_BACK * len(np.unique(query)))])
    learn = np.flatnonzero(~back)
    best, least = factors, np.inf
    adam = _Adam()
    for _ in range(_EPOCHS):
        for batch in np.array_split(rng.permutation(learn), max(1, len(learn) // _BATCH)):
            noisy = embedded[query[batch]] + NOISE * rng.normal(size=(len(batch), embedded.shape[1])) / np.sqrt(
                embedded.shape[1]
            )
            factors = adam.step(factors, gradient(factors, noisy, winner[batch], loser[batch]))
        judged = back if back.any() else ~back
        found = loss(factors, embedded[query[judged]], winner[judged], loser[judged])
        if found < least:
            best, least = factors, found
    return best


class _Adam:
    """Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and Hutter 2019)."""

    def __init__(self) -> None:
        self._steps = 0
        self._first: dict[str, Floats] = {}
        self._second: dict[str, Floats] = {}

    def step(self, factors: Factors, slope: Factors) -> Factors:
        self._steps += 1
        names = [field.name for field in fields(factors)]
        return Factors(*(self._moved(name, getattr(factors, name), getattr(slope, name)) for name in names))

    def _moved(self, name: str, value: Floats, slope: Floats) -> Floats:
        fast, slow = _BETAS
        self._first[name] = fast * self._first.get(name, np.zeros_like(value)) + (1 - fast) * slope
        self._second[name] = slow * self._second.get(name, np.zeros_like(value)) + (1 - slow) * slope**2
        mean = self._first[name] / (1 - fast**self._steps)
        spread = np.sqrt(self._second[name] / (1 - slow**self._steps)) + _EPSILON
        moved: Floats = value - _STEP * (mean / spread + _DECAY * value)
        return moved
