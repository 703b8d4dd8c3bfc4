"""Chances of the four ways a place can turn out, by a tiny ONNX classifier over named features."""

from dataclasses import dataclass
from pathlib import Path

from jouline.errors import RouterError
from jouline.router.features import Features, vector
from jouline.scorer import Scorer

CLASSES = ("both", "only_large", "only_small", "neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Probabilities that both models are right at a place, only one of them, or neither; they sum to 1."""

    both: float
    only_large: float
    only_small: float
    neither: float

    @property
    def p_small_ok(self) -> float:
        """The chance that the small model is right."""
        return self.both + self.only_small

    @property
    def p_large_ok(self) -> float:
        """The chance that the large model is right."""
        return self.both + self.only_large

    @property
    def p_gain(self) -> float:
        """The chance that only the large model is right."""
        return self.only_large

    @property
    def net_gain(self) -> float:
        """How much more often the large model is right: what quality gains by asking it instead of the small."""
        return self.only_large - self.only_small


class OutcomeClassifier:
    """Scores features of one place; the names it was trained on fix their order."""

    def __init__(self, model: Path, names: tuple[str, ...]) -> None:
        """Open the ONNX file; raise `RouterError` when it cannot be used or wants other features than `names`."""
        self._scorer = Scorer(model)
        self._names = names
        if self._scorer.n_features != len(names):
            message = (
                f"The router's model {model.name} wants {self._scorer.n_features} features, its calibration names "
                f"{len(names)}; install Jouline again."
            )
            raise RouterError(message)

    def chances(self, features: Features) -> Chances:
        """Return the four chances; raise `RouterError` for a feature that this version does not compute."""
        try:
            row = vector(features, self._names)
        except KeyError as error:
            message = f"The router asks for the feature {error}, which this version does not know: train it anew."
            raise RouterError(message) from error
        both, only_large, only_small, neither = (float(p) for p in self._scorer.predict(row))
        return Chances(both=both, only_large=only_large, only_small=only_small, neither=neither)
