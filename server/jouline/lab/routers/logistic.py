"""logistic: for each model, the chance that it is right, by regularised logistic regression."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from jouline.lab.grid import Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Greedy, State, known_means

_OF_TEXT, _OF_FEATURES = 0.3, 1.2  # inverse strength of the penalty: of sparse n-grams, and over dense columns


class Logistic(Greedy):
    """One regression a model over the description; a reward between 0 and 1 counts as that share of a success."""

    label = "logistic regression"

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self._means: Floats = np.zeros(len(models))
        self._fitted: list[LogisticRegression | None] = [None] * len(models)

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Fit anew to these queries alone."""
        self._means = known_means(rewards)
        described = queries.described
        strength = _OF_TEXT if hasattr(described, "tocsr") else _OF_FEATURES / described.shape[1]
        self._fitted = [_fit(described, rewards[:, column], strength) for column in range(len(self.models))]

    def worth(self, queries: Seen) -> Floats:
        """Return each model's chance of being right; where nothing could be fitted, its mean."""
        columns = [
            np.full(len(queries), mean) if model is None else model.predict_proba(queries.described)[:, 1]
            for model, mean in zip(self._fitted, self._means, strict=True)
        ]
        return np.stack(columns, axis=1)

    def state(self) -> State:
        """Return weights and intercepts of the models that were fitted, and the means."""
        weights: State = {"means": self._means}
        for name, model in zip(self.models, self._fitted, strict=True):
            if model is not None:
                weights |= {f"{name} weights": model.coef_[0], f"{name} intercept": model.intercept_}
        return weights


def _fit(described: Any, rewards: Floats, strength: float) -> LogisticRegression | None:
    known = np.flatnonzero(~np.isnan(rewards))
    right = rewards[known]
    if len(known) == 0 or right.min() == right.max():
        return None
    twice = np.concatenate([known, known])
    target = np.repeat([1, 0], len(known))
    share = np.concatenate([right, 1.0 - right])
    kept = share > 0
    return LogisticRegression(C=strength, max_iter=400).fit(
        described[twice[kept]], target[kept], sample_weight=share[kept]
    )
