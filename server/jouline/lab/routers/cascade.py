"""cascade: asks the cheapest model first and keeps its answer if it is likely right, else the next (SynConfRoute).

Accepted is what parses and whose calibrated confidence is high enough (arXiv 2605.04894). The chance that an answer is
right is a logistic regression on the evidence that all rows tell; an answer that does not parse is never accepted
before one that does. A chain of any number of models, by their mean cost; every draft is paid for.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from sklearn.linear_model import LogisticRegression

from jouline.lab.grid import Choices, Floats, Grid, Played
from jouline.lab.outcomes import Row
from jouline.lab.routers.contestant import Contestant, LacksEvidenceError, Split, by_budget
from jouline.lab.table import Table

EVIDENCE = ("logprob", "logprob_least", "logprob_mean", "margin_least")
_THRESHOLDS = 201
_INVALID = 1.0  # taken off the chance of an answer that does not parse


class Acceptance:
    """The chance that a model's answer is right, from its evidence."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are the evidence read, all of which every row must tell."""
        self._names = names
        self._model: LogisticRegression | None = None
        self._mean = 0.0

    def learn(self, rows: Sequence[Row], model: str) -> None:
        """Fit to one model's answers; where all end alike their common quality is told."""
        right = np.array([row["outcomes"][model]["quality"] for row in rows]) >= 0.5
        self._mean = float(right.mean())
        if right.any() and not right.all():
            self._model = LogisticRegression(C=1.0, max_iter=1000).fit(self._matrix(rows, model), right)

    def chance(self, rows: Sequence[Row], model: str) -> Floats:
        """Return the chance that each answer is right; below 0 where it does not parse."""
        found = np.full(len(rows), self._mean)
        if self._model is not None:
            found = self._model.predict_proba(self._matrix(rows, model))[:, 1]
        return found - _INVALID * np.array([_evidence(row, model).get("parses", 1.0) == 0.0 for row in rows])

    def _matrix(self, rows: Sequence[Row], model: str) -> Floats:
        return np.array([[_evidence(row, model)[name] for name in self._names] for row in rows])


def _evidence(row: Row, model: str) -> dict[str, float]:
    outcome = row["outcomes"][model]
    found: dict[str, float] = dict(outcome.get("evidence") or {})
    if "logprobs" in outcome:
        found.setdefault("logprob", float(sum(outcome["logprobs"])))
    return found


def cascade(split: Split, _seed: int) -> Contestant:
    """Return the chain of all models by their mean cost, one threshold for all of its links."""
    grids = [split.grid(table) for table in (split.train, split.validate, split.test)]
    chain = [int(column) for column in np.argsort(grids[0].cost.mean(axis=0), kind="stable")]
    names = _told(grids, chain)
    if "logprob" not in names:
        raise LacksEvidenceError(
            "The router cascade needs every model's log p but the last one's as evidence, which the tables do not tell."
        )
    accepts = []
    for column in chain[:-1]:
        acceptance = Acceptance(names)
        acceptance.learn(grids[0].rows, grids[0].models[column])
        accepts.append(acceptance)
    chances = [_chances(given, chain, accepts) for given in grids[1:]]
    thresholds = np.unique(np.quantile(chances[0], np.linspace(0.0, 1.0, _THRESHOLDS)))
    tables = (split.validate, split.test)
    played = [
        climb(given, chain, found, _paid(table, given, chain), thresholds)
        for table, given, found in zip(tables, grids[1:], chances, strict=True)
    ]
    fixed = by_budget(grids[1], grids[2], played[0], played[1])
    right = np.clip(chances[1][0], 0.0, 1.0)
    return Contestant(
        label="cheapest first, kept if it parses and is likely right by log p",
        validate=fixed[0],
        test=fixed[1],
        gain=-chances[1][0],
        chance=right,
    )


def _told(grids: Sequence[Grid], chain: Sequence[int]) -> list[str]:
    """Return the evidence that every row tells of every model but the last."""
    told = set(EVIDENCE)
    for given in grids:
        for row in given.rows:
            for column in chain[:-1]:
                told &= _evidence(row, given.models[column]).keys()
    return [name for name in EVIDENCE if name in told]


def _chances(given: Grid, chain: Sequence[int], accepts: Sequence[Acceptance]) -> Floats:
    """Return the chance that each link's answer is right, shape (links, rows)."""
    links = zip(chain, accepts, strict=False)
    return np.array([accept.chance(given.rows, given.models[column]) for column, accept in links])


def climb(given: Grid, chain: Sequence[int], chances: Floats, paid: Floats, thresholds: Floats) -> Played:
    """Return what the chain does at each threshold: up to the first link whose chance is at least that high.

    `paid` is what the links up to each one cost together, shape (links, rows).
    """
    stops = [_stops(chances, float(threshold)) for threshold in thresholds]
    row = np.arange(len(given))
    answered = np.array([np.asarray(chain)[stop] for stop in stops])
    return Played(
        answered=answered,
        quality=given.quality[row, answered],
        cost=np.array([paid[stop, row] for stop in stops]),
        escalated=np.array([stop > 0 for stop in stops]),
    )


def _stops(chances: Floats, threshold: float) -> Choices:
    accepted = np.vstack([chances >= threshold, np.ones(chances.shape[1], dtype=bool)])
    found: Choices = np.argmax(accepted, axis=0)
    return found


def _paid(table: Table, given: Grid, chain: Sequence[int]) -> Floats:
    """Return what the links up to each one cost together; after the small draft what the table tells of that."""
    steps = [given.cost[:, chain[0]]]
    for before, column in pairwise(chain):
        if (before, column) == (given.small, given.large):
            steps.append(table.escalate_cost)
        else:
            steps.append(_after(given, before, column))
    return np.cumsum(steps, axis=0)


def _after(given: Grid, before: int, column: int) -> Floats:
    """Return what a model costs once another has run; its whole cost where a row does not tell that."""
    other, model = given.models[before], given.models[column]
    told = [row["outcomes"][model].get("cost_after", {}).get(other, np.nan) for row in given.rows]
    return np.where(np.isnan(told), given.cost[:, column], told)
