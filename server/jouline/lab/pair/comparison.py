"""Pairs compared at the same places: exit shapes by what a router could save with them, precisions by what they lose.

Every pair answers the same places through the product's engine. Each place is asked three ways: the small model
afresh, the large one right after it (an escalation: what the front has seen is not seen again), and the large one
afresh, in an engine of its own. All pairs take turns at each place, so that their CPU-seconds compare on a busy
machine.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Generation, Tier
from jouline.lab.pair.estimates import Estimate
from jouline.lab.pair.evaluate import LINE, Answer, completer
from jouline.lab.pair.places import Place
from jouline.pipeline.completer import Completer

DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Who was right at a place, how sure the small model was, and the CPU-seconds of each way to ask."""

    package: str
    small_right: bool
    large_right: bool
    small_logprob: float
    small_cpu_s: float
    escalation_cpu_s: float
    large_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What routing does to a table of places: share sent to the large model, and saving against always-large, 0..1."""

    large_share: float
    saving: float


def measure(pairs: Mapping[str, tuple[Path, Path]], places: Sequence[Place]) -> dict[str, list[Outcome]]:
    """Return the outcomes of every pair (its front and back file) at the places, in the places' order."""
    opened = {name: (completer(*files), completer(*files)) for name, files in pairs.items()}
    try:
        found: dict[str, list[Outcome]] = {name: [] for name in pairs}
        for place in places:
            for name, ((_, routed), (_, always)) in opened.items():
                found[name].append(_outcome(place, routed, always))
        return found
    finally:
        for pair in opened.values():
            for engine, _ in pair:
                engine.close()


def _outcome(place: Place, routed: Completer, always: Completer) -> Outcome:
    request = CompletionRequest(
        uri=place.document.path, language=place.document.language, text=place.document.text, offset=place.offset
    )
    small, small_cpu_s = _timed(routed, request, "small")
    large, escalation_cpu_s = _timed(routed, request, "large")
    _, large_cpu_s = _timed(always, request, "large")
    return Outcome(
        package=place.document.package,
        small_right=_right(small, place),
        large_right=_right(large, place),
        small_logprob=small.logprob,
        small_cpu_s=small_cpu_s,
        escalation_cpu_s=escalation_cpu_s,
        large_cpu_s=large_cpu_s,
    )


def _timed(complete: Completer, request: CompletionRequest, tier: Tier) -> tuple[Generation, float]:
    before = time.process_time()
    made = complete.generate(request, tier, CancelToken(), LINE)
    return made, time.process_time() - before


def _right(made: Generation, place: Place) -> bool:
    return Answer(package="", tier="small", text=made.text, truth=place.wanted, logprob=made.logprob).exact


def oracle(outcomes: Sequence[Outcome]) -> Routing:
    """Return the best that choosing before any draft can do at always-large's quality.

    Only gains go to the large model, no more of them than parity needs, the cheapest first.
    """
    needed = sum(o.large_right for o in outcomes) - sum(o.small_right for o in outcomes)
    gains = sorted(
        (o for o in outcomes if o.large_right and not o.small_right), key=lambda o: o.large_cpu_s - o.small_cpu_s
    )
    chosen = gains[: max(0, needed)]
    spent = sum(o.small_cpu_s for o in outcomes) + sum(o.large_cpu_s - o.small_cpu_s for o in chosen)
    return Routing(large_share=len(chosen) / len(outcomes), saving=1 - spent / sum(o.large_cpu_s for o in outcomes))


def cascade(outcomes: Sequence[Outcome], *, slack: float = 0.01) -> Routing:
    """Return what the best threshold on the draft's log p does, chosen in hindsight within `slack` of always-large.

    Every place pays for its draft; those below the threshold pay for the escalation too.
    """
    order = sorted(outcomes, key=lambda o: o.small_logprob)
    small = np.array([o.small_right for o in order], float)
    large = np.array([o.large_right for o in order], float)
    escalation_cpu_s = np.array([o.escalation_cpu_s for o in order])
    right = np.concatenate([[0], np.cumsum(large - small)]) + small.sum()
    spent = np.concatenate([[0], np.cumsum(escalation_cpu_s)]) + sum(o.small_cpu_s for o in order)
    escalated = int(np.argmax(right >= large.sum() - slack * len(order)))
    return Routing(
        large_share=escalated / len(order), saving=1 - float(spent[escalated]) / sum(o.large_cpu_s for o in order)
    )


def resampled(
    outcomes: Sequence[Outcome], value: Callable[[Sequence[Outcome]], float], *, draws: int = 500
) -> Estimate:
    """Return a value of a table of places, with a 95 % interval that draws whole packages with replacement."""
    packages: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        packages.setdefault(outcome.package, []).append(outcome)
    groups = [packages[name] for name in sorted(packages)]
    picks: NDArray[np.int64] = np.random.default_rng(0).integers(0, len(groups), (draws, len(groups)))
    values = [value([o for i in pick for o in groups[i]]) for pick in picks]
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(mean=value(outcomes), low=float(low), high=float(high))


VALUES: Mapping[str, Callable[[Sequence[Outcome]], float]] = {
    "small right": lambda table: float(np.mean([o.small_right for o in table])),
    "large right": lambda table: float(np.mean([o.large_right for o in table])),
    "only large right": lambda table: float(np.mean([o.large_right and not o.small_right for o in table])),
    "only small right": lambda table: float(np.mean([o.small_right and not o.large_right for o in table])),
    "CPU-seconds a place, small": lambda table: float(np.mean([o.small_cpu_s for o in table])),
    "CPU-seconds a place, large": lambda table: float(np.mean([o.large_cpu_s for o in table])),
    "CPU-seconds, small / large": lambda table: _ratio(table, lambda o: o.small_cpu_s),
    "CPU-seconds, draft and escalation / large": lambda table: _ratio(
        table, lambda o: o.small_cpu_s + o.escalation_cpu_s
    ),
    "oracle at parity: share of large calls": lambda table: oracle(table).large_share,
    "oracle at parity: saving": lambda table: oracle(table).saving,
    "draft's log p within 1 point, in hindsight: share of large calls": lambda table: cascade(table).large_share,
    "draft's log p within 1 point, in hindsight: saving": lambda table: cascade(table).saving,
}


def _ratio(table: Sequence[Outcome], value: Callable[[Outcome], float]) -> float:
    return sum(map(value, table)) / sum(o.large_cpu_s for o in table)


def figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return all values of a pair with their intervals, as plain values for JSON."""
    found: dict[str, object] = {name: asdict(resampled(outcomes, value)) for name, value in VALUES.items()}
    return {"places": len(outcomes), **found}


def table(found: Mapping[str, Mapping[str, object]]) -> str:
    """Return pairs side by side, as Markdown."""
    names = list(found)
    head = f"| | {' | '.join(names)} |\n| --- |{' ---: |' * len(names)}"
    rows = dict.fromkeys(row for pair in found.values() for row in pair)
    return "\n".join([head, *(f"| {row} | {' | '.join(_cell(found[n].get(row)) for n in names)} |" for row in rows)])


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
