"""The learned gate: how likely a suggestion is taken here, before any inference and again after the small draft.

Two tiny classifiers, trained on replays of the pair (`scripts/train_gate`), are the prior; a person's own accepts and
rejects move it. Thresholds are fixed on validation packages by the share of accepted text that may be lost.
"""

import json
import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jouline.completion import CompletionRequest, Generation
from jouline.errors import RouterError
from jouline.router.gate_features import Features, History, draft_features, place_features
from jouline.router.personal import Personal, log_odds
from jouline.scorer import Scorer

VERSION = 1
FILE_NAME = "gate.json"
LOG_ODDS = "place_log_odds"  # the first stage's word, as the second sees it
_REMEMBERED = 100  # offers whose fate may still be told
_saving = attrgetter("energy_saving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The gate's view of a request: the chance that a suggestion is taken (None: not estimated), and from what.

    `prior` is the chance for anybody, of which `p_accept` is this person's.

    `reason` says in one sentence why nothing is asked or offered, None to go on. `at_once` is whether the chance is
    high enough to ask without waiting for a pause; None where it is not estimated.
    """

    p_accept: float | None = None
    prior: float | None = None
    reason: str | None = None
    at_once: bool | None = None
    seen: Features = field(default_factory=dict, repr=False)


class Gate(Protocol):
    """Judges a request before inference and a draft after it, and learns from what becomes of the offers."""

    def before(self, request: CompletionRequest) -> Estimate:
        """Judge an automatic request by its place, the person's rhythm and history."""
        ...

    def after(self, request: CompletionRequest, before: Estimate, draft: Generation) -> Estimate:
        """Judge a draft that is good enough to be shown."""
        ...

    def wrote(self, request: CompletionRequest, draft: Generation, *, offered: bool) -> None:
        """Note what a model wrote for a request."""
        ...

    def offered(self, completion_id: str, language: str, p_accept: float | None) -> None:
        """Note an offer whose fate will be told."""
        ...

    def judged(self, completion_id: str, *, taken: bool) -> None:
        """Learn the fate of an offer."""
        ...

    def routing(self, energy_saving: float) -> float:
        """Return the energy saving at which the router should choose."""
        ...

    def forget(self) -> None:
        """Begin anew, with a person of whom nothing is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePoint:
    """Thresholds on the chance at one energy saving: least to ask, least to offer, least to ask at once.

    `route` is the energy saving at which the router chooses the model: what is asked less often may be asked better.
    """

    energy_saving: float
    place: float
    draft: float
    at_once: float
    route: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """A straight line through log-odds that makes a classifier's scores the chances of another event."""

    slope: float
    intercept: float

    def chances(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the chances of the other event."""
        chances: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(self.slope * log_odds + self.intercept)))
        return chances

    def chance(self, log_odds: float) -> float:
        """Return one chance."""
        return 1.0 / (1.0 + math.exp(-(self.slope * log_odds + self.intercept)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCard:
    """What a trained gate knows besides its classifiers, and the pair it was made for (as a router's calibration).

    `points` ascend by energy saving.
    """

    pair: str
    weights: Mapping[str, str | None]
    place_features: tuple[str, ...]
    draft_features: tuple[str, ...]
    straight: Straight
    points: tuple[GatePoint, ...]
    made_from: Mapping[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def at(self, energy_saving: float) -> GatePoint:
        """Return the thresholds at an energy saving of 0..100, between calibrated ones by a straight line."""
        above = bisect_right(self.points, energy_saving, key=_saving)
        low, high = self.points[max(0, above - 1)], self.points[min(above, len(self.points) - 1)]
        span = high.energy_saving - low.energy_saving
        share = energy_saving - low.energy_saving

        def between(one: float, other: float) -> float:
            return (other - one) / span * share + one if span else one

        return GatePoint(
            energy_saving=energy_saving,
            place=between(low.place, high.place),
            draft=between(low.draft, high.draft),
            at_once=between(low.at_once, high.at_once),
            route=between(low.route, high.route),
        )

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


class OpenGate:
    """Holds nothing back: for pairs that no gate was trained for. What it saw is kept for those who train one."""

    def __init__(self) -> None:
        self._history = History()
        self._offers: OrderedDict[str, tuple[str, float | None]] = OrderedDict()

    def before(self, request: CompletionRequest) -> Estimate:
        """Look at the place, without an estimate."""
        return Estimate(seen=place_features(request, self._history))

    def after(self, request: CompletionRequest, before: Estimate, draft: Generation) -> Estimate:  # noqa: ARG002
        """Look at the draft, without an estimate."""
        return replace(before, seen=before.seen | draft_features(draft))

    def wrote(self, request: CompletionRequest, draft: Generation, *, offered: bool) -> None:
        """Remember the attempt."""
        self._history.tried(request, draft, offered=offered)

    def offered(self, completion_id: str, language: str, p_accept: float | None) -> None:
        """Remember the offer."""
        self._offers[completion_id] = language, p_accept
        while len(self._offers) > _REMEMBERED:
            self._offers.popitem(last=False)

    def judged(self, completion_id: str, *, taken: bool) -> None:
        """Remember the fate; a first judgement counts."""
        offer = self._offers.pop(completion_id, None)
        if offer is not None:
            self._history.judged(taken=taken)
            self._learn(*offer, taken=taken)

    def routing(self, energy_saving: float) -> float:
        """Leave the router where the person set it."""
        return energy_saving

    def forget(self) -> None:
        """Forget attempts, offers and fates."""
        self._history = History()
        self._offers.clear()

    def _learn(self, language: str, p_accept: float | None, *, taken: bool) -> None:
        """Nothing is learned without a prior."""


class LearnedGate(OpenGate):
    """The trained gate of one pair, moved by one person's own choices."""

    def __init__(self, *, card: GateCard, places: Scorer, drafts: Scorer, personal: Personal) -> None:
        super().__init__()
        self.card = card
        self.personal = personal
        self._places = places
        self._drafts = drafts

    def before(self, request: CompletionRequest) -> Estimate:
        """Hold back where hardly any suggestion is taken; at energy saving 0 nothing is held back or scored."""
        seen = place_features(request, self._history)
        if request.energy_saving <= 0:
            return Estimate(seen=seen)
        point = self.card.at(request.energy_saving)
        told = log_odds(_score(self._places, seen, self.card.place_features))
        prior = self.card.straight.chance(told)
        chance = self.personal.adjusted(request.language, prior)
        reason = None
        if chance < point.place:
            reason = f"Of 1,000 requests like this {_thousand(chance)} end in text that is taken; {_asked(point.place)}"
        return Estimate(p_accept=chance, prior=prior, reason=reason, at_once=chance >= point.at_once, seen=seen)

    def after(self, request: CompletionRequest, before: Estimate, draft: Generation) -> Estimate:
        """Hold back a draft that is hardly ever taken."""
        if before.prior is None:
            return super().after(request, before, draft)
        point, seen = self.card.at(request.energy_saving), before.seen | draft_features(draft)
        told = _score(self._drafts, seen | {LOG_ODDS: log_odds(before.prior)}, self.card.draft_features)
        chance = self.personal.adjusted(request.language, told)
        reason = None
        if chance < point.draft:
            reason = f"Of 1,000 suggestions like this {_thousand(chance)} are taken; {_asked(point.draft)}"
        return replace(before, p_accept=chance, reason=reason, seen=seen)

    def routing(self, energy_saving: float) -> float:
        """Give the router what the gate has not saved already."""
        return self.card.at(energy_saving).route

    def forget(self) -> None:
        """Forget the person, too."""
        super().forget()
        self.personal.forget()

    def _learn(self, language: str, p_accept: float | None, *, taken: bool) -> None:
        if p_accept is not None:
            self.personal.learn(language, p_accept, taken=taken)


def open_gate(folder: Path, *, weights: Mapping[str, str | None], personal: Personal) -> LearnedGate:
    """Open the trained gate in `folder`; raise `RouterError` where it is missing, damaged or made for other weights."""
    card = _read(folder / FILE_NAME)
    if card.weights != dict(weights):
        message = f"The gate was made for other weights of the pair {card.pair}; `scripts/train_gate` makes another."
        raise RouterError(message)
    gate = LearnedGate(
        card=card,
        places=Scorer(folder / "gate_place.onnx"),
        drafts=Scorer(folder / "gate_draft.onnx"),
        personal=personal,
    )
    gate.before(CompletionRequest(uri="", language="", text="", offset=0))  # an unknown feature is found out here
    return gate


def _read(path: Path) -> GateCard:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']}, not {VERSION}")  # noqa: TRY301
        points = tuple(GatePoint(**point) for point in data["points"])
        return GateCard(
            pair=data["pair"],
            weights=data["weights"],
            place_features=tuple(data["place_features"]),
            draft_features=tuple(data["draft_features"]),
            straight=Straight(**data["straight"]),
            points=points,
            made_from=data["made_from"],
        )
    except FileNotFoundError:
        raise RouterError(f"There is no trained gate: {path.name} is missing beside the models.") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RouterError(f"The gate {path.name} cannot be used ({error}); install Jouline again.") from error


def _score(scorer: Scorer, seen: Features, names: tuple[str, ...]) -> float:
    try:
        row = np.fromiter(map(seen.__getitem__, names), dtype=np.float32, count=len(names))
    except KeyError as error:
        raise RouterError(f"The gate asks for {error}, which this version does not know: train it anew.") from error
    return float(scorer.predict(row)[1])


def _thousand(chance: float) -> str:
    return f"{chance * 1000:.0f}" if chance >= 0.001 or math.isclose(chance, 0.0) else "less than one"


def _asked(threshold: float) -> str:
    return f"this setting asks for {threshold * 1000:.1f}."
