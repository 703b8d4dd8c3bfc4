"""Operating points: which rule serves at which energy saving, fixed on the validation packages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jouline.engine.exit import EDGES, SIGNALS, ExitPoint
from jouline.lab.exits.learn import Agent
from jouline.lab.exits.replay import STARTS, WIDTHS, Prices, margin_rule, plain_cost, replay, table_rule
from jouline.lab.exits.traces import Floats, Traces

LOST: Mapping[int, float] = {25: 0.0025, 50: 0.005, 75: 0.01, 100: 0.02}
"""Right texts that may be lost at most, of all places, by energy saving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A rule with its cost against plain decoding and the right texts it lost, of all places, on some traces.

    `surely` is how many it loses at most, by one standard error over packages; texts that only the rule got right make
    good for nothing there.
    """

    name: str
    table: Floats
    bias: float
    cost: float
    lost: float
    surely: float


def candidate(name: str, table: Floats, bias: float, traces: Traces, prices: Prices) -> Candidate:
    """Replay a table on traces."""
    outcome = replay(traces, prices, table_rule(table, bias))
    gone = np.maximum(0.0, traces.quality - outcome.quality)
    packages = np.array([gone[traces.group == name].mean() for name in np.unique(traces.group)])
    error = packages.std(ddof=1) / np.sqrt(len(packages)) if len(packages) > 1 else 0.0
    return Candidate(
        name=name,
        table=table,
        bias=bias,
        cost=float(outcome.cost.sum() / plain_cost(traces, prices).sum()),
        lost=float((traces.quality - outcome.quality).mean()),
        surely=float(gone.mean() + error),
    )


def margins(traces: Traces, prices: Prices) -> list[Candidate]:
    """Return the margin rule at every edge of the lead."""
    return [candidate(f"{edge:g}", *margin_rule(edge), traces, prices) for edge in EDGES["lead"]]


def agents(trained: Sequence[Agent], traces: Traces, prices: Prices) -> list[Candidate]:
    """Return every trained agent at its own threshold and at some around it."""
    return [
        candidate(f"{agent.price:g} {shift:+g}", agent.table, agent.bias + shift, traces, prices)
        for agent in trained
        for shift in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
    ]


def cheapest(found: Sequence[Candidate], lost: float) -> Candidate | None:
    """Return the cheapest that loses at most so much and costs less than plain decoding, None if none does."""
    allowed = [each for each in found if each.surely <= lost and each.cost < 1.0]
    return min(allowed, key=lambda each: each.cost, default=None)


def points(agent: Sequence[Candidate], margin: Sequence[Candidate], lossless: float) -> tuple[ExitPoint, ...]:
    """Return the agent's points for the product: those where it beats the margin rule and the best lossless way.

    `lossless` is what the best lossless way costs against plain decoding.
    """
    chosen = []
    for saving, lost in LOST.items():
        best, baseline = cheapest(agent, lost), cheapest(margin, lost)
        if best and best.cost < lossless and (baseline is None or best.cost < baseline.cost):
            chosen.append(point(best, saving))
    return tuple(chosen)


def point(found: Candidate, energy_saving: int) -> ExitPoint:
    """Return a candidate as the engine reads it; signals without any weight are left out."""
    tables = {
        name: tuple(round(float(weight), 4) for weight in found.table[start : start + width])
        for name, start, width in zip(SIGNALS, STARTS, WIDTHS, strict=True)
    }
    return ExitPoint(
        energy_saving=energy_saving,
        bias=round(found.bias, 4),
        weights={name: weights for name, weights in tables.items() if any(weights)},
        cost=round(found.cost, 4),
        quality_lost=round(found.lost, 4),
    )


def as_rows(found: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return what is told of candidates in a report."""
    return [{"name": each.name, "cost": each.cost, "lost": each.lost, "surely": each.surely} for each in found]


def table_of(point: ExitPoint) -> tuple[Floats, float]:
    """Return a point's weights as one table over all bins, and its bias."""
    tables = [point.weights.get(name, (0.0,) * width) for name, width in zip(SIGNALS, WIDTHS, strict=True)]
    return np.array([weight for table in tables for weight in table]), point.bias
