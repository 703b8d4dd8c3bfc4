"""Chances of the four ways a place can turn out, by a tiny ONNX classifier over named features."""

import math
from dataclasses import dataclass
from pathlib import Path

from jouline.errors import RouterError
from jouline.router.features import Features, Vector
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """How chances are adjusted to another pair or other code: `p ** scale * exp(shift)`, made to sum to 1.

    `shifts` are in the order of `CLASSES`. As it is made without arguments it changes nothing.
    """

    scale: float = 1.0
    shifts: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def of(self, chances: tuple[float, ...]) -> tuple[float, ...]:
        """Return the adjusted chances."""
        if self == UNADJUSTED:
            return chances
        weights = [
            max(p, _LEAST) ** self.scale * math.exp(shift) for p, shift in zip(chances, self.shifts, strict=True)
        ]
        total = sum(weights)
        return tuple(weight / total for weight in weights)


UNADJUSTED = Adjustment()
_LEAST = 1e-6


class OutcomeClassifier:
    """Scores features of one place; the names it was trained on fix their order."""

    def __init__(self, model: Path, names: tuple[str, ...], adjustment: Adjustment = UNADJUSTED) -> None:
        """Open the ONNX file; raise `RouterError` when it cannot be used or wants other features than `names`."""
        self._adjustment = adjustment
        self._scorer = Scorer(model)
        self._vector = Vector(names)
        if self._scorer.n_features != len(names):
            message = (
                f"The router's model {model.name} wants {self._scorer.n_features} features, its calibration names "
                f"{len(names)}; install Jouline again."
            )
            raise RouterError(message)

    def chances(self, features: Features) -> Chances:
        """Return the four chances; raise `RouterError` for a feature that this version does not compute."""
        try:
            row = self._vector(features)
        except KeyError as error:
            message = f"The router asks for the feature {error}, which this version does not know: train it anew."
            raise RouterError(message) from error
        told = self._adjustment.of(tuple(self._scorer.predict(row).tolist()))
        both, only_large, only_small, neither = told
        return Chances(both=both, only_large=only_large, only_small=only_small, neither=neither)
