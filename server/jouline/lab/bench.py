"""The routers of the bench, by name: what each knows of a row before and after the small draft."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jouline.catalogue.card import load_catalogue
from jouline.errors import ConfigError
from jouline.lab.policy import Scores
from jouline.lab.product import product_scores
from jouline.lab.table import Floats, Table, request
from jouline.lab.training import CANDIDATES, chances, confidence, inputs, net_gain, train
from jouline.router.calibration import OperatingPoint, load
from jouline.router.classifier import OutcomeClassifier
from jouline.router.features import FeatureExtractor

TIMED_ROWS = 500
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


Maker = Callable[[Split, int], Scored]


def make(name: str, split: Split, *, seed: int) -> Scored:
    """Return a router's scores by its name; raise `ConfigError` for a name that is not there (yet)."""
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
    _need_drafts(split, "threshold")
    unsure = [-table.logprobs("small") for table in (split.validate, split.test)]
    return Scored(
        label="escalates the drafts of least log p",
        validate=Scores(before=None, after=unsure[0]),
        test=Scores(before=None, after=unsure[1]),
    )


def _cascade(split: Split, _seed: int) -> Scored:
    _need_drafts(split, "cascade")
    unsure = [-table.logprobs("small") + INVALID * _unparsed(table) for table in (split.validate, split.test)]
    return Scored(
        label="escalates drafts that do not parse, then those of least log p",
        validate=Scores(before=None, after=unsure[0]),
        test=Scores(before=None, after=unsure[1]),
    )


def _unparsed(table: Table) -> Floats:
    evidence = (row["outcomes"][table.small].get("evidence", {}) for row in table.rows)
    return np.array([float(found.get("parses", 1.0) == 0.0) for found in evidence])


def _classifier(split: Split, _seed: int) -> Scored:
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
    return _place_only(split, "trees", "trees over features of the place, no draft")


def _logistic(split: Split, _seed: int) -> Scored:
    return _place_only(split, "logistic", "logistic regression over features of the place, no draft")


def _place_only(split: Split, kind: str, label: str) -> Scored:
    floor = confidence(split.train.logprobs("small"), split.train.small_quality).floor
    learn = inputs(split.train, floor)
    model = CANDIDATES[kind]().fit(learn.place, split.train.classes)
    gains = [
        net_gain(chances(model, inputs(table, floor, learn.place_names).place))
        for table in (split.validate, split.test)
    ]
    return Scored(label=label, validate=Scores(before=gains[0], after=None), test=Scores(before=gains[1], after=None))


def _need_drafts(split: Split, name: str) -> None:
    if not (split.validate.has_drafts and split.test.has_drafts):
        raise ConfigError(f"The router {name} needs the small model's log p, which the tables do not tell.")


ROUTERS: dict[str, Maker] = {
    "random": _random,
    "threshold": _threshold,
    "logistic": _logistic,
    "place": _place,
    "classifier": _classifier,
    "cascade": _cascade,
    "oracle": _oracle,
}
