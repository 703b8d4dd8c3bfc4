"""What each model of the pair costs here: one cost model for each, apart for mains and battery."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jouline.catalogue.card import PairCard
from jouline.completion import Tier
from jouline.energy.costbook import Circumstances, CostBook
from jouline.energy.meter import Meters
from jouline.energy.savings import CostModel, Estimate, Prior, Work
from jouline.energy.window import Measurement
from jouline.router.costs import MarginalCosts

_SAVE_EVERY = 100  # observations
_LOOK_EVERY_S = 5.0  # at mains or battery, which takes reading several files


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What each model has to catch up before it can answer, in tokens of a whole pass of that model.

    `large_level` is how far the large model would be behind had it kept up with the small one.
    """

    small: float
    large: float
    large_level: float


class Costs:
    """The cost models in use, remembered between sessions. Used by the engine's thread alone."""

    def __init__(
        self,
        meters: Meters,
        book: CostBook,
        models: Mapping[Tier, str],
        device: str,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`models` names the very file of each tier, `device` what they run on."""
        self._meters = meters
        self._book = book
        self._models = models
        self._device = device
        self._now = now
        self._power: str = meters.power
        self._look_at = now() + _LOOK_EVERY_S
        self._latest: dict[Tier, tuple[tuple[str, str], CostModel]] = {}  # by unit and power source
        self._unsaved = 0

    def begin(self, tier: Tier, warmed: Prior | None) -> None:
        """Start a model whose cost is not remembered from what a warm-up took, in the meters' unit."""
        if self._book.recall(self._circumstances(tier)) is None:
            self._book.keep(self._circumstances(tier), CostModel(warmed))

    def learn(self, tier: Tier, work: Work, measurement: Measurement) -> None:
        """Refine a model's cost by what it really took; what only stood in for a silent counter teaches nothing."""
        cost = self._meters.unit.cost(measurement)
        if cost is None:
            return
        self._model(tier).observe(work, cost)
        self._unsaved += 1
        if self._unsaved >= _SAVE_EVERY:
            self.save()

    def predict(self, tier: Tier, work: Work) -> Estimate | None:
        """Return what such work costs in joules; None before anything is known."""
        cost = self._model(tier).predict(work)
        return None if cost is None else self._meters.unit.joules(cost)

    def expected(self, tier: Tier, work: Work) -> float | None:
        """Return the joules that `predict` would, without their error."""
        cost = self._model(tier).expected(work)
        return None if cost is None else cost * self._meters.unit.joules_per_cost

    def marginal(self, behind: Behind) -> MarginalCosts | None:
        """Return what each model would cost for a request before which it is so far behind; None before it is known."""
        small, large = self._model("small").coefficients, self._model("large").coefficients
        if small is None or large is None:
            return None
        return MarginalCosts(
            small=small[0] * behind.small + small[2],
            large=large[0] * behind.large + large[2],
            large_level=large[0] * behind.large_level + large[2],
            small_token=small[1],
            large_token=large[1],
        )

    def save(self) -> None:
        """Write what was learnt."""
        self._unsaved = 0
        self._book.save()

    def _model(self, tier: Tier) -> CostModel:
        """Return the model for the present power source; a new one starts from what the last one found."""
        self._look()
        now, latest = (self._meters.unit.name, self._power), self._latest.get(tier)
        if latest is not None and latest[0] == now:
            return latest[1]
        circumstances = self._circumstances(tier)
        model = self._book.recall(circumstances)
        if model is None:
            model = CostModel(self._prior(tier, circumstances.unit))
            self._book.keep(circumstances, model)
        self._latest[tier] = now, model
        return model

    def _look(self) -> None:
        if self._now() >= self._look_at:
            self._power, self._look_at = self._meters.power, self._now() + _LOOK_EVERY_S

    def _circumstances(self, tier: Tier) -> Circumstances:
        unit = self._meters.unit.name
        return Circumstances(model=self._models[tier], device=self._device, power=self._power, unit=unit)

    def _prior(self, tier: Tier, unit: str) -> Prior | None:
        latest = self._latest.get(tier)
        coefficients = latest[1].coefficients if latest and latest[0][0] == unit else None
        if coefficients is None:
            return None
        per_prompt_token, per_generated_token, per_request = coefficients
        return Prior(
            per_prompt_token=per_prompt_token, per_generated_token=per_generated_token, per_request=per_request
        )


def file_names(card: PairCard) -> dict[Tier, str]:
    """Name the very file of each tier; halves of one network are named together, as the large one runs both."""
    small, large = (
        f"{each.id} {each.quantisation or ''} {(each.sha256 or '')[:12]}" for each in (card.small, card.large)
    )
    return {"small": small, "large": f"{small} + {large}" if card.kind == "exit" else large}
