"""A row of the ledger and the sums of rows. Nothing here can hold source text: every string is a short code."""

import re
import secrets
import time
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal

from jouline.completion import Action, Method, Tier, Timings
from jouline.energy.savings import Headline, SavedBy, Saving, headline

Kind = Literal["request", "load", "residency", "cancelled", "prefetch", "warm-up", "shadow"]
Outcome = Literal["shown", "accepted", "partial", "rejected"]

NOT_A_CODE = "other"
# Codes and catalogue ids: no spaces, quotes, brackets or line breaks, so no line of source passes for one.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+#-]{0,63}")
_CODES = frozenset({"session", "language", "reason", "model_id", "baseline_model"})


def new_id() -> str:
    """Return an id that no other process gives."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request, or another piece of work that costs energy (`kind`). None is unknown.

    Strings are codes, not text: one that is no code is kept as `other`, so that source text cannot slip in.
    `saved_joules` is None where the counterpart is not known; a cache hit saves 0. On residency, a load or a
    prefetch it is minus the part that always-large would not have paid; None there means all of it.
    """

    id: str = field(default_factory=new_id)
    kind: Kind = "request"
    at: float = field(default_factory=time.time)
    session: str = "unknown"
    language: str = "unknown"
    action: Action = "generate"
    reason: str = "unknown"
    model: Tier | None = None
    model_id: str | None = None
    baseline_model: str | None = None
    method: Method = "unavailable"
    cancelled: bool = False
    prompt_tokens: int | None = None
    prompt_evaluated: int | None = None
    generated: int | None = None
    timings: Timings | None = None
    cpu_seconds: float | None = None
    joules: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    router_joules: float | None = None
    baseline_joules: float | None = None
    saved_joules: float | None = None
    saved_stddev: float | None = None
    saved_shared_stddev: float | None = None
    saved_by: SavedBy | None = None
    outcome: Outcome | None = None
    accepted_chars: int = 0

    def __post_init__(self) -> None:
        """Replace every string that is no code."""
        for name in _CODES:
            value = getattr(self, name)
            if value is not None and not _CODE.fullmatch(value):
                object.__setattr__(self, name, NOT_A_CODE)

    def row(self) -> dict[str, object]:
        """Return the columns and their values."""
        row: dict[str, object] = dict(zip(_PLAIN, _plain(self), strict=True))
        for name in _TIMES:
            row[name] = getattr(self.timings, name, None)
        for means in _MEANS:
            row[f"saved_{means}"] = getattr(self.saved_by, means, None)
        return row


# Looked up once: a row is written for every keystroke.
_PLAIN = tuple(each.name for each in fields(Entry) if each.name not in {"timings", "saved_by"})
_plain = attrgetter(*_PLAIN)
_TIMES = tuple(each.name for each in fields(Timings))
_MEANS = tuple(each.name for each in fields(SavedBy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over rows. A sum of which no row is known is None; `joules_unknown` rows are missing from `joules`.

    `joules` is what requests cost, cancelled ones and prefetching included; residency and loads stand beside it.
    `overhead_joules` is the part of residency, loads, prefetching and shadow evaluations that always-large would not
    have paid: the headline is net of it. What is cancelled or skipped stands apart.
    """

    requests: int = 0
    skipped: int = 0
    cache_hits: int = 0
    small: int = 0
    large: int = 0
    shown: int = 0
    accepted: int = 0
    accepted_chars: int = 0
    cancelled: int = 0
    joules: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    joules_unknown: int = 0
    router_joules: float | None = None
    cancelled_joules: float | None = None
    residency_joules: float | None = None
    load_joules: float | None = None
    prefetch_joules: float | None = None
    shadows: int = 0
    shadow_joules: float | None = None
    overhead_joules: float | None = None
    baseline_joules: float | None = None
    saved_joules: float | None = None
    saved_variance: float | None = None
    saved_shared_stddev: float | None = None
    saved_requests: int = 0
    saved_route: float | None = None
    saved_exit: float | None = None
    saved_stop: float | None = None
    saved_gate: float | None = None
    saved_drafts: float | None = None
    cpu_seconds: float | None = None
    prompt_evaluated: int | None = None
    generated: int | None = None
    measured: int = 0
    attributed: int = 0
    estimated: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        """Return the sums of both; unknown plus known is known."""
        both = {f.name: _plus(getattr(self, f.name), getattr(other, f.name)) for f in fields(Totals)}
        return Totals(**both)

    @property
    def saved_stddev(self) -> float | None:
        """Standard error of `saved_joules`: independent errors in squares, the models' own errors in full."""
        if self.saved_variance is None:
            return None
        return float((self.saved_variance + (self.saved_shared_stddev or 0.0) ** 2) ** 0.5)

    @property
    def net_saving(self) -> Saving | None:
        """What was saved less the overhead; None where no saving is known."""
        if self.saved_joules is None:
            return None
        return Saving(
            joules=self.saved_joules - (self.overhead_joules or 0.0),
            stddev=self.saved_stddev or 0.0,
            shared_stddev=self.saved_shared_stddev or 0.0,
        )

    def headline(self, baseline_model: str) -> Headline:
        """Return the one line that may be shown of these rows."""
        return headline(self.saved_requests, self.net_saving, self.baseline_joules, baseline_model)

    @property
    def method(self) -> Method:
        """The weakest class among the rows that `joules` sums."""
        if self.estimated:
            return "estimated"
        return "attributed" if self.attributed else "measured" if self.measured else "unavailable"

    @property
    def accepted_chars_per_joule(self) -> float | None:
        """What a joule bought; None where joules are unknown or none were spent."""
        return self.accepted_chars / self.joules if self.joules else None


def _plus(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b
