"""Training the exit agent: advantage actor-critic on replayed traces.

The reward follows GREEN-CODE (Ilager et al. 2025) in what it wants, the earliest exit that keeps the large model's
text, but with real costs in the place of depths: every token pays for the passes it took, catch-up included, and the
end pays for what the exits did to the text. A right text where the large model's was wrong earns nothing: such luck is
too rare to be learned, and was learned by heart where it was rewarded (LOG.md). Actor and critic are additive tables
over the signals' bins, so that the trained actor is the table that the engine looks up.
"""

from dataclasses import dataclass

import numpy as np

from jouline.lab.exits.replay import BINS, Bools, Episode, Prices, margin_rule, replay
from jouline.lab.exits.traces import Floats, Ints, Traces

ROUNDS = 100
_RATE, _CRITIC_RATE = 0.04, 0.3
_ENTROPY = 0.003
_DECAY = 1e-3
_CHANGED = 0.01  # right texts that a text is worth less for not being the large model's


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A trained table; `price` is what a plain token of the large model was worth, in right texts."""

    table: Floats
    bias: float
    price: float


def train(
    traces: Traces, prices: Prices, *, price: float, seed: int, start: Agent | None = None, rounds: int = ROUNDS
) -> Agent:
    """Train one agent from the margin rule, or from another agent, at one price of a token."""
    rng = np.random.default_rng(seed)
    if start is None:
        table, bias = margin_rule(2.0)
        table = table * 1.5
    else:
        table, bias = start.table.copy(), start.bias
    critic = np.zeros(BINS + 1)
    mean, square = np.zeros(BINS + 1), np.zeros(BINS + 1)
    total, kept = np.zeros(BINS + 1), 0
    weights = np.concatenate([table, [bias]])
    for turn in range(rounds):
        gradient = _gradient(traces, prices, weights, critic, price=price, rng=rng)
        gradient -= _DECAY * weights / BINS
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        size = _RATE * (1 - turn / rounds) + 0.002  # Adam (Kingma and Ba 2015)
        even, spread = mean / (1 - 0.9 ** (turn + 1)), square / (1 - 0.99 ** (turn + 1))
        weights = weights + size * even / (np.sqrt(spread) + 1e-8)
        if turn >= rounds * 3 // 4:
            total, kept = total + weights, kept + 1
    weights = total / kept
    return Agent(table=weights[:-1], bias=float(weights[-1]), price=price)


def _gradient(
    traces: Traces, prices: Prices, weights: Floats, critic: Floats, *, price: float, rng: np.random.Generator
) -> Floats:
    """Play every place once and return the policy's gradient of the mean return; `critic` learns on the way."""
    episode = Episode([], [], [], [])

    def choose(bins: Ints, agree: Bools, rows: Ints) -> Bools:  # noqa: ARG001  an agent sees the bins alone
        chosen: Bools = rng.random(len(bins)) < _chance(weights, bins)
        return chosen

    outcome = replay(traces, prices, choose, episode)
    to_go = np.minimum(0.0, outcome.quality - traces.quality) - _CHANGED * outcome.changed
    gradient = np.zeros(BINS + 1)
    steps = 0
    for bins, rows, chosen, cost in zip(
        reversed(episode.bins), reversed(episode.rows), reversed(episode.chosen), reversed(episode.cost), strict=True
    ):
        to_go[rows] -= price * cost
        expected = critic[bins].sum(axis=1) + critic[-1]
        advantage = to_go[rows] - expected
        chance = _chance(weights, bins)
        slope = (chosen - chance) * advantage
        slope += _ENTROPY * price * chance * (1 - chance) * -_score(weights, bins)
        for column in range(bins.shape[1]):
            gradient[:-1] += np.bincount(bins[:, column], slope, BINS)
            seen = np.maximum(1, np.bincount(bins[:, column], minlength=BINS))
            step = np.bincount(bins[:, column], advantage, BINS) / seen
            critic[:-1] += _CRITIC_RATE / bins.shape[1] * step * min(1.0, len(bins) / 500)
        gradient[-1] += slope.sum()
        critic[-1] += _CRITIC_RATE / bins.shape[1] * float(advantage.mean()) * min(1.0, len(bins) / 500)
        steps += len(bins)
    return gradient / steps


def _chance(weights: Floats, bins: Ints) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-_score(weights, bins)))
    return chance


def _score(weights: Floats, bins: Ints) -> Floats:
    score: Floats = np.clip(weights[:-1][bins].sum(axis=1) + weights[-1], -30, 30)
    return score
