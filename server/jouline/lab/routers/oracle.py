"""random and oracle: the coin between the two ends, and who knows every outcome."""

import numpy as np

from jouline.lab.grid import Floats, Grid, Played, play
from jouline.lab.policy import Scores
from jouline.lab.routers.contestant import Contestant, Split, by_budget, by_scores

_STEPS_OF_PRICE = 200


def coin(split: Split, seed: int) -> Contestant:
    """Return a seeded coin between the small and the large model: the line that routers are held against."""
    rng = np.random.default_rng(seed)
    scores = [Scores(before=rng.random(len(table)), after=None) for table in (split.validate, split.test)]
    return by_scores(split, "a seeded coin between the two ends", (scores[0], scores[1]))


def oracle(split: Split, seed: int) -> Contestant:
    """Return who knows the quality and the cost of every model at every row."""
    if split.of_two:
        return _of_two(split, seed)
    validate, test = split.grid(split.validate), split.grid(split.test)
    prices = _prices(validate)
    played = [_played(each, prices) for each in (validate, test)]
    fixed = by_budget(validate, test, played[0], played[1])
    return Contestant(label="knows every outcome", validate=fixed[0], test=fixed[1], gain=test.gain)


def _of_two(split: Split, seed: int) -> Contestant:
    rng = np.random.default_rng(seed)
    scores = [
        Scores(before=table.large_quality - table.small_quality + 1e-6 * rng.random(len(table)), after=None)
        for table in (split.validate, split.test)
    ]
    return by_scores(split, "knows the gain of every row", (scores[0], scores[1]))


def _prices(given: Grid) -> Floats:
    """Return prices from next to nothing to where cost alone counts, as quality for the mean spread of costs."""
    spread = float(np.ptp(given.cost, axis=1).mean()) or 1.0
    return np.geomspace(1e-6, 1e3, _STEPS_OF_PRICE) / spread


def _played(given: Grid, prices: Floats) -> Played:
    answered = np.array([np.argmax(given.quality - price * given.cost, axis=1) for price in prices])
    return play(given, answered)
