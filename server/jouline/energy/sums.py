"""The sums over the ledger's rows, in SQL: all that is asked of a ledger's past."""

import sqlite3
from dataclasses import fields
from typing import Literal

from jouline.energy.entry import Totals

Span = Literal["hour", "day"]
LATEST = 10_000

_REQUEST = "kind = 'request'"
_SPENT = "kind IN ('request', 'cancelled', 'prefetch')"
_ANSWERED = "kind IN ('request', 'cancelled')"
_OVERHEAD = "kind IN ('residency', 'load', 'warm-up', 'prefetch', 'shadow')"
_SUMS = {
    "requests": f"TOTAL({_REQUEST})",
    "skipped": f"TOTAL({_REQUEST} AND action = 'skip')",
    "cache_hits": f"TOTAL({_REQUEST} AND action = 'cache')",
    "small": f"TOTAL({_REQUEST} AND model = 'small')",
    "large": f"TOTAL({_REQUEST} AND model = 'large')",
    "shown": f"TOTAL({_REQUEST} AND outcome IS NOT NULL)",
    "accepted": f"TOTAL({_REQUEST} AND outcome IN ('accepted', 'partial'))",
    "accepted_chars": "TOTAL(accepted_chars)",
    "cancelled": f"TOTAL(kind = 'cancelled' OR ({_REQUEST} AND cancelled))",
    "joules": f"SUM(CASE WHEN {_SPENT} THEN joules END)",
    "joules_low": f"SUM(CASE WHEN {_SPENT} THEN COALESCE(joules_low, joules) END)",
    "joules_high": f"SUM(CASE WHEN {_SPENT} THEN COALESCE(joules_high, joules) END)",
    "joules_unknown": f"TOTAL({_SPENT} AND joules IS NULL)",
    "router_joules": "SUM(router_joules)",
    "cancelled_joules": f"SUM(CASE WHEN kind = 'cancelled' OR ({_REQUEST} AND cancelled) THEN joules END)",
    "residency_joules": "SUM(CASE WHEN kind = 'residency' THEN joules END)",
    "load_joules": "SUM(CASE WHEN kind IN ('load', 'warm-up') THEN joules END)",
    "prefetch_joules": "SUM(CASE WHEN kind = 'prefetch' THEN joules END)",
    "shadows": "TOTAL(kind = 'shadow')",
    "shadow_joules": "SUM(CASE WHEN kind = 'shadow' THEN joules END)",
    "overhead_joules": f"SUM(CASE WHEN {_OVERHEAD} THEN COALESCE(-saved_joules, joules) END)",
    "baseline_joules": f"SUM(CASE WHEN {_ANSWERED} AND saved_joules IS NOT NULL THEN baseline_joules END)",
    "saved_joules": f"SUM(CASE WHEN {_ANSWERED} THEN saved_joules END)",
    "saved_variance": "SUM(MAX(0, saved_stddev * saved_stddev - COALESCE(saved_shared_stddev, 0) * "
    "COALESCE(saved_shared_stddev, 0)))",
    "saved_shared_stddev": "SUM(saved_shared_stddev)",
    "saved_requests": f"TOTAL({_ANSWERED} AND saved_joules IS NOT NULL)",
    **{f"saved_{means}": f"SUM(saved_{means})" for means in ("route", "exit", "stop", "gate", "drafts")},
    "cpu_seconds": "SUM(cpu_seconds)",
    "prompt_evaluated": "SUM(prompt_evaluated)",
    "generated": "SUM(generated)",
    **{f"{how}": f"TOTAL({_SPENT} AND method = '{how}')" for how in ("measured", "attributed", "estimated")},
}
_ROUTE = (
    "CASE WHEN kind <> 'request' THEN kind WHEN action IN ('cache', 'skip') THEN action "
    "ELSE COALESCE(model, action) END"
)
_GROUPS = {
    "all": "''",
    "day": "date(at, 'unixepoch', 'localtime')",
    "model": "CASE WHEN kind <> 'request' THEN kind ELSE COALESCE(model_id, model, action) END",
    "language": "language",
    "route": _ROUTE,
    "session": "session",
    "kind": "kind",
    "method": "method",
}
_OF_ANSWERS = frozenset({"model", "language", "route"})
_COUNTS = frozenset(f.name for f in fields(Totals) if f.type in (int, "int"))
_SPANS: dict[Span, str] = {"hour": "strftime('%Y-%m-%d %H', at, 'unixepoch', 'localtime')", "day": _GROUPS["day"]}


def sums(db: sqlite3.Connection, group: str, since: float | None, session: str | None) -> dict[str, Totals]:
    """Return the sums by a group of rows: `day, session, kind, method` or `all`, or of answers by another."""
    only = _SPENT if group in _OF_ANSWERS else "TRUE"
    found = _select(db, (_GROUPS[group],), f"{only} AND (:session IS NULL OR session = :session)", since, session)
    return {key: totals for (key,), totals in found}


def sums_by_time(db: sqlite3.Connection, span: Span, since: float | None) -> dict[str, dict[str, Totals]]:
    """Return the sums by hour or day of local time, in each by route, residency and loads too."""
    found: dict[str, dict[str, Totals]] = {}
    for (time, route), totals in _select(db, (_SPANS[span], _ROUTE), "TRUE", since, None):
        found.setdefault(time, {})[route] = totals
    return found


def latencies(db: sqlite3.Connection, since: float | None, session: str | None) -> list[float]:
    """Return the milliseconds of the latest answers that a model gave."""
    rows = db.execute(
        f"SELECT total_ms FROM entry WHERE {_REQUEST} AND action IN ('generate', 'none') AND total_ms IS NOT NULL "  # noqa: S608
        "AND (:since IS NULL OR at >= :since) AND (:session IS NULL OR session = :session) "
        "ORDER BY at DESC LIMIT :most",
        {"since": since, "session": session, "most": LATEST},
    )
    return [float(row[0]) for row in rows]


def _select(
    db: sqlite3.Connection, keys: tuple[str, ...], only: str, since: float | None, session: str | None
) -> list[tuple[tuple[str, ...], Totals]]:
    columns = ", ".join(f"{sql} AS {name}" for name, sql in _SUMS.items())
    rows = db.execute(
        f"SELECT {', '.join(keys)}, {columns} FROM entry WHERE {only} "  # noqa: S608  only our own constants
        f"AND (:since IS NULL OR at >= :since) GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}",
        {"since": since, "session": session},
    )
    return [(tuple(map(str, row[: len(keys)])), _totals(row[len(keys) :])) for row in rows]


def _totals(values: tuple[float | None, ...]) -> Totals:
    pairs = zip(_SUMS, values, strict=True)
    return Totals(**{name: int(value or 0) if name in _COUNTS else value for name, value in pairs})  # type: ignore[arg-type]
