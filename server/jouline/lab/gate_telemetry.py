"""The gate's two stages on recorded choices of real people (Copilot telemetry), each person left out of the training.

Before inference: the prompt's and the document's sizes and what this person chose before. After it: log probabilities,
the tool's own confidence, the suggestion's size. What is known only when the choice is over (`time_in_state`,
`session_frac`, `suggestion_label`) is never read. Own choices shift the estimates as they do in the product.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jouline.errors import ConfigError
from jouline.lab.gate_evaluation import area, resampled, stage
from jouline.lab.gate_training import Floats, log_odds
from jouline.router.personal import Personal

Row = Mapping[str, Any]

PROMPT = ("len_prompt", "words_prompt", "documentLength", "promptCharLen", "promptEndPos")
SUGGESTION = ("len_suggestion", "words_suggestion", "compCharLen", "numLines", "numTokens")
SURE = ("meanLogProb", "meanAlternativeLogProb", "confidence", "quantile")
_READ = (*PROMPT, *SUGGESTION, *SURE, "user", "event_index", "outcome")


def evaluate_telemetry(path: Path, seed: int = 0) -> dict[str, Any]:
    """Return area under the curve and calibration of each stage with 95 % intervals over users."""
    rows = sorted(_read(path), key=lambda row: (row["user"], row["event_index"]))
    users = np.array([row["user"] for row in rows])
    taken = np.array([row["outcome"] == "Accepted" for row in rows])
    before = left_out(_columns(rows, PROMPT), taken, users)
    both = np.column_stack([log_odds(before), _columns(rows, SUGGESTION), _plain(rows, SURE)])
    after = left_out(both, taken, users)
    mean_logprob = _plain(rows, ("meanLogProb",))[:, 0]
    own_before, own_after = (as_they_choose(chances, taken, users) for chances in (before, after))

    def ahead(chosen: NDArray[np.int64]) -> float:
        return area(taken[chosen], own_after[chosen]) - area(taken[chosen], mean_logprob[chosen])

    everything = np.arange(len(rows))
    return {
        "rows": len(rows),
        "users": len(np.unique(users)),
        "accepted_share": float(taken.mean()),
        "mean_logprob_alone": {"auc": area(taken, mean_logprob)}
        | {"auc_ci95": resampled(users, lambda chosen: area(taken[chosen], mean_logprob[chosen]), seed)},
        "before": stage(own_before, taken, users, seed),
        "before_without_own_choices": stage(before, taken, users, seed),
        "after": stage(own_after, taken, users, seed),
        "after_without_own_choices": stage(after, taken, users, seed),
        "after_above_mean_logprob": ahead(everything),
        "after_above_mean_logprob_ci95": resampled(users, ahead, seed),
    }


def left_out(columns: Floats, taken: NDArray[np.bool_], users: NDArray[Any]) -> Floats:
    """Return the chance of acceptance per row from a model that saw no row of the same user."""
    chances = np.zeros(len(taken))
    for user in np.unique(users):
        own = users == user
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        chances[own] = model.fit(columns[~own], taken[~own]).predict_proba(columns[own])[:, 1]
    return chances


def as_they_choose(chances: Floats, taken: NDArray[np.bool_], users: NDArray[Any]) -> Floats:
    """Return the chances as the product would tell them: moved by the same user's choices so far, in their order."""
    people = {user: Personal() for user in np.unique(users)}
    told = np.zeros(len(chances))
    for index, (user, chance) in enumerate(zip(users, chances, strict=True)):
        told[index] = people[user].adjusted("", float(chance))
        people[user].learn("", float(told[index]), taken=bool(taken[index]))
    return told


def _columns(rows: Sequence[Row], names: Sequence[str]) -> Floats:
    """Return sizes as logarithms."""
    return np.log1p(np.maximum(0.0, _plain(rows, names)))


def _plain(rows: Sequence[Row], names: Sequence[str]) -> Floats:
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64)


def _read(path: Path) -> list[Row]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [{name: row[name] for name in _READ} for row in map(json.loads, lines)]
    except (OSError, EOFError, ValueError, KeyError) as error:
        message = f"The telemetry {path} cannot be read ({error}); it needs the fields of coderec's measurements."
        raise ConfigError(message) from error
