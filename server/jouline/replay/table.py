"""One table of ways to ask: Jouline, Jouline with one part switched off, and the peers' triggers with the large model.

Every variant types the same passages of the same files with the same seeds, through the same engine, on the replay's
own clock at a fixed pace. A cell is one file typed by one seed under one variant; nothing is carried from cell to cell.

All are asked in our own order of the prompt, the only one that the embedded pair knows. What a peer's own order would
cost on top is an estimate and stands apart (`cpu_seconds_own_order`): the measured CPU-seconds and, for each prompt
token that one slot of a server would have read beyond those really read, what such a token costs the large model, found
by least squares on this table's own inferences. That the answers would come later by as much, and fewer in time, is not
in it. Rows without the counts, of earlier runs, leave it unknown.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jouline.replay.asking import App, Pace
from jouline.replay.policy import PEERS, POLICIES, Policy
from jouline.replay.readings import Readings, Rendering, seconds_a_prompt_token
from jouline.replay.run import Options, plan, replay
from jouline.replay.session import Wishes
from jouline.replay.sources import SourceFile
from jouline.replay.tally import Tally

TIMES = 1000
_ADDED = (
    "keystrokes",
    "keystrokes_unaided",
    "requests",
    "skipped",
    "cache_hits",
    "shown",
    "accepted",
    "accepted_chars",
)
_SPENT = ("cpu_seconds", "prompt_tokens_evaluated", "generated_tokens", "cancelled", "inferences")
_READ = ("prompt_tokens_read", "prompt_tokens_own_order")
SOURCES = ("small", "large", "cache", "all")

Row = dict[str, Any]
Floats = NDArray[np.float64]


class Fresh(App, Rendering, Protocol):
    """An app that can begin anew and put a prompt in another order."""

    def forget(self) -> None:
        """Forget answers, the person's ways and what the models have read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to ask. `off` names the part of Jouline that is switched off, empty where none is."""

    name: str
    policy: Policy
    wishes: Wishes
    off: str = ""


def variants(energy_saving: int) -> tuple[Variant, ...]:
    """Return Jouline at an energy saving, with each part switched off, always the large model, and the peers."""
    ours, wishes = POLICIES["jouline"], Wishes(energy_saving=energy_saving)
    changed = {
        "gate": replace(ours, gate=False, adapts=False),
        "waiting": replace(ours, adapts=False),
        "cache": replace(ours, cache=False),
        "stopping": replace(ours, stop_early=False),
        "exit": replace(ours, exits=False),
    }
    large = Wishes(route="large", energy_saving=0)
    return (
        Variant(name="jouline", policy=ours, wishes=wishes),
        *(Variant(name=f"no {off}", policy=policy, wishes=wishes, off=off) for off, policy in changed.items()),
        Variant(name="no route", policy=ours, wishes=replace(wishes, route="large"), off="route"),
        Variant(name="always-large", policy=POLICIES["always-large"], wishes=large),
        *(Variant(name=peer, policy=POLICIES[peer], wishes=large) for peer in PEERS),
    )


def cell(app: Fresh, source: SourceFile, variant: Variant, *, seed: int, chars: int, pace: Pace | None) -> Row | None:
    """Type one file by one seed under one variant; None where the file has nothing to type."""
    options = Options(seed=seed, chars=chars, policy=variant.policy, wishes=variant.wishes, pace=pace)
    typings = [typing for typing in plan([source], options) if typing.passages]
    if not typings:
        return None
    app.forget()
    readings = Readings()
    tally, around = replay(typings, app, options, lambda _: None, reading=readings)
    return _row(tally, around.presses_unaided) | {
        "prompt_tokens_read": readings.prompt_tokens_read,
        "prompt_tokens_own_order": readings.prompt_tokens_own_order(app, variant.policy),
        "large_work": readings.large_work,
        "variant": variant.name,
        "file": f"{source.group}/{source.path.name}",
        "group": source.group,
        "seed": seed,
    }


def summarise(rows: Sequence[Row], *, seed: int = 0) -> dict[str, Any]:
    """Return the table: sums and ratios by variant with 95 % intervals that resample whole packages.

    Ratios are to the reference: the peer whose run with the large model saves most keystrokes; those "of own order" to
    what that peer's run is estimated to cost in its own order of the prompt.
    """
    names = _in_order({row["variant"] for row in rows})
    cells = {name: {(row["file"], row["seed"]): row for row in rows if row["variant"] == name} for name in names}
    whole = set.intersection(*(set(of) for of in cells.values()))
    groups = sorted({cells[names[0]][key]["group"] for key in whole})
    weights = _weights(len(groups), seed)
    token_s = _token_seconds([row for of in cells.values() for key, row in of.items() if key in whole], groups, weights)
    made = {name: _Variant.of([of[key] for key in sorted(whole)], groups) for name, of in cells.items()}
    peers = [name for name in PEERS if name in made]
    reference = max(peers, key=lambda name: made[name].saved(weights)[0]) if peers else names[0]
    return {
        "cells": len(whole),
        "files": len({file for file, _ in whole}),
        "seeds": len({seed for _, seed in whole}),
        "packages": groups,
        "reference": reference,
        "cpu_ms_a_prompt_token": _number(1e3 * token_s[0], 4),
        "variants": {name: one.figures(made[reference], weights, token_s) for name, one in made.items()},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    """One variant's cells, added up by package: `sums` has a row a package."""

    sums: Mapping[str, Floats]
    latencies: Mapping[str, list[Floats]]

    @classmethod
    def of(cls, rows: Sequence[Row], groups: Sequence[str]) -> "_Variant":
        by_group = [[row for row in rows if row["group"] == group] for group in groups]
        sums = {name: np.array([sum(row[name] for row in of) for of in by_group]) for name in (*_ADDED, *_SPENT)}
        sums |= {name: np.array([_sum(row.get(name) for row in of) for of in by_group]) for name in _READ}
        latencies = {
            source: [np.array([ms for row in of for ms in row["latency_ms"][source]]) for of in by_group]
            for source in SOURCES
        }
        return cls(sums=sums, latencies=latencies)

    def total(self, name: str, weights: Floats) -> Floats:
        total: Floats = weights @ self.sums[name]
        return total

    def saved(self, weights: Floats) -> Floats:
        """Return the keystrokes saved, in percent: on all packages first, then in each resample."""
        return 100.0 * (1.0 - self.total("keystrokes", weights) / self.total("keystrokes_unaided", weights))

    def median_ms(self, source: str, weights: Floats) -> Floats:
        values = np.concatenate(self.latencies[source])
        if not len(values):
            return np.full(len(weights), np.nan)
        order = np.argsort(values)
        counts = np.concatenate([np.full(len(of), index) for index, of in enumerate(self.latencies[source])])[order]
        below = np.cumsum(weights[:, counts], axis=1)
        middle = (below < below[:, -1:] / 2).sum(axis=1)
        medians: Floats = values[order][np.minimum(middle, len(values) - 1)]
        return medians

    def own_order_cpu_s(self, weights: Floats, token_s: Floats) -> Floats:
        """Return the CPU-seconds that the variant's own order of the prompt is estimated to take."""
        read, own = (self.total(name, weights) for name in _READ)
        more: Floats = np.where(own == read, 0.0, (own - read) * token_s)
        return self.total("cpu_seconds", weights) + more

    def figures(self, reference: "_Variant", weights: Floats, token_s: Floats) -> dict[str, Any]:
        """Return sums, and each ratio with its interval; `token_s` are the CPU-seconds of a prompt token."""
        own_order = self.own_order_cpu_s(weights, token_s)
        with np.errstate(divide="ignore", invalid="ignore"):  # where the reference saves nothing there is no ratio
            of_reference = 100.0 * self.saved(weights) / reference.saved(weights)
        drawn = {
            "keystrokes_saved_percent": self.saved(weights),
            "keystrokes_saved_of_reference_percent": of_reference,
            "cpu_of_reference_percent": 100.0
            * self.total("cpu_seconds", weights)
            / reference.total("cpu_seconds", weights),
            "cpu_seconds_own_order": own_order,
            "cpu_own_order_of_reference_percent": 100.0 * own_order / reference.own_order_cpu_s(weights, token_s),
            "latency_ms_p50": self.median_ms("all", weights),
        }
        one = weights[:1]
        sums = {name: round(float(self.total(name, one)[0]), 3) for name in (*_ADDED, *_SPENT)}
        counts = {name: _number(self.total(name, one)[0]) for name in _READ}
        by_source = {source: _number(self.median_ms(source, one)[0]) for source in SOURCES}
        return (
            sums
            | counts
            | {name: _number(values[0]) for name, values in drawn.items()}
            | {"latency_ms_p50_by_source": by_source}
            | {"ci95": {name: _interval(values[1:]) for name, values in drawn.items()}}
        )


def _row(tally: Tally, unaided: int) -> Row:
    inferences = tally.requests - tally.actions["skip"] - tally.actions["cache"]
    return {
        "keystrokes": tally.keystrokes,
        "keystrokes_unaided": unaided,
        "requests": tally.requests,
        "skipped": tally.actions["skip"],
        "cache_hits": tally.actions["cache"],
        "inferences": inferences,
        "shown": tally.shown,
        "accepted": tally.accepted,
        "accepted_chars": tally.accepted_chars,
        "cancelled": tally.cancelled,
        "cpu_seconds": tally.cpu_seconds.value,
        "prompt_tokens_evaluated": tally.prompt_tokens_evaluated,
        "generated_tokens": tally.generated_tokens,
        "latency_ms": {source: [round(ms, 2) for ms in tally.latency_ms.get(source, ())] for source in SOURCES},
    }


def _weights(groups: int, seed: int) -> Floats:
    """Return how often each package counts, shape (1 + TIMES, packages): once each, then as drawn."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(groups, [1.0 / groups] * groups, size=TIMES)
    return np.concatenate([np.ones((1, groups)), drawn]).astype(np.float64)


def _interval(values: Floats) -> list[float | None]:
    known = values[np.isfinite(values)]
    return [_number(edge) for edge in np.percentile(known, [2.5, 97.5])] if len(known) else [None, None]


def _in_order(names: Iterable[str]) -> list[str]:
    """Return names of variants as `variants` has them, those it does not know at the end."""
    places = {variant.name: place for place, variant in enumerate(variants(0))}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


def _token_seconds(rows: Sequence[Row], groups: Sequence[str], weights: Floats) -> Floats:
    """Return the CPU-seconds of one more prompt token of the large model, on all packages and in each resample."""
    work = np.zeros((len(groups), 4, 4))
    for row in rows:
        if "large_work" in row:
            work[groups.index(row["group"])] += np.array(row["large_work"])
    return seconds_a_prompt_token(np.tensordot(weights, work, axes=1))


def _sum(values: Iterable[float | None]) -> float:
    """Return the sum, NaN where a part is unknown."""
    return sum(math.nan if value is None else value for value in values)


def _number(value: float, places: int = 2) -> float | None:
    return round(float(value), places) if np.isfinite(value) else None
