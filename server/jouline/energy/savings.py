"""What a request would have cost the other way, and what was saved. Pure.

The alternative never ran, so a saving is always an estimate: a fitted cost of the large model for the same request,
less what was spent. It carries a standard error, may be negative, and is silent until there are enough requests.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from jouline.energy.regression import Line, Vector
from jouline.units import JOULES_PER_WATT_HOUR

CostUnit = Literal["joules", "cpu-seconds"]
SavingKind = Literal["route", "exit", "stop", "gate", "drafts"]
HeadlineState = Literal["too few requests", "unknown", "no measurable saving", "saved", "lost"]

REQUESTS_BEFORE_HEADLINE = 10
ERRORS_TO_BE_SURE = 2.0  # standard errors: about 95 %
SMALLEST_NOISE_SIZE = 0.1  # of the mean cost
PRIOR_NOISE = 0.3  # relative error of a warm-up's one measurement
POINTS_WITHOUT_PRIOR = 4  # three coefficients and one degree of freedom


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a model had to do: prompt tokens that were evaluated (not reused) and tokens that were generated.

    Fractions stand for a part of the network (the front has run already) or for an expected length.
    """

    prompt_evaluated: float
    generated: float

    @property
    def features(self) -> Vector:
        """The regressors: prompt tokens, generated tokens, one request."""
        return (float(self.prompt_evaluated), float(self.generated), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A predicted cost. `stddev` includes `shared_stddev`, the error that all estimates of one model have in common."""

    value: float
    stddev: float
    shared_stddev: float = 0.0

    def scaled(self, factor: float) -> "Estimate":
        """Return the estimate in another unit."""
        return Estimate(
            value=self.value * factor,
            stddev=self.stddev * abs(factor),
            shared_stddev=self.shared_stddev * abs(factor),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is believed of a model before it has served: costs per token and request, from a warm-up.

    It weighs as much as `weight` requests of the size `typical`.
    """

    per_prompt_token: float
    per_generated_token: float
    per_request: float = 0.0
    weight: float = 3.0
    typical: Work = Work(prompt_evaluated=100, generated=10)

    @classmethod
    def from_warm_up(cls, prompt: tuple[float, float], generated: tuple[float, float], weight: float = 3.0) -> Self:
        """Return the prior of a warm-up: (tokens, cost) of one prompt evaluation, (tokens, cost) of generating."""
        if prompt[0] <= 0 or generated[0] <= 0:
            raise ValueError("A warm-up must evaluate and generate at least one token each.")
        return cls(
            per_prompt_token=max(0.0, prompt[1] / prompt[0]),
            per_generated_token=max(0.0, generated[1] / generated[0]),
            weight=weight,
            typical=Work(prompt_evaluated=prompt[0], generated=generated[0]),
        )


class CostModel:
    """Online least squares of a model's cost: cost = a prompt tokens + b generated tokens + c, none negative.

    One for each model, device and power source, in any unit of cost. The noise of a request is taken to grow with
    its cost. Old requests fade (`memory` requests count fully), because processors warm up and clocks change.
    """

    def __init__(self, prior: Prior | None = None, *, memory: float = 200.0) -> None:
        self._line = Line(fading=1.0 - 1.0 / memory)
        self._has_prior = prior is not None
        self.count = 0
        self._mean_cost = 0.0
        if prior is not None:
            self._believe(prior)

    @property
    def coefficients(self) -> Vector | None:
        """Cost per prompt token, per generated token and per request; None before anything is known."""
        return self._line.coefficients if self._ready else None

    def observe(self, work: Work, cost: float) -> None:
        """Take one request's measured cost; one that is not finite or is negative is ignored."""
        if not math.isfinite(cost) or cost < 0:
            return
        expected = self._line.value(work.features) if self._ready else cost
        self.count += 1
        self._mean_cost += (cost - self._mean_cost) / (self.count + self._has_prior)
        self._line.add(work.features, cost, scale=self._size(expected))

    def expected(self, work: Work) -> float | None:
        """Return the `value` that `predict` would, without the work of its error."""
        return self._line.value(work.features) if self._ready else None

    def predict(self, work: Work) -> Estimate | None:
        """Return what such work costs; None before there is a prior or a handful of requests."""
        if not self._ready:
            return None
        row = work.features
        value, shared = self._line.value(row), self._line.uncertainty(row)
        noise = self._line.noise() * self._size(value)
        return Estimate(value=value, stddev=math.hypot(noise, shared), shared_stddev=shared)

    def predict_all(self, works: Iterable[Work]) -> Estimate | None:
        """Return what several requests cost together, their common error counted once for all of them."""
        if not self._ready:
            return None
        rows = [work.features for work in works]
        total = (sum(row[0] for row in rows), sum(row[1] for row in rows), sum(row[2] for row in rows))
        value, shared = self._line.value(total), self._line.uncertainty(total)
        noise = self._line.noise() * math.hypot(*(self._size(self._line.value(row)) for row in rows))
        return Estimate(value=value, stddev=math.hypot(noise, shared), shared_stddev=shared)

    def state(self) -> dict[str, object]:
        """Return all that is needed to go on later, as plain JSON values."""
        line = self._line.state()
        return {"count": self.count, "mean_cost": self._mean_cost, "prior": self._has_prior, "line": line}

    @classmethod
    def from_state(cls, state: dict[str, object]) -> Self:
        """Restore `state()`; raises ValueError where it is not one."""
        model = cls()
        try:
            model.count, model._has_prior = int(str(state["count"])), bool(state["prior"])
            model._mean_cost = float(str(state["mean_cost"]))
            model._line = Line.from_state(state["line"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("This is not the saved state of a cost model; delete it to start anew.") from error
        return model

    def _size(self, cost: float) -> float:
        # A request of next to no cost still has the clock's and the scheduler's noise.
        return max(cost, SMALLEST_NOISE_SIZE * self._mean_cost)

    @property
    def _ready(self) -> bool:
        return self._has_prior or self.count >= POINTS_WITHOUT_PRIOR

    def _believe(self, prior: Prior) -> None:
        x, believed = prior.typical.features, (prior.per_prompt_token, prior.per_generated_token, prior.per_request)
        cost = sum(size * each for size, each in zip(x, believed, strict=True)) or 1e-9
        for axis in range(3):
            row = tuple(x[axis] if axis == other else 0.0 for other in range(3))
            self._line.add_fixed((row[0], row[1], row[2]), x[axis] * believed[axis], cost, prior.weight)
        self._line.add_noise(PRIOR_NOISE, prior.weight)
        self._mean_cost = cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Joules saved (negative: lost) with their standard error."""

    joules: float
    stddev: float
    shared_stddev: float = 0.0


def saving(baseline: Estimate, spent: float, spent_stddev: float = 0.0) -> Saving:
    """Return what the baseline's estimate leaves after what was spent."""
    return Saving(
        joules=baseline.value - spent,
        stddev=math.hypot(baseline.stddev, spent_stddev),
        shared_stddev=baseline.shared_stddev,
    )


def add_savings(savings: Iterable[Saving]) -> Saving:
    """Return the sum: independent errors add in squares, the errors shared by one model's estimates add up."""
    joules = independent = shared = 0.0
    for each in savings:
        joules += each.joules
        independent += max(0.0, each.stddev**2 - each.shared_stddev**2)
        shared += each.shared_stddev
    return Saving(joules=joules, stddev=math.sqrt(independent + shared**2), shared_stddev=shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedBy:
    """Joules saved by each means, kept apart so that nobody takes one for another."""

    route: float = 0.0
    exit: float = 0.0
    stop: float = 0.0
    gate: float = 0.0
    drafts: float = 0.0

    def __add__(self, other: "SavedBy") -> "SavedBy":
        """Return the sums by means."""
        return SavedBy(
            route=self.route + other.route,
            exit=self.exit + other.exit,
            stop=self.stop + other.stop,
            gate=self.gate + other.gate,
            drafts=self.drafts + other.drafts,
        )

    @property
    def total(self) -> float:
        """All but the gate's: what was skipped is reported apart."""
        return self.route + self.exit + self.stop + self.drafts


def split_saving(
    baseline_joules: float, baseline_so_far_joules: float, spent_joules: float, rest: SavingKind
) -> SavedBy:
    """Tell stopping early from the rest.

    `baseline_joules` is the large model decoding to its natural end, `baseline_so_far_joules` the large model
    decoding only as far as was done. The parts sum to the saving.
    """
    stop = baseline_joules - baseline_so_far_joules
    parts = {"stop": stop}
    parts[rest] = parts.get(rest, 0.0) + (baseline_so_far_joules - spent_joules)
    return SavedBy(**parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The one line that a person is shown; `saved_percent` is None where nothing may be claimed."""

    state: HeadlineState
    text: str
    saved_percent: float | None = None


def headline(requests: int, saved: Saving | None, baseline_joules: float | None, baseline_model: str) -> Headline:
    """Return what may honestly be said after `requests` requests.

    Nothing before ten of them; "no measurable saving" within two standard errors; a loss is called one.
    """
    if requests < REQUESTS_BEFORE_HEADLINE:
        text = f"{requests} of {REQUESTS_BEFORE_HEADLINE} requests needed before a saving is shown"
        return Headline(state="too few requests", text=text)
    if saved is None or not baseline_joules or baseline_joules <= 0:
        return Headline(state="unknown", text="the saving is not known yet")
    if abs(saved.joules) <= ERRORS_TO_BE_SURE * saved.stddev:
        return Headline(state="no measurable saving", text="no measurable saving")
    percent = 100 * saved.joules / baseline_joules
    size = f"{abs(percent):.2g} % ({_with_error(abs(saved.joules), saved.stddev)})"
    if percent < 0:
        text = f"≈ {size} more than always using {baseline_model}"
        return Headline(state="lost", text=text, saved_percent=percent)
    return Headline(state="saved", text=f"≈ saved {size} vs. always using {baseline_model}", saved_percent=percent)


def _with_error(joules: float, stddev: float) -> str:
    if joules >= JOULES_PER_WATT_HOUR:
        factor, unit = 1 / JOULES_PER_WATT_HOUR, "Wh"
    else:
        factor, unit = (1.0, "J") if joules >= 0.1 else (1000.0, "mJ")
    return f"{_two_digits(joules * factor)} ± {_two_digits(stddev * factor)} {unit}"


def _two_digits(value: float) -> str:
    if value <= 0:
        return "0"
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"
