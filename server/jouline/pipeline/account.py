"""What each request costs, and what always-large would have paid for the same one.

Always-large is the large model asked at the same requests with the same cache and key-value reuse, decoding to its
natural end. Its timeline is followed here in token counts alone; its price comes from a model of its cost that every
real run of the large model refines.
"""

from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from jouline.completion import Energy, Generation, Tier
from jouline.energy.meter import Meters
from jouline.energy.savings import ERRORS_TO_BE_SURE, Estimate, Work, saving, split_saving
from jouline.energy.window import Measurement
from jouline.engine.prefix import common_prefix
from jouline.pipeline.costs import Behind, Costs
from jouline.router.costs import MarginalCosts

FITTED = "cost fitted to longer requests, as this one was shorter than a step of a counter or could not be read"
_ELSEWHERE = 64  # tokens: a prompt that has so many new ones is of another place
_PLACES = 8
_NATURAL_STOPS = ("line", "end", "block", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One generation and what it cost alone."""

    tier: Tier
    generation: Generation
    measurement: Measurement


class AlwaysLarge:
    """The baseline's timeline: how many prompt tokens it would have evaluated, how many it would have written."""

    def __init__(self, natural_tokens: float) -> None:
        """`natural_tokens` is the mean length of what the large model writes where it would be stopped early.

        It is fixed, not learned from answers that came to their end: those are the sure and short ones.
        """
        self._timelines: list[tuple[int, ...]] = [()]  # the current one last; those before it were put aside
        self.natural_tokens = natural_tokens

    def ask(self, prompt: tuple[int, ...], answer: tuple[int, ...]) -> int:
        """Move the timeline to `prompt` and `answer`; returns the prompt tokens that would have been evaluated."""
        known = self._leave(prompt)
        self._timelines.append(prompt + answer)
        return len(prompt) - known

    def stop(self, prompt: tuple[int, ...], evaluated: int) -> None:
        """Move the timeline as far as a request that was stopped got: its prompt's first `evaluated` tokens."""
        known = self._leave(prompt)
        self._timelines.append(prompt[: max(known, evaluated)])

    def _leave(self, prompt: tuple[int, ...]) -> int:
        """Return how much of `prompt` stands in any timeline, and put the current one aside if it is another place's.

        The engine does the same (`jouline.engine.session`): going back to a place costs no model a new evaluation.
        """
        reaches = [common_prefix(timeline, prompt) for timeline in self._timelines]
        best = max(range(len(reaches)), key=reaches.__getitem__)
        known = reaches[best]
        if len(prompt) - known < _ELSEWHERE or known == len(self._timelines[best]):
            del self._timelines[best]
        del self._timelines[: len(self._timelines) - _PLACES]
        return known

    def length(self, runs: tuple[Run, ...]) -> float:
        """Return how many tokens it would have written: those of the last run if that came to its natural end."""
        last = runs[-1].generation
        written = float(last.generated_tokens)
        return written if last.stop in _NATURAL_STOPS else max(self.natural_tokens, written)


class Account:
    """Prices runs. Used by the engine's thread alone."""

    def __init__(self, meters: Meters, costs: Costs, always_large: AlwaysLarge, large_id: str) -> None:
        self.meters = meters
        self._costs = costs
        self._always_large = always_large
        self._large_id = large_id

    def learn(self, run: Run) -> None:
        """Refine that model's cost by what it really cost."""
        self._costs.learn(run.tier, work_of(run.generation), run.measurement)

    def bill(self, prompt: tuple[int, ...], runs: tuple[Run, ...], total: Measurement, router_share: float) -> Energy:
        """Return the request's energy beside the baseline's; `router_share` is the router's part of the CPU time.

        What was too short for a counter's step is taken from the models' fitted costs, as an estimate.
        """
        fitted = self._fitted(runs) if total.joules is None else None
        if fitted is not None:
            total = _estimated(total, fitted)
        evaluated = self._always_large.ask(prompt, runs[-1].generation.tokens)
        length = self._always_large.length(runs)
        router = None if total.joules is None else total.joules * min(1.0, router_share)
        asked = Work(prompt_evaluated=evaluated, generated=length)
        saved = self._saved(runs, asked, total, fitted, beside=_beside(runs, total, router))
        return self._spent(total, router_joules=router, **saved)

    def marginal(self, behind: Behind) -> MarginalCosts | None:
        """Return what each model would cost for a request before which it is so far behind; None before it is known."""
        return self._costs.marginal(behind)

    def stopped(self, prompt: tuple[int, ...], evaluated: int) -> None:
        """Note that a request was cancelled when `evaluated` tokens of its prompt stood: always-large got as far.

        Without this the next answer's baseline would pay again for what the cancelled run has done.
        """
        self._always_large.stop(prompt, evaluated)

    def skipped(self, total: Measurement) -> Energy:
        """Return the energy of a request that no model ran for; what a usual one costs is told apart, as the gate's."""
        usual = Work(prompt_evaluated=1, generated=self._always_large.natural_tokens)
        baseline = self._costs.expected("large", usual)
        if baseline is None:
            return self._spent(total)
        return self._spent(total, baseline_joules=baseline, saved_by={"gate": baseline})

    def cached(self, total: Measurement) -> Energy:
        """Return the energy of a cached answer: always-large would have had the cache too, so nothing is saved."""
        return self._spent(
            total,
            baseline_joules=total.joules,
            saved_joules=0.0,
            saved_joules_stddev=0.0,
            saved_joules_shared_stddev=0.0,
        )

    def _fitted(self, runs: tuple[Run, ...]) -> Estimate | None:
        costs = [self._costs.predict(run.tier, work_of(run.generation)) for run in runs]
        known = [cost for cost in costs if cost is not None]
        if not known or len(known) < len(costs):
            return None
        spread = sum(cost.stddev for cost in known)  # one machine, one clock: their errors go together
        return Estimate(value=sum(cost.value for cost in known), stddev=spread)

    def _saved(
        self, runs: tuple[Run, ...], asked: Work, total: Measurement, fitted: Estimate | None, *, beside: float
    ) -> "_Priced":
        """Return what always-large would have paid for the work it would have had, and what is saved by what.

        `beside` are the joules of what it would have had to do as well, whatever its model.
        """
        baseline = self._costs.predict("large", asked)
        if baseline is None or total.joules is None:
            return {}
        baseline = replace(baseline, value=baseline.value + beside)
        written = min(float(runs[-1].generation.generated_tokens), asked.generated)
        stopped = written < asked.generated
        as_far = self._costs.expected("large", replace(asked, generated=written)) if stopped else None
        so_far = baseline.value if as_far is None else as_far + beside
        saved = saving(baseline, total.joules, fitted.stddev if fitted else 0.0)
        parts = split_saving(baseline.value, so_far, total.joules, "route")
        early = self._by_decoding(runs[-1].generation)
        return {
            "baseline_joules": baseline.value,
            "saved_joules": saved.joules,
            "saved_joules_stddev": saved.stddev,
            "saved_joules_shared_stddev": saved.shared_stddev,
            "saved_by": {"route": parts.route - sum(early.values()), "stop": parts.stop} | early,
        }

    def _by_decoding(self, generation: Generation) -> dict[str, float]:
        """Return the joules that drafts and that exits saved in this text, by the engine's own costs."""
        tokens: dict[str, float] = {}
        if generation.drafted:
            tokens["drafts"] = generation.saved_by_drafts
        if generation.exited:
            tokens["exit"] = generation.saved_by_exit
        joules = self._token_joules() if tokens else 0.0
        return {name: joules * count for name, count in tokens.items()}

    def _token_joules(self) -> float:
        one, two = (self._costs.expected("large", Work(prompt_evaluated=1, generated=count)) for count in (1, 2))
        return 0.0 if one is None or two is None else two - one

    def _spent(self, total: Measurement, *, router_joules: float | None = None, **priced: Unpack["_Priced"]) -> Energy:
        return Energy(
            joules=total.joules,
            method=total.method,
            source=total.source,
            joules_low=total.joules_low,
            joules_high=total.joules_high,
            router_joules=router_joules,
            baseline_model=self._large_id,
            **priced,
        )


class _Priced(TypedDict, total=False):
    """What is told of an energy beside what was spent."""

    baseline_joules: float | None
    saved_joules: float
    saved_joules_stddev: float
    saved_joules_shared_stddev: float
    saved_by: dict[str, float]


def _beside(runs: tuple[Run, ...], total: Measurement, router_joules: float | None) -> float:
    """Return the joules of a request's work beside models and router: its prompt, fitting its text, bookkeeping.

    Nothing where a counter's step hides them, which is to the baseline's disadvantage.
    """
    models = [run.measurement.joules for run in runs]
    known = [joules for joules in models if joules is not None]
    if total.joules is None or router_joules is None or len(known) < len(models):
        return 0.0
    return max(0.0, total.joules - sum(known) - router_joules)


def work_of(generation: Generation) -> Work:
    """Return what a model had to do for this text, in tokens of plain decoding."""
    saved = generation.saved_by_drafts + generation.saved_by_exit
    return Work(prompt_evaluated=generation.prompt_work, generated=max(0.0, generation.generated_tokens - saved))


def _estimated(total: Measurement, cost: Estimate) -> Measurement:
    spread = ERRORS_TO_BE_SURE * cost.stddev
    return replace(
        total,
        joules=cost.value,
        joules_low=max(0.0, cost.value - spread),
        joules_high=cost.value + spread,
        method="estimated",
        source=FITTED,
    )
