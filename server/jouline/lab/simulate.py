"""Off-policy evaluation: what other policies would have earned, from a log of choices with known chances.

Two questions are asked. **Replay** (Li et al. 2011): a policy that learns meets the events in random order and is told
the reward wherever it chooses what the log chose; with uniform logging the matched events are an unbiased sample of
what it would have met, as far as they reach. **IPS, SNIPS and doubly robust** (Dudik et al. 2011): a policy that has
learnt from the logged events of other queries, then frozen, is valued on queries it has not seen, in five folds.

Intervals draw whole queries with replacement; for replay the order and the policy's own luck are drawn anew each time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jouline.errors import ConfigError
from jouline.lab.grid import Floats
from jouline.lab.intervals import Number, holm, interval, p_value
from jouline.lab.logged import Log, queries
from jouline.lab.metrics import group_means, resamples
from jouline.lab.routers.bandit import Bandit
from jouline.lab.routers.by_text import TAUGHT
from jouline.lab.routers.epsilon import LinearEpsilonGreedy
from jouline.lab.routers.online import BANDITS
from jouline.lab.routers.router import Router, best, known_means

FOLDS = 5
TIMES = 1000
REPLAYS = 40
_CURVE_POINTS = 60
RANDOM, BEST_FIXED = "random", "best-fixed"
POLICIES = (RANDOM, BEST_FIXED, *BANDITS, *TAUGHT)
_CHANCES_OF_RANDOM = "uniform over all models"


class BestFixed:
    """The model of the largest mean reward, whatever the query."""

    label = "the model that did best on average"

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self._means: Floats = np.zeros(len(models))

    def learn(self, queries: Any, rewards: Floats) -> None:
        """Take the means."""
        del queries
        self._means = known_means(rewards)

    def worth(self, queries: Any) -> Floats:
        """Return the means for every query."""
        return np.tile(self._means, (len(queries), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One pass: rewards and regrets of the events matched, in order; no regrets where the log knows no optimum."""

    rewards: Floats
    regrets: Floats


def simulate(
    log: Log, names: Sequence[str], *, replays: int = REPLAYS, times: int = TIMES, seed: int = 0
) -> dict[str, Any]:
    """Return, for each policy by name, its mean reward and regret by every estimator that applies, with intervals."""
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        raise ConfigError(f"There is no policy {unknown[0]!r} to simulate: choose among {', '.join(POLICIES)}.")
    model = _reward_model(log, seed)
    asked = list(dict.fromkeys([RANDOM, *names]))
    index, counts = resamples(np.array([f"{at:09d}" for at in log.query]), times, seed)
    draws: dict[str, dict[str, Floats]] = {}
    found: dict[str, Any] = {}
    for name in asked:
        chances = _frozen(log, name, seed)
        values = estimates(log, chances, model)
        drawn = {kind: _resampled(each, index, counts) for kind, each in values.items()}
        draws[name] = drawn
        found[name] = {"label": _label(log, name)} | {
            kind: _told(log, _mean(values[kind]), drawn[kind].tolist()) for kind in values
        }
        if name in {RANDOM, *BANDITS}:
            found[name]["replay"] = _replays(log, name, replays, seed)
    _add_tests(found, draws)
    return {"kind": "simulation", "log": _described(log), "policies": found}


def _described(log: Log) -> dict[str, Any]:
    optimal = float(log.optimal.mean()) if log.knows_optimum else None
    texts = sum(1 for row in log.rows if row["text"])
    return {
        "events": len(log),
        "queries": len(log.rows),
        "queries_with_text": texts,
        "models": list(log.models),
        "mean_reward": float(log.reward.mean()),
        "mean_optimal_reward": optimal,
    }


def _router(log: Log, name: str, seed: int) -> Any:
    if name in BANDITS:
        return BANDITS[name](log.models, log.contexts.shape[1], seed)
    return BestFixed(log.models) if name == BEST_FIXED else TAUGHT[name](log.models, 0, seed)


def _label(log: Log, name: str) -> str:
    return _CHANCES_OF_RANDOM if name == RANDOM else str(_router(log, name, 0).label)


def _folds(log: Log, seed: int) -> NDArray[np.int64]:
    """Return the fold of every query."""
    return np.random.default_rng(seed).permutation(len(log.rows)) % FOLDS


def _frozen(log: Log, name: str, seed: int) -> Floats:
    """Return what the policy asks for at each event, as chances of shape (events, models), never having seen its query.

    It has learnt from the logged events of the other folds, whatever was asked there, and explores no more.
    """
    models = len(log.models)
    if name == RANDOM:
        return np.full((len(log), models), 1.0 / models)
    chosen = np.zeros(len(log), dtype=np.int64)
    for fold, learn, asked in _parts(log, seed):
        router: Router = _router(log, name, seed + fold)
        router.learn(queries(log, np.unique(log.query[learn])), _by_query(log, learn))
        chosen[asked] = best(router.worth(queries(log, log.query[asked])), np.zeros(models))
    return np.eye(models)[chosen]


def _parts(log: Log, seed: int) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    of_event = _folds(log, seed)[log.query]
    return [(fold, np.flatnonzero(of_event != fold), np.flatnonzero(of_event == fold)) for fold in range(FOLDS)]


def _by_query(log: Log, events: NDArray[np.int64]) -> Floats:
    """Return a row for each query with all rewards seen of it, the mean where a model was asked more than once."""
    asked, row = np.unique(log.query[events], return_inverse=True)
    sums, counts = np.zeros((2, len(asked), len(log.models)))
    np.add.at(sums, (row, log.action[events]), log.reward[events])
    np.add.at(counts, (row, log.action[events]), 1.0)
    return np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)


def _reward_model(log: Log, seed: int) -> Floats:
    """Return the reward expected of each model at each event: ridge regressions fitted on the other folds."""
    found = np.zeros((len(log), len(log.models)))
    for _, learn, asked in _parts(log, seed):
        ridge = LinearEpsilonGreedy(log.models, log.contexts.shape[1])
        ridge.learn(queries(log, np.unique(log.query[learn])), _by_query(log, learn))
        found[asked] = ridge.worth(queries(log, log.query[asked]))
    return found


def estimates(log: Log, chances: Floats, model: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return each estimator as contributions of events and their weights: the estimate is sum / sum.

    `chances` are the policy's, `model` the rewards expected, both of shape (events, models). IPS divides by the number
    of events, SNIPS by the sum of the weights, which is steadier and a little biased; doubly robust adds the reweighted
    error of the model to what the model expects.
    """
    at = np.arange(len(log))
    weight = chances[at, log.action] / log.propensity
    ones = np.ones(len(log))
    expected = (chances * model).sum(axis=1)
    return {
        "ips": (weight * log.reward, ones),
        "snips": (weight * log.reward, weight),
        "doubly_robust": (expected + weight * (log.reward - model[at, log.action]), ones),
    }


def _mean(value: tuple[Floats, Floats]) -> float:
    contributions, weights = value
    return float(contributions.sum() / weights.sum())


def _resampled(value: tuple[Floats, Floats], index: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    above, below = (group_means(part, index, counts) for part in value)
    found: Floats = above / np.maximum(below, 1e-12)
    return found


def _told(log: Log, value: float, drawn: Sequence[Number]) -> dict[str, Any]:
    """Return a mean reward with its interval, and the regret against the best that was to be had."""
    found: dict[str, Any] = {"mean_reward": value, "ci95": interval(drawn), "mean_regret": None}
    if log.knows_optimum:
        optimal = float(log.optimal.mean())
        low, high = found["ci95"]
        ends = [None, None] if low is None or high is None else [optimal - high, optimal - low]
        found |= {"mean_regret": optimal - value, "regret_ci95": ends}
    return found


def _add_tests(found: dict[str, Any], draws: dict[str, dict[str, Floats]]) -> None:
    """Add the difference from random by the doubly robust estimate, paired by resample, p corrected by Holm."""
    apart = {
        name: (drawn["doubly_robust"] - draws[RANDOM]["doubly_robust"]).tolist()
        for name, drawn in draws.items()
        if name != RANDOM
    }
    p_values = {name: p_value(differences) for name, differences in apart.items()}
    corrected = holm(p_values)
    for name, differences in apart.items():
        value = found[name]["doubly_robust"]["mean_reward"] - found[RANDOM]["doubly_robust"]["mean_reward"]
        found[name]["paired"] = {
            "against": RANDOM,
            "doubly_robust": value,
            "ci95": interval(differences),
            "p": p_values[name],
            "p_holm": corrected[name],
        }


def _replays(log: Log, name: str, replays: int, seed: int) -> dict[str, Any]:
    """Return the mean over replays of resampled queries in random order, and the regret that has run up by step.

    Where choices were not logged uniformly, those of larger propensity are thinned out until they are.
    """
    passes = []
    by_query = [np.flatnonzero(log.query == at) for at in range(len(log.rows))]
    for turn in range(replays):
        rng = np.random.default_rng([seed, turn])
        drawn = rng.integers(0, len(by_query), len(by_query))
        order = rng.permutation(np.concatenate([by_query[at] for at in drawn]))
        kept = rng.random(len(order)) < log.propensity.min() / log.propensity[order]
        passes.append(replay(log, _picker(log, name, turn), order[kept]))
    means = [float(each.rewards.mean()) for each in passes if len(each.rewards)]
    reach = min(len(each.rewards) for each in passes)
    found = _told(log, float(np.mean(means)), means) if means else {"mean_reward": None, "ci95": [None, None]}
    return found | {
        "passes": replays,
        "matched": reach,
        "curve": _regret_curve(passes, reach) if log.knows_optimum else [],
    }


def _regret_curve(passes: Sequence[Replayed], reach: int) -> list[dict[str, float]]:
    if not reach:
        return []
    run_up = np.array([each.regrets[:reach].cumsum() for each in passes])
    steps = np.unique(np.linspace(1, reach, _CURVE_POINTS).astype(int))
    low, high = np.quantile(run_up, [0.025, 0.975], axis=0)
    return [
        {
            "step": int(step),
            "regret": float(run_up[:, step - 1].mean()),
            "low": float(low[step - 1]),
            "high": float(high[step - 1]),
        }
        for step in steps
    ]


Picker = tuple[Callable[[Floats], int], Callable[[Floats, int, float], None]]


def _picker(log: Log, name: str, seed: int) -> Picker:
    """Return how a policy chooses at a context and how it is told a reward."""
    toll = np.zeros(len(log.models))
    if name == RANDOM:
        rng = np.random.default_rng(seed)
        return lambda _: int(rng.integers(len(toll))), lambda _context, _column, _reward: None
    bandit: Bandit = BANDITS[name](log.models, log.contexts.shape[1], seed)
    return lambda context: bandit.pick(context, toll), bandit.update


def replay(log: Log, picker: Picker, order: NDArray[np.int64]) -> Replayed:
    """Return the rewards that a policy is told when it meets the events in this order."""
    pick, update = picker
    matched = []
    for event in order:
        context = log.contexts[log.query[event]]
        column = pick(context)
        if column == log.action[event]:
            update(context, column, float(log.reward[event]))
            matched.append(event)
    seen = np.array(matched, dtype=np.int64)
    return Replayed(rewards=log.reward[seen], regrets=log.optimal[seen] - log.reward[seen])
