"""What costs are counted in: joules where counters count them, this process's processor time elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass

from jouline.energy.estimate import CoreWatts
from jouline.energy.reading import Meter
from jouline.energy.savings import CostUnit, Estimate
from jouline.energy.window import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of cost and the meters behind it. Costs under different `name`s are not comparable.

    The name is the unit and, for joules, the counters that are summed.

    `joules_per_cost` is 1 for joules, and the watts of a busy core for CPU-seconds: what is fitted on processor time
    stays right when a better figure for the watts is found. `step_s` is the time between two steps of the slowest
    counter: a shorter window cannot be measured.
    """

    kind: CostUnit
    name: str
    meters: frozenset[str]
    joules_per_cost: float
    step_s: float

    def cost(self, measurement: Measurement) -> float | None:
        """Return a window's cost; None where a counter was silent and something else stood in for it."""
        if self.kind == "cpu-seconds":
            return measurement.cpu_seconds
        known = {part.meter for part in measurement.parts if part.counted and part.joules is not None}
        return measurement.joules if known == self.meters else None

    def joules(self, cost: Estimate) -> Estimate:
        """Return an estimated cost in joules."""
        return cost.scaled(self.joules_per_cost)


def unit_of(meters: Iterable[Meter], core: CoreWatts) -> Unit:
    """Return the unit that the counted ones among these meters give."""
    counted = [meter for meter in meters if meter.counted]
    names = frozenset(meter.name for meter in counted)
    step_s = max((meter.resolution_s for meter in counted), default=0.0)
    if all(meter.sharing == "own" for meter in counted):
        return Unit(kind="cpu-seconds", name="cpu-seconds", meters=names, joules_per_cost=core.watts, step_s=step_s)
    return Unit(
        kind="joules", name=f"joules by {', '.join(sorted(names))}", meters=names, joules_per_cost=1.0, step_s=step_s
    )
