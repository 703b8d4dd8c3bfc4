"""What the editor shows of the server: one state, one sentence."""

from dataclasses import dataclass

from jouline.completion import Tier
from jouline.lsp.protocol import EnergyTotals, ServerState, StatusParams

SWITCHED_OFF = "Jouline is switched off (jouline.enable)."
ON_BATTERY = "Jouline pauses while the machine runs on its battery (jouline.onBattery)."


@dataclass(slots=True, kw_only=True)
class Facts:
    """What the state is made of. `trouble` and `off` hold their sentences, None where there is nothing to say."""

    enabled: bool = True
    loading: bool = True
    trouble: str | None = None
    paused: bool = False
    off: str | None = None
    thinking: int = 0
    model: Tier | None = None
    last_reason: str = ""

    @property
    def silent(self) -> bool:
        """Whether a setting forbids answers; the state says so, so it need not be remembered as a reason."""
        return not self.enabled or self.paused or self.off is not None


def status(facts: Facts, energy: EnergyTotals) -> StatusParams:
    """Return the status to show; where several things hold, the first of the order below is told."""
    state, message = _state(facts)
    return StatusParams(state=state, model=facts.model, message=message, energy=energy)


def _state(facts: Facts) -> tuple[ServerState, str]:
    order: tuple[tuple[object, ServerState, str | None], ...] = (
        (not facts.enabled, "off", SWITCHED_OFF),
        (facts.loading, "starting", "The models are being loaded."),
        (facts.trouble, "trouble", facts.trouble),
        (facts.paused, "paused", ON_BATTERY),
        (facts.off, "off", facts.off),
        (facts.thinking, "thinking", "A completion is being generated."),
    )
    told = ((state, sentence) for holds, state, sentence in order if holds and sentence)
    return next(told, ("ready", facts.last_reason or "Ready."))
