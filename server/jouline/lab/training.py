"""Trains the two classifiers of the product's router and writes them as ONNX."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jouline.errors import ConfigError
from jouline.lab import fitting
from jouline.lab.table import Floats, Table, draft_rows, need_drafts, place_matrix
from jouline.router.calibration import TierConfidence
from jouline.router.classifier import CLASSES

_FOLDS = 5
_OPSET = 17

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The features of a table's rows: of the place alone, and with the small model's draft."""

    place_names: tuple[str, ...]
    draft_names: tuple[str, ...]
    place: Matrix
    draft: Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Two fitted classifiers of the four outcomes: what each candidate scored by package left out, and the choice."""

    place: Any
    draft: Any
    scores: dict[str, dict[str, float]]
    chosen: dict[str, str]


def _logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=400))


def _trees() -> Any:
    return HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=70,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        l2_regularization=10.0,
        max_features=0.3,
        random_state=0,
    )


CANDIDATES: dict[str, Callable[[], Any]] = {
    "logistic": _logistic,
    "trees": _trees,
    "both": lambda: VotingClassifier(
        [("logistic", _logistic()), ("trees", _trees())], voting="soft", flatten_transform=False
    ),
}
"""What may become the classifier, the simplest first; `both` tells the mean of the other two's chances."""


def check_outcomes(table: Table) -> None:
    """Raise `ConfigError` where one of the four outcomes never occurs, because nothing can be learnt of it."""
    absent = [name for index, name in enumerate(CLASSES) if not (table.classes == index).any()]
    if absent:
        raise ConfigError(f"The outcomes {', '.join(absent)} do not occur in the table: collect more places.")


def inputs(table: Table, floor: float, place_names: tuple[str, ...] | None = None) -> Inputs:
    """Return the table's features; `floor` is the summed log p at which drafts are stopped."""
    need_drafts(table)
    names = place_names or tuple(table.rows[0]["features"])
    place = place_matrix(table.rows, names)
    drafts = draft_rows(table.rows, table.small, floor)
    draft_names = tuple(drafts[0])
    drafted = np.array([list(row.values()) for row in drafts], dtype=np.float32)
    return Inputs(place_names=names, draft_names=draft_names, place=place, draft=np.hstack([place, drafted]))


def train(table: Table, given: Inputs) -> Trained:
    """Fit both classifiers, each of the kind with the least log loss in cross-validation by package."""
    matrices = {"place": given.place, "draft": given.draft}
    scores = {name: candidate_scores(matrix, table) for name, matrix in matrices.items()}
    chosen = {name: min(found, key=lambda kind: found[kind]) for name, found in scores.items()}
    fitted = {name: CANDIDATES[chosen[name]]().fit(matrix, table.classes) for name, matrix in matrices.items()}
    return Trained(place=fitted["place"], draft=fitted["draft"], scores=scores, chosen=chosen)


def candidate_scores(matrix: Matrix, table: Table) -> dict[str, float]:
    """Return each candidate's mean log loss over rows of packages left out."""
    parts = {name: cross_validated(CANDIDATES[name](), matrix, table) for name in ("logistic", "trees")}
    parts["both"] = (parts["logistic"] + parts["trees"]) / 2
    return {name: log_loss(told, table) for name, told in parts.items()}


def cross_validated(model: Any, matrix: Matrix, table: Table) -> Floats:
    """Return the chances told of each row by a model that has not seen its package, shape (rows, 4)."""
    folds = min(_FOLDS, len(np.unique(table.groups)))
    if folds < 2:
        raise ConfigError("The table has only one package: collect places from several.")
    told = np.zeros((len(table), len(CLASSES)))
    for learn, test in GroupKFold(folds).split(matrix, groups=table.groups):
        told[test] = chances(clone(model).fit(matrix[learn], table.classes[learn]), matrix[test])
    return told


def log_loss(told: Floats, table: Table) -> float:
    """Return the mean log loss of told chances, shape (rows, 4)."""
    hit = told[np.arange(len(table)), table.classes]
    return float(-np.log(np.maximum(hit, 1e-9)).mean())


def chances(model: Any, matrix: Any) -> Floats:
    """Return a fitted model's probabilities in the order of `CLASSES`, shape (rows, 4)."""
    found = np.zeros((matrix.shape[0], len(CLASSES)))
    found[:, model.classes_] = model.predict_proba(matrix)
    return found


def net_gain(probabilities: Floats) -> Floats:
    """Return P(only large right) - P(only small right), per row."""
    return probabilities[:, CLASSES.index("only_large")] - probabilities[:, CLASSES.index("only_small")]


def confidence(logprobs: Floats, right: Floats) -> TierConfidence:
    """Fit the chance that a text is right to its summed log p, and the log p from which it is shown.

    Raises `ConfigError` where nothing can be learnt of it.
    """
    if len(np.unique(right >= 0.5)) < 2:
        raise ConfigError("A model is right everywhere or nowhere in the table: collect more places.")
    return fitting.confidence(logprobs, (right >= 0.5).astype(float))


def export(model: Any, n_features: int, path: Path) -> None:
    """Write a fitted classifier as ONNX with one input of shape (rows, n_features), probabilities as last output."""
    from skl2onnx import convert_sklearn  # noqa: PLC0415  slow to import
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415
    from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_classifier  # noqa: PLC0415

    def convert_trees(scope: Any, operator: Any, container: Any) -> None:
        convert_sklearn_random_forest_classifier(scope, operator, _PlainNumbers(container))

    graph = convert_sklearn(
        model,
        initial_types=[("features", FloatTensorType([None, n_features]))],
        options={"zipmap": False},
        target_opset=_OPSET,
        custom_conversion_functions={HistGradientBoostingClassifier: convert_trees},
    )
    path.write_bytes(graph.SerializeToString())


class _PlainNumbers:
    """A converter's container that turns the booleans among a node's integers into integers.

    skl2onnx 1.20 hands them on as they come out of scikit-learn, and onnx refuses them since it checks types.
    """

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        plain = {name: _without_booleans(value) for name, value in attributes.items()}
        self._container.add_node(op_type, inputs, outputs, **plain)


def _without_booleans(value: Any) -> Any:
    if isinstance(value, list):
        return [int(part) if isinstance(part, bool | np.bool_ | np.integer) else part for part in value]
    return value
