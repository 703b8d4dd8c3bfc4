"""The figures of a replay under the names that other programs rely on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jouline.replay.tally import Tally

_SOURCES = ("small", "large", "cache", "all")
_SAVINGS = ("route", "exit", "stop", "gate", "drafts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a tally of events cannot know.

    `presses_unaided` are the keys for the same text where nothing is offered, `extra_joules` the part of residency and
    of loading that always-large would not have paid.
    """

    files: int
    chars: int
    presses_unaided: int
    residency_joules: float | None
    extra_joules: float | None
    wall_seconds: float


def report_fields(tally: Tally, around: Surroundings) -> dict[str, Any]:
    """Return the report as a JSON-ready dict; what is unknown is None.

    `saved_percent` is the session's headline: what the answered requests saved, less what only a second model
    costs while it is kept ready, as a part of what always-large would have spent on them.
    """
    return {
        "files": around.files,
        "chars": around.chars,
        "keystrokes": tally.keystrokes,
        "keystrokes_unaided": around.presses_unaided,
        "requests": tally.requests,
        "skipped": tally.actions["skip"],
        "cache_hits": tally.actions["cache"],
        "shown": tally.shown,
        "accepted": tally.accepted,
        "accepted_chars": tally.accepted_chars,
        "keystrokes_saved_percent": percent_less(tally.keystrokes, around.presses_unaided),
        "by_model": dict(sorted(tally.by_model.items())),
        "latency_ms": _by_source(tally.latency_ms),
        "engine_latency_ms": _by_source(tally.engine_latency_ms),
        "joules": _rounded(tally.joules.value),
        "joules_method": tally.method,
        "joules_source": tally.energy_source,
        "baseline_joules": _rounded(tally.baseline_joules.value),
        "saved_joules": _rounded(tally.saved_joules.value),
        "saved_percent": saved_percent(tally, around.extra_joules),
        "saved_by": {name: _rounded(tally.saved_by.get(name)) for name in _SAVINGS},
        "accepted_chars_per_joule": _ratio(tally.accepted_chars, _both(tally)),
        "cpu_seconds": _rounded(tally.cpu_seconds.value),
        "prompt_tokens_evaluated": tally.prompt_tokens_evaluated,
        "generated_tokens": tally.generated_tokens,
        "cancelled": tally.cancelled,
        "cancelled_joules": _rounded(tally.cancelled_joules.value),
        "residency_joules": _rounded(around.residency_joules),
        "extra_joules": _rounded(around.extra_joules),
        "wall_seconds": round(around.wall_seconds, 3),
    }


def saved_percent(tally: Tally, extra_joules: float | None) -> float | None:
    """Return the saving, net of what only a second model costs, in percent of always-large's joules."""
    baseline, saved = tally.baseline_joules.value, tally.saved_joules.value
    if not baseline or saved is None:
        return None
    return round(100.0 * (saved - (extra_joules or 0.0)) / baseline, 2)


def percent_less(value: float, reference: float) -> float | None:
    """Return by how many percent `value` is below `reference`; None where there is nothing to compare with."""
    return round(100.0 * (1.0 - value / reference), 2) if reference else None


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100.0 * len(ordered)) - 1)]


def _by_source(times: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float] | None]:
    return {source: _spread(times[source]) if times.get(source) else None for source in _SOURCES}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(values, 50), 3),
        "p95": round(percentile(values, 95), 3),
        "max": round(max(values), 3),
    }


def _ratio(part: float, whole: float | None) -> float | None:
    return round(part / whole, 3) if whole else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _both(tally: Tally) -> float | None:
    """Return the joules of answers and of stopped requests: what was accepted had to pay for both."""
    answered, stopped = tally.joules.value, tally.cancelled_joules.value
    return None if answered is None or stopped is None else answered + stopped
