"""What every router is: it chooses a model for a request, then judges what that model wrote; the plain routers."""

# ruff: noqa: ARG002  each router reads what it needs of the protocol

import random
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from jouline.completion import CompletionRequest, Generation, Tier
from jouline.router.calibration import BY_RULE, Display
from jouline.router.costs import Prices
from jouline.router.features import Features

Verdict = Literal["keep", "escalate", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which tier to ask first, and why in one sentence.

    `stop_logprob` is the summed log p below which this tier's text would not be shown, so that decoding may stop
    there with nothing lost. `p_small_ok` and its like are None where no classifier was asked. `dearer` is by what
    factor the large model's extra cost differs here from the usual one.
    """

    tier: Tier
    reason: str
    stop_logprob: float
    p_small_ok: float | None = None
    p_large_ok: float | None = None
    p_gain: float | None = None
    place: "Place | None" = field(default=None, repr=False)
    dearer: float = 1.0


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

    def route(self, request: CompletionRequest, *, energy_saving: float, prices: Prices | None = None) -> Decision:
        """Choose the tier to ask first. `prices` tells what each model would cost now, where that matters."""
        ...

    def escalated(self, decision: Decision) -> Decision:
        """Return the decision that asks the large model after its review said `escalate`."""
        ...

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Judge the text that `decision.tier` wrote. `escalate` is only ever said of the small tier's."""
        ...


class Judge:
    """What all routers share: either tier's confidence and display threshold."""

    def __init__(self, *, display: Display) -> None:
        self.display = display

    def escalated(self, decision: Decision) -> Decision:
        """See `Router.escalated`."""
        return replace(decision, tier="large", stop_logprob=self.display.large.floor)

    def shown_or_not(self, decision: Decision, draft: Generation) -> Review:
        """Keep what is above the tier's display threshold."""
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


class FixedRouter(Judge):
    """Always the same tier; its text is shown from the display threshold on."""

    def __init__(self, tier: Tier, *, display: Display = BY_RULE) -> None:
        super().__init__(display=display)
        self._tier = tier

    def route(self, request: CompletionRequest, *, energy_saving: float, prices: Prices | None = None) -> Decision:
        """Choose the fixed tier."""
        return Decision(
            tier=self._tier,
            reason=f"The {self._tier} model was asked for.",
            stop_logprob=self.display.of(self._tier).floor,
        )

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Keep what is above the display threshold."""
        return self.shown_or_not(decision, draft)


class RandomRouter(Judge):
    """A seeded coin: the line between small and large that any router has to beat."""

    def __init__(self, *, seed: int = 0, display: Display = BY_RULE) -> None:
        super().__init__(display=display)
        self._random = random.Random(seed)

    def route(self, request: CompletionRequest, *, energy_saving: float, prices: Prices | None = None) -> Decision:
        """Choose the small model with a chance of `energy_saving` percent."""
        tier: Tier = "small" if self._random.random() * 100 < energy_saving else "large"
        reason = f"A coin chose the {tier} model (small in {energy_saving:.0f} of 100)."
        return Decision(tier=tier, reason=reason, stop_logprob=self.display.of(tier).floor)

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Keep what is above the display threshold."""
        return self.shown_or_not(decision, draft)
