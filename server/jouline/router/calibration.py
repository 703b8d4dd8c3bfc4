"""Operating points of a router: what was fixed on validation data and is looked up at run time (pure + JSON)."""

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from jouline.completion import Tier
from jouline.errors import RouterError
from jouline.router.classifier import UNADJUSTED, Adjustment

VERSION = 2
NEVER = 2.0  # above every probability
ALWAYS = -2.0
_TIERS: tuple[Tier, Tier] = ("small", "large")
_saving = attrgetter("energy_saving")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanCosts:
    """What each choice costs in the mean: one model alone, and the large model after the small one's draft."""

    small: float
    large: float
    escalate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TierConfidence:
    """How a tier's summed log p becomes the chance that its text is right, and when its text is shown.

    The chance is `1 / (1 + exp(-(slope * logprob + intercept)))`; with neither given it is `exp(logprob)`. Text is
    shown from the summed log p `floor` on.
    """

    floor: float
    slope: float | None = None
    intercept: float | None = None

    def of(self, logprob: float) -> float:
        """Return the chance, 0..1, that text of this summed log p is right; it never falls with it."""
        if self.slope is None or self.intercept is None:
            return math.exp(min(0.0, logprob))
        return 1.0 / (1.0 + math.exp(min(700.0, -(self.slope * logprob + self.intercept))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """The confidence of either tier, with its display threshold."""

    small: TierConfidence
    large: TierConfidence

    def of(self, tier: Tier) -> TierConfidence:
        """Return the tier's own."""
        return self.small if tier == "small" else self.large


BY_RULE = Display(small=TierConfidence(floor=math.log(0.3)), large=TierConfidence(floor=math.log(0.3)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Thresholds on the net gain in quality at one energy saving.

    The large model is asked at once from `direct` on, and after the small draft from `escalate` on, both at the
    calibrated marginal costs. `cost` and `quality` are means over the validation places at this point.
    """

    energy_saving: float
    direct: float
    escalate: float
    cost: float | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How many tokens are decoded at a place until the text ends or becomes too unlikely to be shown.

    `exp(intercept + weights · features) - 1`, by features of the place in the order of the calibration's.
    """

    intercept: float
    weights: tuple[float, ...]

    def of(self, place: Sequence[float]) -> float:
        """Return the expected number of tokens, 1 to 64."""
        log = self.intercept + sum(w * x for w, x in zip(self.weights, place, strict=True))
        return min(64.0, max(1.0, math.expm1(min(5.0, log))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a trained router knows besides its networks, and the pair it was made for.

    `weights` are the SHA-256 checksums of the pair's two files, by tier: the same pair trained anew is another pair.
    `points` ascend by energy saving.
    """

    pair: str
    weights: dict[str, str | None]
    place_features: tuple[str, ...]
    draft_features: tuple[str, ...]
    costs: MeanCosts
    cost_unit: str
    display: Display
    points: tuple[OperatingPoint, ...]
    length: Length | None = None
    place_adjustment: Adjustment = UNADJUSTED
    draft_adjustment: Adjustment = UNADJUSTED
    made_from: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def at(self, energy_saving: float) -> OperatingPoint:
        """Return the calibrated point nearest to an energy saving of 0..100, the lower one of two as near."""
        above = bisect_left(self.points, energy_saving, key=_saving)
        around = self.points[max(0, above - 1) : above + 1]
        return min(around, key=lambda point: abs(point.energy_saving - energy_saving))

    def most_saving(self, quality_floor: float) -> float:
        """Return the energy saving up to which at least `quality_floor` percent of the large model's quality is kept.

        By the validation places, going up from 0; 0 where the qualities are not known.
        """
        allowed, best = 0.0, self.points[0].quality
        for point in self.points:
            if best is None or point.quality is None or point.quality < best * quality_floor / 100:
                break
            allowed = point.energy_saving
        return allowed

    def through(self, routing: Callable[[float], float]) -> "Calibration":
        """Return what each energy saving promises where the router is asked at `routing` of it."""
        points = (replace(self.at(routing(p.energy_saving)), energy_saving=p.energy_saving) for p in self.points)
        return replace(self, points=tuple(points))

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Calibration:
    """Read a calibration; raise `RouterError` when it is missing, damaged or of another version."""
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RouterError(f"There is no trained router: {path.name} is missing beside the models.") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"The router's calibration {path.name} cannot be used ({error}); install Jouline again."
        raise RouterError(message) from error


def _from_json(data: dict[str, Any]) -> Calibration:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']}, not {VERSION}")
    points = tuple(sorted((OperatingPoint(**point) for point in data["points"]), key=lambda p: p.energy_saving))
    if not points or points[0].energy_saving != 0 or points[-1].energy_saving != 100:
        raise ValueError("its operating points do not reach from 0 to 100")
    return Calibration(
        pair=data["pair"],
        weights=data["weights"],
        place_features=tuple(data["place_features"]),
        draft_features=tuple(data["draft_features"]),
        costs=MeanCosts(**data["costs"]),
        cost_unit=data["cost_unit"],
        display=Display(**{tier: TierConfidence(**data["display"][tier]) for tier in _TIERS}),
        points=points,
        length=_length(data["length"]),
        place_adjustment=_adjustment(data["place_adjustment"]),
        draft_adjustment=_adjustment(data["draft_adjustment"]),
        made_from=data["made_from"],
    )


def _length(data: dict[str, Any] | None) -> Length | None:
    return None if data is None else Length(intercept=data["intercept"], weights=tuple(data["weights"]))


def _adjustment(data: dict[str, Any]) -> Adjustment:
    return Adjustment(scale=data["scale"], shifts=tuple(data["shifts"]))
