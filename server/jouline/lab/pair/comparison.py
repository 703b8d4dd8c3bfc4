"""Pairs compared at the same places: exit shapes by what a router could save with them, precisions by what they lose.

Contexts of one pair are compared the same way.

Every pair answers the same places through the product's engine. Each place is asked three ways: the small model
afresh, the large one right after it (an escalation: what the front has seen is not seen again), and the large one
afresh, in an engine of its own. All pairs take turns at each place, so that their CPU-seconds compare on a busy
machine.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Generation, Tier
from jouline.engine.pair import Pair
from jouline.lab.pair.estimates import Estimate
from jouline.lab.pair.evaluate import CONTEXT_TOKENS, LINE, Answer, completer
from jouline.lab.pair.places import Place
from jouline.pipeline.completer import Completer

DRAWS = 2000
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A pair's files, and how many tokens its prompts may have."""

    front: Path
    back: Path
    context_tokens: int = CONTEXT_TOKENS


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
    prompt_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What routing does to a table of places: share sent to the large model, and saving against always-large, 0..1."""

    large_share: float
    saving: float


def measure(ways: Mapping[str, Way], places: Sequence[Place]) -> dict[str, list[Outcome]]:
    """Return the outcomes of every way at the places, in the places' order."""
    opened = {name: (_opened(way), _opened(way)) for name, way in ways.items()}
    try:
        found: dict[str, list[Outcome]] = {name: [] for name in ways}
        for place in places:
            for name, ((_, routed), (_, always)) in opened.items():
                found[name].append(_outcome(place, routed, always))
        return found
    finally:
        for pair in opened.values():
            for engine, _ in pair:
                engine.close()


def _opened(way: Way) -> tuple[Pair, Completer]:
    return completer(way.front, way.back, context_tokens=way.context_tokens)


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
        prompt_tokens=large.prompt_tokens,
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
    rows: Sequence[Row], value: Callable[[Sequence[Row]], float], package: Callable[[Row], str], *, draws: int = 500
) -> Estimate:
    """Return a value of a table of places, with a 95 % interval that draws whole packages with replacement."""
    packages: dict[str, list[Row]] = {}
    for row in rows:
        packages.setdefault(package(row), []).append(row)
    groups = [packages[name] for name in sorted(packages)]
    picks: NDArray[np.int64] = np.random.default_rng(0).integers(0, len(groups), (draws, len(groups)))
    values = [value([row for i in pick for row in groups[i]]) for pick in picks]
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(mean=value(rows), low=float(low), high=float(high))


VALUES: Mapping[str, Callable[[Sequence[Outcome]], float]] = {
    "small right": lambda table: float(np.mean([o.small_right for o in table])),
    "large right": lambda table: float(np.mean([o.large_right for o in table])),
    "only large right": lambda table: float(np.mean([o.large_right and not o.small_right for o in table])),
    "prompt tokens": lambda table: float(np.mean([o.prompt_tokens for o in table])),
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
    found = {name: asdict(resampled(outcomes, value, _package)) for name, value in VALUES.items()}
    return {"places": len(outcomes), **found}


def _package(outcome: Outcome) -> str:
    return outcome.package


Pairs = Sequence[tuple[Outcome, Outcome]]  # of one place: the way in question, the one that it is held against
AGAINST: Mapping[str, Callable[[Pairs], float]] = {
    "small right, more": lambda table: float(np.mean([float(a.small_right) - b.small_right for a, b in table])),
    "large right, more": lambda table: float(np.mean([float(a.large_right) - b.large_right for a, b in table])),
    "CPU-seconds, small, share": lambda table: _share(table, lambda o: o.small_cpu_s),
    "CPU-seconds, large, share": lambda table: _share(table, lambda o: o.large_cpu_s),
}


def _share(table: Pairs, value: Callable[[Outcome], float]) -> float:
    return sum(value(one) for one, _ in table) / sum(value(other) for _, other in table)


def against(outcomes: Sequence[Outcome], other: Sequence[Outcome]) -> dict[str, object]:
    """Return what a way does more or less than another at the same places, place by place, with intervals."""
    both = list(zip(outcomes, other, strict=True))
    return {name: asdict(resampled(both, value, lambda pair: pair[0].package)) for name, value in AGAINST.items()}


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
