"""The routers between two models that know drafts or places: threshold, ours, the shipped one, trees."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jouline.catalogue.card import load_catalogue
from jouline.errors import ConfigError
from jouline.lab.described import describe, shared_features
from jouline.lab.outcomes import Row
from jouline.lab.policy import Scores
from jouline.lab.product import product_scores
from jouline.lab.routers.contestant import Contestant, LacksEvidenceError, Split, by_scores, p95_ms
from jouline.lab.table import Table, request
from jouline.lab.training import CANDIDATES, chances, confidence, inputs, net_gain, train
from jouline.router.calibration import load
from jouline.router.classifier import OutcomeClassifier
from jouline.router.features import FeatureExtractor

TIMED_ROWS = 500


def shipped(folder: Path, split: Split) -> Contestant:
    """Return a trained router as the product would run it, with its own operating points."""
    need_two(split, "shipped")
    scores = [product_scores(table, folder) for table in (split.validate, split.test)]
    return by_scores(
        split,
        "the product's router: by the place, then by the draft",
        (scores[0], scores[1]),
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
    places = OutcomeClassifier(folder / "difficulty.onnx", calibration.place_features, calibration.place_adjustment)

    def work(row: Row) -> Any:
        extractor.extract(request(row))
        return places.chances(row["features"])

    return p95_ms(table.rows[:TIMED_ROWS], work)


def threshold(split: Split, _seed: int) -> Contestant:
    """Return the escalation of the drafts of least log p."""
    need_two(split, "threshold")
    if not (split.validate.has_logprobs and split.test.has_logprobs):
        raise LacksEvidenceError(
            "The router threshold needs the small model's log p as evidence, which the tables do not tell."
        )
    unsure = [Scores(before=None, after=-table.logprobs("small")) for table in (split.validate, split.test)]
    return by_scores(split, "escalates the drafts of least log p", (unsure[0], unsure[1]))


def classifier(split: Split, _seed: int) -> Contestant:
    """Return ours, trained on the train table."""
    need_two(split, "classifier")
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
    return by_scores(split, "ours: by the place, then by the draft", (scores[0], scores[1]))


def place(split: Split, _seed: int) -> Contestant:
    """Return the product's trees over the place's features alone, no draft."""
    need_two(split, "place")
    names = shared_features((split.train, split.validate, split.test))
    if not names:
        raise LacksEvidenceError("The router place needs features of the rows, which the tables do not tell.")
    model = _fitted(split, names)
    scores = [
        Scores(before=net_gain(chances(model, describe(table.rows, names))), after=None)
        for table in (split.validate, split.test)
    ]
    return by_scores(split, "trees over features of the place, no draft", (scores[0], scores[1]))


def _fitted(split: Split, names: Sequence[str]) -> Any:
    if len(np.unique(split.train.classes)) < 2:
        raise ConfigError("Every row of the train table ends alike for both models: nothing can be learnt from it.")
    return CANDIDATES["trees"]().fit(describe(split.train.rows, names), split.train.classes)


def need_two(split: Split, name: str) -> None:
    """Raise `LacksEvidenceError` where there are more models than the two ends."""
    if not split.of_two:
        raise LacksEvidenceError(f"The router {name} chooses between two models: evaluate it without --models.")
