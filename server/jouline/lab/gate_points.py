"""Chooses gate and router together, by energy saving, from replays of all their combinations on validation packages.

Either alone saves badly: a strict gate before a large model may keep more keystrokes for the same work than a lenient
one before a small model, or fewer. What the work costs falls evenly from one end of the setting to the other; at each
step the combination is taken that keeps most keystrokes for what may be spent there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jouline.errors import ConfigError
from jouline.lab.gate_training import SAVINGS
from jouline.router.gate_learned import GateCard, GatePoint

ROUTES = (0.0, 10.0, 25.0, 50.0, 75.0, 100.0)  # energy savings at which the router is tried behind each gate
STEP = 5.0  # of the router's energy saving, between those tried
_FULL = (0.0, 0.0)  # energy saving 0: always the large model, nothing held back


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A gate's and a router's energy saving, what both together saved in keystrokes, and cost in CPU-seconds."""

    gate: float
    route: float
    saved: float
    cpu_seconds: float


def name(gate: float, route: float) -> str:
    """Return what a combination's cells are called."""
    return f"gate {gate:g}, route {route:g}"


def combinations(rows: Sequence[Mapping[str, Any]]) -> tuple[Combination, ...]:
    """Add up the cells of replays, of those files and seeds that were typed under every combination."""
    cells = {
        (gate, route): {(row["file"], row["seed"]): row for row in rows if row["variant"] == name(gate, route)}
        for gate in SAVINGS
        for route in ROUTES
    }
    whole = set.intersection(*(set(of) for of in cells.values()))
    if not whole:
        raise ConfigError("No file was typed under every combination; give files with code in them.")
    return tuple(
        Combination(
            gate=gate,
            route=route,
            saved=sum(of[key]["keystrokes_unaided"] - of[key]["keystrokes"] for key in whole),
            cpu_seconds=sum(of[key]["cpu_seconds"] for key in whole),
        )
        for (gate, route), of in cells.items()
    )


def between(found: Sequence[Combination]) -> list[Combination]:
    """Return combinations every `STEP` of the router's energy saving, by straight lines between those tried."""
    steps = np.arange(0.0, 100.0 + STEP, STEP)
    finer = []
    for gate in SAVINGS:
        tried = sorted((one for one in found if one.gate == gate), key=lambda one: one.route)
        routes = [one.route for one in tried]
        saved = np.interp(steps, routes, [one.saved for one in tried])
        spent = np.interp(steps, routes, [one.cpu_seconds for one in tried])
        finer += [
            Combination(gate=gate, route=float(route), saved=float(keys), cpu_seconds=float(seconds))
            for route, keys, seconds in zip(steps, saved, spent, strict=True)
        ]
    return finer


def choose(found: Sequence[Combination]) -> dict[float, Combination]:
    """Return the combination for each energy saving; neither gate nor router is more lenient than at a lower one."""
    last = next(one for one in found if (one.gate, one.route) == _FULL)
    full, least = last.cpu_seconds, min(one.cpu_seconds for one in found)
    chosen = {0.0: last}
    for saving in SAVINGS[1:]:
        most = full + saving / 100 * (least - full)
        stricter = [one for one in found if _follows(one, last)]
        affordable = [one for one in stricter if one.cpu_seconds <= most]
        last = max(
            affordable or [min(stricter, key=lambda one: one.cpu_seconds)],
            key=lambda one: (one.saved, -one.cpu_seconds),
        )
        chosen[saving] = last
    return chosen


def _follows(one: Combination, last: Combination) -> bool:
    return one.gate >= last.gate and one.route >= last.route


def routed(card: GateCard, route: float) -> GateCard:
    """Return the gate with the router at one energy saving, whatever the person's."""
    return replace(card, points=tuple(replace(point, route=route) for point in card.points))


def with_points(card: GateCard, chosen: Mapping[float, Combination]) -> GateCard:
    """Return the gate with the chosen combinations as its points."""
    points = tuple(_point(card, saving, one) for saving, one in sorted(chosen.items()))
    return replace(card, points=points, made_from={**card.made_from, "points_chosen_together": True})


def _point(card: GateCard, saving: float, one: Combination) -> GatePoint:
    return replace(card.at(one.gate), energy_saving=saving, route=one.route)
