"""Which model to ask, and what to do with its draft: by gain in quality for the energy it costs."""

# ruff: noqa: ARG002  each router reads what it needs of the protocol

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from jouline.completion import CompletionRequest, Generation, Tier
from jouline.errors import RouterError
from jouline.router.calibration import ALWAYS, BY_RULE, NEVER, Calibration, Display, MarginalCosts, OperatingPoint, load
from jouline.router.classifier import OutcomeClassifier
from jouline.router.draft import draft_features
from jouline.router.features import FeatureExtractor, Features

Verdict = Literal["keep", "escalate", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which tier to ask first, and why in one sentence.

    `stop_logprob` is the summed log p below which this tier's text would not be shown, so that decoding may stop
    there with nothing lost. `p_small_ok` and `p_gain` are None where no classifier was asked.
    """

    tier: Tier
    reason: str
    stop_logprob: float
    p_small_ok: float | None = None
    p_gain: float | None = None
    place: "Place | None" = field(default=None, repr=False)
    costs: MarginalCosts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A request with the features of its place."""

    request: CompletionRequest
    features: Features


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What to do with a text: keep it, ask the large model, or offer nothing; why in one sentence.

    `confidence` is the chance, 0..1, that the reviewed text is right.
    """

    verdict: Verdict
    confidence: float
    reason: str
    p_small_ok: float | None = None
    p_gain: float | None = None


class Router(Protocol):
    """Chooses a tier for a request, then judges what that tier wrote."""

    display: Display  # either tier's confidence and display threshold

    def route(
        self, request: CompletionRequest, *, energy_saving: float, costs: MarginalCosts | None = None
    ) -> Decision:
        """Choose the tier to ask first. `costs` are this request's own where they are known."""
        ...

    def escalated(self, decision: Decision) -> Decision:
        """Return the decision that asks the large model after its review said `escalate`."""
        ...

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Judge the text that `decision.tier` wrote. `escalate` is only ever said of the small tier's."""
        ...


class _Judge:
    """What all routers share: either tier's confidence and display threshold."""

    def __init__(self, *, display: Display) -> None:
        self.display = display

    def escalated(self, decision: Decision) -> Decision:
        return replace(decision, tier="large", stop_logprob=self.display.large.floor)

    def _shown_or_not(self, decision: Decision, draft: Generation) -> Review:
        tier = self.display.of(decision.tier)
        confidence = tier.of(draft.logprob)
        least = tier.of(tier.floor)
        if draft.logprob >= tier.floor and draft.stop != "unlikely":
            return Review(
                verdict="keep",
                confidence=confidence,
                reason=f"The {decision.tier} model is {confidence:.0%} sure of it, {least:.0%} is enough.",
            )
        return Review(
            verdict="nothing",
            confidence=confidence,
            reason=f"The {decision.tier} model is only {confidence:.0%} sure of what it wrote, {least:.0%} is needed.",
        )


class FixedRouter(_Judge):
    """Always the same tier; its text is shown from the display threshold on."""

    def __init__(self, tier: Tier, *, display: Display = BY_RULE) -> None:
        super().__init__(display=display)
        self._tier = tier

    def route(
        self, request: CompletionRequest, *, energy_saving: float, costs: MarginalCosts | None = None
    ) -> Decision:
        """Choose the fixed tier."""
        return Decision(
            tier=self._tier,
            reason=f"The {self._tier} model was asked for.",
            stop_logprob=self.display.of(self._tier).floor,
        )

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Keep what is above the display threshold."""
        return self._shown_or_not(decision, draft)


class RandomRouter(_Judge):
    """A seeded coin: the line between small and large that any router has to beat."""

    def __init__(self, *, seed: int = 0, display: Display = BY_RULE) -> None:
        super().__init__(display=display)
        self._random = random.Random(seed)

    def route(
        self, request: CompletionRequest, *, energy_saving: float, costs: MarginalCosts | None = None
    ) -> Decision:
        """Choose the small model with a chance of `energy_saving` percent."""
        tier: Tier = "small" if self._random.random() * 100 < energy_saving else "large"
        reason = f"A coin chose the {tier} model (small in {energy_saving:.0f} of 100)."
        return Decision(tier=tier, reason=reason, stop_logprob=self.display.of(tier).floor)

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Keep what is above the display threshold."""
        return self._shown_or_not(decision, draft)


class ConfidenceRouter(_Judge):
    """The cascade for pairs that no trained router was made for: by the models' own confidence, calibrated by rule.

    The small model drafts; a sure draft is kept, one in the middle band goes to the large model, and of a very unsure
    one nothing is offered, because low confidence mostly means that both models are wrong. The band narrows evenly
    with `energy_saving`, from everything at 0 (always the large model) to nothing at 100.
    """

    SURE = 0.95
    HOPELESS = 0.02

    def __init__(self, *, display: Display = BY_RULE) -> None:
        super().__init__(display=display)

    def route(
        self, request: CompletionRequest, *, energy_saving: float, costs: MarginalCosts | None = None
    ) -> Decision:
        """Choose the large model at 0, else the small one."""
        if energy_saving <= 0:
            reason = "Energy saving is 0: always the large model."
            return Decision(tier="large", reason=reason, stop_logprob=self.display.large.floor)
        return Decision(
            tier="small",
            reason="No router is trained for this pair: the small model drafts and its confidence decides.",
            stop_logprob=math.log(self._band(energy_saving)[0]),
        )

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Escalate the middle band, else keep what is above the display threshold."""
        low, high = self._band(energy_saving)
        confidence = self.display.small.of(draft.logprob)
        if decision.tier == "small" and low <= confidence < high and draft.stop != "unlikely":
            between = f"between {low:.0%} and {high:.0%}"
            reason = f"Large model after the small one's draft, which was {confidence:.0%} sure: {between}."
            return Review(verdict="escalate", confidence=confidence, reason=reason)
        return self._shown_or_not(decision, draft)

    def _band(self, energy_saving: float) -> tuple[float, float]:
        """Return the confidences between which the large model is asked."""
        shown = self.display.small.of(self.display.small.floor)
        share = min(100.0, max(0.0, energy_saving)) / 100
        return self.HOPELESS + share * (shown - self.HOPELESS), self.SURE + share * (shown - self.SURE)


@dataclass(frozen=True, slots=True)
class _Word:
    """The word that a cursor is in, with all that stands before it on the line."""

    uri: str
    energy_saving: float
    start: int
    before: str

    @classmethod
    def of(cls, request: CompletionRequest, energy_saving: float) -> "_Word":
        line = request.line_prefix
        length = next((n for n, char in enumerate(reversed(line)) if not (char.isalnum() or char == "_")), len(line))
        return cls(request.uri, energy_saving, request.offset - length, line[: len(line) - length])


class LearnedRouter(_Judge):
    """The trained router of one pair: place classifier, then the draft's evidence, at calibrated operating points."""

    def __init__(
        self,
        *,
        calibration: Calibration,
        places: OutcomeClassifier,
        drafts: OutcomeClassifier,
        extractor: FeatureExtractor,
    ) -> None:
        super().__init__(display=calibration.display)
        self.calibration = calibration
        self._places = places
        self._drafts = drafts
        self._extractor = extractor
        self._last: tuple[_Word, Decision] | None = None

    def route(
        self, request: CompletionRequest, *, energy_saving: float, costs: MarginalCosts | None = None
    ) -> Decision:
        """Ask the large model at once where the place alone promises enough gain for its extra cost.

        Where the energy saving leaves no choice, the place is not even looked at; inside one word it is looked at
        once. Looking costs about as much as the small model's next token.
        """
        point = self.calibration.at(energy_saving)
        if point.direct <= ALWAYS:
            return self._settled("large", f"Energy saving {energy_saving:.0f} always asks the large model.")
        if min(point.direct, point.escalate) >= NEVER:
            return self._settled("small", f"Energy saving {energy_saving:.0f} never asks the large model.")
        word = _Word.of(request, energy_saving)
        if self._last and self._last[0] == word and costs is None:
            known = self._last[1]
            return known if known.place is None else replace(known, place=replace(known.place, request=request))
        decision = self._look(request, energy_saving, point, costs)
        self._last = word, decision
        return decision

    def _look(
        self, request: CompletionRequest, energy_saving: float, point: OperatingPoint, costs: MarginalCosts | None
    ) -> Decision:
        features = self._extractor.extract(request)
        chances = self._places.chances(features)
        usual = self.calibration.costs
        asked = point.direct * _dearer(costs.large - costs.small if costs else None, usual.large - usual.small)
        tier: Tier = "large" if chances.net_gain >= asked else "small"
        return Decision(
            tier=tier,
            reason=_reason(tier, chances.p_small_ok, chances.net_gain, asked, energy_saving),
            stop_logprob=self.display.of(tier).floor,
            p_small_ok=chances.p_small_ok,
            p_gain=chances.p_gain,
            place=Place(request=request, features=features),
            costs=costs,
        )

    def _settled(self, tier: Tier, reason: str) -> Decision:
        return Decision(tier=tier, reason=reason, stop_logprob=self.display.of(tier).floor)

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Ask the large model where the small draft promises enough gain; else show or do not show the text.

        A draft that was stopped as unlikely is not looked at again: mostly both models are wrong then (LOG.md).
        """
        shown = self._shown_or_not(decision, draft)
        if decision.tier == "large" or decision.place is None or draft.stop == "unlikely":
            return shown
        place, usual = decision.place, self.calibration.costs
        evidence = draft_features(place.request, draft, self.display.small.floor)
        chances = self._drafts.chances(place.features | evidence)
        asked = self.calibration.at(energy_saving).escalate * _dearer(
            decision.costs.escalate if decision.costs else None, usual.escalate
        )
        if chances.net_gain < asked:
            return replace(shown, p_small_ok=chances.p_small_ok, p_gain=chances.p_gain)
        return Review(
            verdict="escalate",
            confidence=shown.confidence,
            reason=f"Large model after the small one's draft: of 100 drafts like this the large one gets "
            f"{_more(chances.net_gain)} right; {_wanted(asked, energy_saving)}.",
            p_small_ok=chances.p_small_ok,
            p_gain=chances.p_gain,
        )


def open_router(
    folder: Path, *, tokenizer: Path, pair: str, weights: Mapping[str, str | None] | None = None
) -> LearnedRouter:
    """Open the trained router in `folder`; raise `RouterError` when it is unusable or made for another pair.

    `weights` are the checksums of the pair's files by tier, where they are known.
    """
    calibration = load(folder / "calibration.json")
    if weights is not None and calibration.weights != dict(weights):
        message = f"The router was made for other weights of the pair {pair}; `scripts/train_router` makes another."
        raise RouterError(message)
    if calibration.pair != pair:
        made = calibration.pair
        message = f"The router was made for the pair {made}, not {pair}; `scripts/train_router` makes another."
        raise RouterError(message)
    router = LearnedRouter(
        calibration=calibration,
        places=OutcomeClassifier(folder / "difficulty.onnx", calibration.place_features),
        drafts=OutcomeClassifier(folder / "draft.onnx", calibration.place_features + calibration.draft_features),
        extractor=FeatureExtractor(tokenizer),
    )
    router.route(_NOWHERE, energy_saving=50)  # a feature that this version does not compute is found out here
    return router


_NOWHERE = CompletionRequest(uri="", language="python", text="", offset=0)


def _dearer(now: float | None, usual: float) -> float:
    """Return by what factor a choice costs more now than it did in calibration; 1 where either is unknown."""
    return now / usual if now is not None and now > 0 and usual > 0 else 1.0


def _reason(tier: Tier, p_small_ok: float, gain: float, asked: float, energy_saving: float) -> str:
    chosen = "Large model at once" if tier == "large" else "Small model first"
    return (
        f"{chosen}: of 100 places like this the small one gets {p_small_ok * 100:.0f} right and the large one "
        f"{_more(gain)}; {_wanted(asked, energy_saving)}."
    )


def _more(gain: float) -> str:
    count = round(gain * 100)
    return f"{count} more" if count >= 0 else f"{-count} fewer"


def _wanted(asked: float, energy_saving: float) -> str:
    setting = f"energy saving {energy_saving:.0f}"
    if asked > 1:
        return f"{setting} does not ask the large one first"
    if asked < -1:
        return f"{setting} always asks the large one"
    return f"{setting} wants at least {asked * 100:.0f} more"
