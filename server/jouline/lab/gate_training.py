"""Trains the gate on replays: which requests end in text that is taken, judged before inference and after the draft.

The rows are those of `jouline replay --log`. Accepts are rare (one request in a hundred), so the first classifier also
learns from what was merely good enough to be offered; its log-odds are then fitted to acceptance on packages left out.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jouline.errors import ConfigError
from jouline.lab.training import export
from jouline.router.gate_learned import FILE_NAME, LOG_ODDS, GateCard, GatePoint, Straight

Row = Mapping[str, Any]
Floats = NDArray[np.float64]

SAVINGS = (0.0, 25.0, 50.0, 75.0, 100.0)
LOST_BEFORE = (0.0, 0.01, 0.02, 0.05, 0.08)  # of accepted characters, by asking no model
LOST_AFTER = (0.0, 0.0, 0.0, 0.01, 0.02)  # by not offering what was written; at 50 all that is sure enough is
AFTER_A_PAUSE = (0.0, 0.02, 0.05, 0.2, 0.5)  # are asked for only once the person pauses
LEAST_TAKEN = 30
_FOLDS = 5
_DRAFT = "draft_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests of replays as arrays: what was seen, whether offered, how many characters were taken, at what cost."""

    place: NDArray[np.float32]
    draft: NDArray[np.float32]
    place_names: tuple[str, ...]
    draft_names: tuple[str, ...]
    offered: NDArray[np.bool_]
    taken: Floats
    cpu_seconds: Floats
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.groups)


def read_log(paths: Sequence[Path]) -> list[Row]:
    """Return the rows of replay logs; raises ConfigError where one cannot be read."""
    rows: list[Row] = []
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                rows += [json.loads(line) for line in lines]
        except (OSError, EOFError, ValueError) as error:
            message = f"The log {path} cannot be read ({error}); make it with `jouline replay --log`."
            raise ConfigError(message) from error
    return rows


def requests(rows: Sequence[Row]) -> Requests:
    """Return rows as arrays; those whose draft only repeated itself were never judged and are left out."""
    rows = [row for row in rows if any(name.startswith(_DRAFT) for name in row["seen"])]
    if not rows:
        raise ConfigError("The logs hold no request that a model answered: replay more code.")
    names = tuple(rows[0]["seen"])
    place = tuple(name for name in names if not name.startswith(_DRAFT))
    draft = tuple(name for name in names if name.startswith(_DRAFT))
    return Requests(
        place=_matrix(rows, place),
        draft=_matrix(rows, draft),
        place_names=place,
        draft_names=draft,
        offered=np.array([row["offered"] for row in rows]),
        taken=np.array([row["accepted_chars"] for row in rows], dtype=np.float64),
        cpu_seconds=np.array([row["cpu_seconds"] or 0.0 for row in rows]),
        groups=np.array([row["group"] for row in rows]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The two fitted stages. `straight` turns the first classifier's log-odds into those of acceptance."""

    place: Any
    straight: Straight
    draft: Any

    def before(self, of: Requests) -> Floats:
        """Return the chance of acceptance before any inference, per request."""
        return self.straight.chances(log_odds(self.place.predict_proba(of.place)[:, 1]))

    def after(self, of: Requests) -> Floats:
        """Return the chance of acceptance of an offered draft, per request."""
        both = np.column_stack([log_odds(self.before(of)), of.draft])
        chances: Floats = self.draft.predict_proba(both.astype(np.float32))[:, 1]
        return chances


def fit(of: Requests) -> Stages:
    """Fit both stages; raises ConfigError where too little was accepted to learn from."""
    taken = of.taken > 0
    if taken.sum() < LEAST_TAKEN or len(np.unique(of.groups)) < 2:
        raise ConfigError(f"The logs hold fewer than {LEAST_TAKEN} accepted suggestions: replay more code.")
    apart = np.zeros(len(of))
    for learn, test in GroupKFold(min(_FOLDS, len(np.unique(of.groups)))).split(of.place, groups=of.groups):
        apart[test] = log_odds(_fit_place(of, learn).predict_proba(of.place[test])[:, 1])
    line = LogisticRegression(C=1e3).fit(apart[:, None], taken)
    straight = Straight(slope=float(line.coef_[0, 0]), intercept=float(line.intercept_[0]))
    drafts = np.column_stack([log_odds(straight.chances(apart)), of.draft]).astype(np.float32)
    draft = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return Stages(
        place=_fit_place(of, np.arange(len(of))),
        straight=straight,
        draft=draft.fit(drafts[of.offered], taken[of.offered]),
    )


def points(stages: Stages, of: Requests) -> tuple[GatePoint, ...]:
    """Return thresholds by energy saving, each losing at most its share of what was accepted in `of`.

    The router stays at the energy saving itself until `gate_points` chooses both together.
    """
    before, after = stages.before(of), stages.after(of)
    found = zip(SAVINGS, LOST_BEFORE, LOST_AFTER, AFTER_A_PAUSE, strict=True)
    return tuple(
        GatePoint(
            energy_saving=saving,
            place=threshold(before, of.taken, lost),
            draft=threshold(after[of.offered], of.taken[of.offered], unshown),
            at_once=threshold(before, of.taken, waiting),
            route=saving,
        )
        for saving, lost, unshown, waiting in found
    )


def threshold(chances: Floats, taken: Floats, lost: float) -> float:
    """Return the highest threshold below which at most a share `lost` of the accepted characters lies."""
    if lost <= 0 or not taken.sum():
        return 0.0
    order = np.argsort(chances, kind="stable")
    below = np.cumsum(taken[order]) / taken.sum()
    first_lost = int(np.searchsorted(below, lost, side="right"))
    return float(chances[order[min(first_lost, len(order) - 1)]])


def save(stages: Stages, card: GateCard, folder: Path) -> None:
    """Write both classifiers as ONNX and the card beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    export(stages.place, len(card.place_features), folder / "gate_place.onnx")
    export(stages.draft, len(card.draft_features), folder / "gate_draft.onnx")
    card.save(folder / FILE_NAME)


def card(
    of: Requests, stages: Stages, found: tuple[GatePoint, ...], *, pair: str, weights: Mapping[str, str | None]
) -> GateCard:
    """Return what the product has to know of a trained gate."""
    made_from = {"requests": len(of), "accepted": int((of.taken > 0).sum()), "packages": len(np.unique(of.groups))}
    return GateCard(
        pair=pair,
        weights=weights,
        place_features=of.place_names,
        draft_features=(LOG_ODDS, *of.draft_names),
        straight=stages.straight,
        points=found,
        made_from=made_from,
    )


def log_odds(chances: Floats) -> Floats:
    """Return the log-odds of probabilities, kept finite."""
    inside = np.clip(chances, 1e-9, 1 - 1e-9)
    return np.log(inside / (1 - inside))


def _fit_place(of: Requests, rows: NDArray[np.int64]) -> Any:
    twice = np.concatenate([of.place[rows], of.place[rows]])
    labels = np.concatenate([of.taken[rows] > 0, of.offered[rows]])
    return clone(_PLACE).fit(twice, labels)


_PLACE = HistGradientBoostingClassifier(
    learning_rate=0.05,
    max_iter=100,
    max_leaf_nodes=8,
    min_samples_leaf=80,
    l2_regularization=10.0,
    max_features=0.3,
    random_state=0,
)


def _matrix(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float32]:
    try:
        return np.array([[row["seen"][name] for name in names] for row in rows], dtype=np.float32)
    except KeyError as error:
        raise ConfigError(f"A row of the log does not tell {error}: replay with this version.") from error
