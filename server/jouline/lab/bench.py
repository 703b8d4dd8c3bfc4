"""The routers of the bench, by name: what each knows of a row before and after the small draft."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from jouline.catalogue.card import load_catalogue
from jouline.errors import ConfigError
from jouline.lab.described import Described, describe, shared_features
from jouline.lab.neighbours import remember
from jouline.lab.policy import Scores
from jouline.lab.product import product_scores
from jouline.lab.table import Floats, Table, request
from jouline.lab.training import CANDIDATES, chances, confidence, inputs, net_gain, train
from jouline.router.calibration import OperatingPoint, load
from jouline.router.classifier import OutcomeClassifier
from jouline.router.features import FeatureExtractor

TIMED_ROWS = 500
_TIMED_TEXTS = 100
_TEXT_REGULARISATION = 0.3
INVALID = 100.0  # added to -log p of a draft that does not parse: nothing else escalates before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Tables that share no package: to learn from, to fix operating points on, to test on."""

    train: Table
    validate: Table
    test: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A router's scores on the validation and the test table; `label` says in a few words what it is.

    `points` are its operating points where it comes with its own; None has them fixed on the validation table.
    `route_ms_p95` is what choosing takes, in milliseconds of this thread's processor time; None is unknown.
    """

    label: str
    validate: Scores
    test: Scores
    points: tuple[OperatingPoint, ...] | None = None
    route_ms_p95: float | None = None


class LacksEvidenceError(ConfigError):
    """A router needs more than the tables tell."""


Maker = Callable[[Split, int], Scored]


def make(name: str, split: Split, *, seed: int) -> Scored:
    """Return a router's scores by its name.

    Raises `LacksEvidenceError` where the tables do not tell what it needs, `ConfigError` for a name that is not there.
    """
    if name not in ROUTERS:
        raise ConfigError(f"There is no router {name!r} in the bench: choose among {', '.join(ROUTERS)}.")
    return ROUTERS[name](split, seed)


def made(folder: Path, split: Split) -> Scored:
    """Return the scores of a trained router as the product would compute them, with its own operating points."""
    scores = [product_scores(table, folder) for table in (split.validate, split.test)]
    label = "the product's router: by the place, then by the draft"
    return Scored(
        label=label,
        validate=scores[0],
        test=scores[1],
        points=load(folder / "calibration.json").points,
        route_ms_p95=_route_ms_p95(folder, split.test),
    )


def _route_ms_p95(folder: Path, table: Table) -> float | None:
    """Return what describing a place and scoring it takes, at the 95th percentile over the table's first rows."""
    tokenizer = load_catalogue().pair().tokenizer
    if tokenizer is None:
        return None
    extractor = FeatureExtractor(tokenizer)
    calibration = load(folder / "calibration.json")
    places = OutcomeClassifier(folder / "difficulty.onnx", calibration.place_features)
    taken = []
    for row in table.rows[:TIMED_ROWS]:
        asked = request(row)
        started = time.thread_time()
        extractor.extract(asked)
        places.chances(row["features"])
        taken.append((time.thread_time() - started) * 1e3)
    return float(np.quantile(taken, 0.95))


def _random(split: Split, seed: int) -> Scored:
    rng = np.random.default_rng(seed)
    scores = [Scores(before=rng.random(len(table)), after=None) for table in (split.validate, split.test)]
    return Scored(label="a seeded coin", validate=scores[0], test=scores[1])


def _oracle(split: Split, seed: int) -> Scored:
    rng = np.random.default_rng(seed)
    scores = [
        Scores(before=table.large_quality - table.small_quality + 1e-6 * rng.random(len(table)), after=None)
        for table in (split.validate, split.test)
    ]
    return Scored(label="knows the gain of every row", validate=scores[0], test=scores[1])


def _threshold(split: Split, _seed: int) -> Scored:
    _need_logprobs(split, "threshold")
    unsure = [-table.logprobs("small") for table in (split.validate, split.test)]
    return Scored(
        label="escalates the drafts of least log p",
        validate=Scores(before=None, after=unsure[0]),
        test=Scores(before=None, after=unsure[1]),
    )


def _cascade(split: Split, _seed: int) -> Scored:
    _need_logprobs(split, "cascade")
    unsure = [-table.logprobs("small") + INVALID * _unparsed(table) for table in (split.validate, split.test)]
    return Scored(
        label="escalates drafts that do not parse, then those of least log p",
        validate=Scores(before=None, after=unsure[0]),
        test=Scores(before=None, after=unsure[1]),
    )


def _unparsed(table: Table) -> Floats:
    evidence = (row["outcomes"][table.small].get("evidence") or {} for row in table.rows)
    return np.array([float(found.get("parses", 1.0) == 0.0) for found in evidence])


def _classifier(split: Split, _seed: int) -> Scored:
    if not all(table.has_drafts for table in (split.train, split.validate, split.test)):
        raise LacksEvidenceError(
            "The router classifier needs places with features and drafts as evidence, which the tables do not tell."
        )
    floor = confidence(split.train.logprobs("small"), split.train.small_quality).floor
    learn = inputs(split.train, floor)
    trained = train(split.train, learn)
    scores = []
    for table in (split.validate, split.test):
        given = inputs(table, floor, learn.place_names)
        before, after = net_gain(chances(trained.place, given.place)), net_gain(chances(trained.draft, given.draft))
        scores.append(Scores(before=before, after=after))
    return Scored(label="ours: by the place, then by the draft", validate=scores[0], test=scores[1])


def _place(split: Split, _seed: int) -> Scored:
    names = shared_features((split.train, split.validate, split.test))
    if not names:
        raise LacksEvidenceError("The router place needs features of the rows, which the tables do not tell.")
    model = _fitted(CANDIDATES["trees"](), split, names)
    return _undrafted(split, names, "trees", lambda given: net_gain(chances(model, given)))


def _logistic(split: Split, _seed: int) -> Scored:
    names = shared_features((split.train, split.validate, split.test))
    unfitted = CANDIDATES["logistic"]() if names else LogisticRegression(C=_TEXT_REGULARISATION, max_iter=400)
    model = _fitted(unfitted, split, names)
    return _undrafted(split, names, "logistic regression", lambda given: net_gain(chances(model, given)))


def _knn(split: Split, _seed: int) -> Scored:
    names = shared_features((split.train, split.validate, split.test))
    seen = remember(describe(split.train.rows, names), split.train.large_quality - split.train.small_quality)
    return _undrafted(split, names, f"the {seen.count} nearest queries", seen.gain)


def _fitted(model: Any, split: Split, names: Sequence[str]) -> Any:
    if len(np.unique(split.train.classes)) < 2:
        raise ConfigError("Every row of the train table ends alike for both models: nothing can be learnt from it.")
    return model.fit(describe(split.train.rows, names), split.train.classes)


def _undrafted(split: Split, names: Sequence[str], kind: str, gain: Callable[[Described], Floats]) -> Scored:
    """Return the scores of a router that no model's draft reaches; `gain` is what it expects of described rows."""
    scores = [Scores(before=gain(describe(table.rows, names)), after=None) for table in (split.validate, split.test)]
    of = "features of the place" if names else "hashed words and letters of the text"
    return Scored(
        label=f"{kind} over {of}, no draft",
        validate=scores[0],
        test=scores[1],
        route_ms_p95=_text_ms_p95(split.test, gain) if not names else None,
    )


def _text_ms_p95(table: Table, gain: Callable[[Described], Floats]) -> float:
    """Return what describing a text and scoring it takes, at the 95th percentile over the table's first rows."""
    taken = []
    for row in table.rows[:_TIMED_TEXTS]:
        started = time.thread_time()
        gain(describe([row], ()))
        taken.append((time.thread_time() - started) * 1e3)
    return float(np.quantile(taken, 0.95))


def _need_logprobs(split: Split, name: str) -> None:
    if not (split.validate.has_logprobs and split.test.has_logprobs):
        raise LacksEvidenceError(
            f"The router {name} needs the small model's log p as evidence, which the tables do not tell."
        )


ROUTERS: dict[str, Maker] = {
    "random": _random,
    "threshold": _threshold,
    "logistic": _logistic,
    "knn": _knn,
    "place": _place,
    "classifier": _classifier,
    "cascade": _cascade,
    "oracle": _oracle,
}
