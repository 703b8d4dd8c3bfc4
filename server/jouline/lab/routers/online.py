"""The routers that learn while they choose: GreenServ's bandits and the quality floor, on tables."""

from collections.abc import Callable, Sequence

import numpy as np

from jouline.lab.grid import Floats, Grid, Played, joined, play
from jouline.lab.queries import Seen
from jouline.lab.routers.bandit import Bandit
from jouline.lab.routers.borne_out import BorneOut
from jouline.lab.routers.contestant import Contestant, Split, by_budget, route_ms
from jouline.lab.routers.epsilon import ContextualEpsilonGreedy, EpsilonGreedy, LinearEpsilonGreedy
from jouline.lab.routers.linucb import LinUcb
from jouline.lab.routers.logistic import Logistic
from jouline.lab.routers.quality_floor import QualityFloor
from jouline.lab.routers.router import best
from jouline.lab.routers.thompson import Thompson

BANDITS: dict[str, Callable[[Sequence[str], int, int], Bandit]] = {  # models, length of a context, seed
    "epsilon-greedy": lambda models, _width, seed: EpsilonGreedy(models, seed),
    "contextual-epsilon-greedy": lambda models, _width, seed: ContextualEpsilonGreedy(models, seed),
    "linear-epsilon-greedy": LinearEpsilonGreedy,
    "linucb": LinUcb,
    "thompson": Thompson,
}
TRADES = np.linspace(0.0, 1.0, 31) ** 1.5  # GreenServ's lambda, what cost weighs against quality; closer near 0
_BOUNDS = np.linspace(0.0, 1.0, 21)  # of the way from the small model's mean quality to the large one's


def bandit(name: str, split: Split, seed: int) -> Contestant:
    """Return a bandit that met the train table's rows once, in random order, and saw only what it asked for.

    Each operating point is a bandit of its own, for one weight of cost; afterwards it is frozen and explores no more.
    """
    train, validate, test = (split.grid(table) for table in (split.train, split.validate, split.test))
    taught = [_taught(BANDITS[name], train, split.queries[0], trade, seed) for trade in TRADES]
    played = [
        play(given, np.array([best(one.worth(queries), toll) for one, toll in taught]))
        for given, queries in zip((validate, test), split.queries[1:], strict=True)
    ]
    fixed = by_budget(validate, test, played[0], played[1])
    first, _ = taught[0]
    return Contestant(
        label=f"{first.label}, taught by its own choices in {len(train)} rows, then frozen",
        validate=fixed[0],
        test=fixed[1],
        route_ms_p95=route_ms(first, split),
    )


def _taught(
    make: Callable[[Sequence[str], int, int], Bandit], train: Grid, seen: Seen, trade: float, seed: int
) -> tuple[Bandit, Floats]:
    """Return a bandit after one pass, and what a model's mean cost takes off its quality at this trade."""
    costs = train.cost.mean(axis=0)
    toll = trade / max(1.0 - trade, 1e-6) * (costs - costs.min()) / (float(np.ptp(costs)) or 1.0)
    found = make(train.models, seen.contexts.shape[1], seed)
    for row in np.random.default_rng(seed).permutation(len(train)):
        context = seen.contexts[row]
        column = found.pick(context, toll)
        found.update(context, column, float(train.quality[row, column]))
    return found, toll


def quality_floor(split: Split, seed: int) -> Contestant:
    """Return the virtual queue over logistic regressions, one run a bound, in random order of the rows.

    It sees the quality of every answer of its own (in an editor: what is accepted), and of nothing else.
    """
    train, validate, test = (split.grid(table) for table in (split.train, split.validate, split.test))
    estimate = BorneOut(lambda: Logistic(split.models), seed)
    estimate.learn(split.queries[0], train.quality)
    costs, means = train.cost.mean(axis=0), train.quality.mean(axis=0)
    bounds = means[train.small] + _BOUNDS * (means[train.large] - means[train.small])
    played = []
    for given, queries in zip((validate, test), split.queries[1:], strict=True):
        expected = estimate.worth(queries)
        floors = [QualityFloor(estimate, costs, bound) for bound in bounds]
        for floor in floors:
            floor.begin_at(estimate.unseen, train.quality)
        played.append(joined([_kept(given, expected, floor, seed) for floor in floors]))
    fixed = by_budget(validate, test, played[0], played[1])
    floor = QualityFloor(estimate, costs, float(bounds[-1]))
    return Contestant(
        label=f"{floor.label} over logistic regression of {split.encoder.of}",
        validate=fixed[0],
        test=fixed[1],
        route_ms_p95=route_ms(floor, split),
    )


def _kept(given: Grid, expected: Floats, floor: QualityFloor, seed: int) -> Played:
    answered = np.zeros((1, len(given)), dtype=np.int64)
    for row in np.random.default_rng(seed).permutation(len(given)):
        answered[0, row] = column = floor.choose(expected[row])
        floor.saw(float(given.quality[row, column]))
    return play(given, answered)
