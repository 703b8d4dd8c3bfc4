"""The cascade for pairs that no trained router was made for."""

# ruff: noqa: ARG002  each router reads what it needs of the protocol

import math

from jouline.completion import CompletionRequest, Generation
from jouline.router.calibration import BY_RULE, Display
from jouline.router.costs import Prices
from jouline.router.router import Decision, Judge, Review


class ConfidenceRouter(Judge):
    """The cascade for pairs that no trained router was made for: by the models' own confidence, calibrated by rule.

    The small model drafts; a sure draft is kept, one in the middle band goes to the large model, and of a very unsure
    one nothing is offered, because low confidence mostly means that both models are wrong. The band narrows evenly
    with `energy_saving`, from everything at 0 (always the large model) to nothing at 100.
    """

    SURE = 0.95
    HOPELESS = 0.02

    def __init__(self, *, display: Display = BY_RULE) -> None:
        super().__init__(display=display)

    def route(self, request: CompletionRequest, *, energy_saving: float, prices: Prices | None = None) -> Decision:
        """Choose the large model at 0, else the small one."""
        if energy_saving <= 0:
            reason = "Energy saving is 0: always the large model."
            return Decision(tier="large", reason=reason, stop_logprob=self.display.large.floor)
        return Decision(
            tier="small",
            reason="No router is made for this pair: the small model drafts and its confidence decides.",
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
        return self.shown_or_not(decision, draft)

    def _band(self, energy_saving: float) -> tuple[float, float]:
        """Return the confidences between which the large model is asked."""
        shown = self.display.small.of(self.display.small.floor)
        share = min(100.0, max(0.0, energy_saving)) / 100
        return self.HOPELESS + share * (shown - self.HOPELESS), self.SURE + share * (shown - self.SURE)
