"""bert-like: a small text encoder with three classes, in the place of RouteLLM's BERT (arXiv 2406.18665).

For each model against the first one the encoder tells whether it wins, ties or loses; the worth is the chance to win.
The encoder is a layer of learnt vectors over hashed n-grams (or features), trained from nothing on this table alone.
"""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from jouline.lab.grid import Floats
from jouline.lab.queries import Seen
from jouline.lab.routers.router import Greedy, State

LOSES, TIES, WINS = 0, 1, 2
_HIDDEN = 24
_LEAST_STOPPED = 200  # rows from which a part is kept back to tell when to stop
_EPOCHS, _EPOCHS_OF_FEW = 60, 12


class BertLike(Greedy):
    """One encoder for each model but the first, which is the weakest by the caller's order."""

    label = "small text encoder, three classes"

    def __init__(self, models: tuple[str, ...], seed: int = 0, reference: int = 0) -> None:
        """Begin with nothing learnt; `reference` is the column that the others are compared with: the small model's."""
        self.models = models
        self._seed = seed
        self._reference = reference
        self._heads: list[MLPClassifier | float] = [0.0] * len(models)

    def learn(self, queries: Seen, rewards: Floats) -> None:
        """Train anew on these queries alone."""
        classes = np.sign(rewards - rewards[:, [self._reference]]) + 1
        self._heads = [self._head(queries, classes[:, column]) for column in range(len(self.models))]

    def worth(self, queries: Seen) -> Floats:
        """Return each model's chance to win against the reference, whose own worth is 0."""
        return np.stack([_win_chance(head, queries) for head in self._heads], axis=1)

    def _head(self, queries: Seen, classes: Floats) -> MLPClassifier | float:
        known = np.flatnonzero(~np.isnan(classes))
        target = classes[known].astype(np.int64)
        if len(np.unique(target)) < 2:
            return float(len(target) > 0 and target[0] == WINS)
        stops = len(known) >= _LEAST_STOPPED and np.bincount(target)[np.unique(target)].min() >= 2 * len(target) ** 0.25
        network = MLPClassifier(
            hidden_layer_sizes=(_HIDDEN,),
            alpha=1e-2,
            max_iter=_EPOCHS if stops else _EPOCHS_OF_FEW,
            early_stopping=stops,
            n_iter_no_change=5,
            random_state=self._seed,
        )
        return _quietly_fitted(network, queries.described[known], target)

    def network(self, model: str) -> MLPClassifier | None:
        """Return the encoder that compares a model with the reference; None where one of them always wins."""
        head = self._heads[self.models.index(model)]
        return None if isinstance(head, float) else head

    def state(self) -> State:
        """Return the layers of every encoder."""
        found: State = {}
        for name, head in zip(self.models, self._heads, strict=True):
            if isinstance(head, float):
                found[f"{name} constant"] = np.array(head)
                continue
            for number, (layer, bias) in enumerate(zip(head.coefs_, head.intercepts_, strict=True)):
                found |= {f"{name} layer {number}": layer, f"{name} bias {number}": bias}
        return found


def _quietly_fitted(network: MLPClassifier, described: Any, target: Any) -> MLPClassifier:
    """Fit; that the epochs allowed are used up is no news."""
    import warnings  # noqa: PLC0415

    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(described, target)


def _win_chance(head: MLPClassifier | float, queries: Seen) -> Floats:
    if isinstance(head, float):
        return np.full(len(queries), head)
    where = np.flatnonzero(head.classes_ == WINS)
    told: Floats = head.predict_proba(queries.described)
    return told[:, where[0]] if len(where) else np.zeros(len(queries))
