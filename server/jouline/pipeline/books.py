"""The books of a session: every piece of work becomes a ledger row and part of the running totals."""

import threading
from collections import Counter
from dataclasses import dataclass, field, replace

from jouline.completion import Completion, CompletionRequest, Energy, Feedback, Method
from jouline.energy.entry import Entry, Kind
from jouline.energy.ledger import Ledger
from jouline.energy.meter import Switch
from jouline.energy.savings import Headline, SavedBy, Saving, add_savings, headline
from jouline.energy.window import Measurement, weakest


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnergy:
    """A session so far, in joules; None is unknown.

    `residency_joules` is what this process used between requests and what idle boards drew. Always-large would have
    paid most of that and of loading too, so `saved_joules` is net of `extra_joules`, what only a second model costs.

    `switches` are the changes of method, oldest first: from then on other numbers were counted.

    `requests` counts answered ones by `small`, `large`, `cache`, `skip` and `none` in `by_source`.
    """

    requests: int
    by_source: dict[str, int]
    spent_joules: float | None
    baseline_joules: float | None
    saved_joules: float | None
    saved_joules_stddev: float | None
    saved_by: SavedBy
    cancelled: int
    cancelled_joules: float | None
    residency_joules: float | None
    extra_joules: float | None
    load_joules: float | None
    accepted: int
    accepted_chars: int
    method: Method
    source: str
    headline: Headline
    switches: tuple[Switch, ...] = ()

    @property
    def accepted_chars_per_joule(self) -> float | None:
        """What a joule bought, stopped requests included; None where joules are unknown or none were spent."""
        joules = (self.spent_joules or 0.0) + (self.cancelled_joules or 0.0)
        return self.accepted_chars / joules if self.spent_joules is not None and joules else None


@dataclass(slots=True)
class _Sums:
    """Running sums; a sum of which nothing is known is None."""

    by_source: Counter[str] = field(default_factory=Counter)
    joules: dict[str, float | None] = field(default_factory=dict)
    saved: Saving = field(default_factory=lambda: Saving(joules=0.0, stddev=0.0))
    saved_requests: int = 0
    saved_by: SavedBy = field(default_factory=SavedBy)
    cancelled: int = 0
    methods: set[Method] = field(default_factory=set)
    source: str = ""
    baseline_model: str = "the large model"
    accepted: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, joules: float | None) -> None:
        if joules is not None:
            self.joules[name] = (self.joules.get(name) or 0.0) + joules


class Books:
    """Keeps one session's accounts. Safe to use from any thread."""

    def __init__(self, ledger: Ledger, *, session: str) -> None:
        self._ledger = ledger
        self._session = session
        self._lock = threading.Lock()
        self._sums = _Sums()

    @property
    def session_name(self) -> str:
        """The name under which the ledger keeps this session."""
        return self._session

    def answered(self, request: CompletionRequest, completion: Completion) -> None:
        """Enter an answer, whatever it was."""
        energy, saved_by = completion.energy, SavedBy(**completion.energy.saved_by)
        self._ledger.record(
            Entry(
                id=completion.id,
                session=self._session,
                language=request.language,
                action=completion.action,
                reason=completion.action,
                model=completion.models_run[-1] if completion.models_run else None,
                model_id=completion.model_id,
                baseline_model=energy.baseline_model,
                method=energy.method,
                prompt_tokens=completion.tokens.prompt,
                prompt_evaluated=completion.tokens.prompt_evaluated,
                generated=completion.tokens.generated,
                timings=completion.timings,
                cpu_seconds=completion.cpu_seconds,
                joules=energy.joules,
                joules_low=energy.joules_low,
                joules_high=energy.joules_high,
                router_joules=energy.router_joules,
                baseline_joules=energy.baseline_joules,
                saved_joules=energy.saved_joules,
                saved_stddev=energy.saved_joules_stddev,
                saved_shared_stddev=energy.saved_joules_shared_stddev,
                saved_by=saved_by,
            )
        )
        with self._lock:
            self._add(completion, saved_by)

    def other(
        self, kind: Kind, measurement: Measurement, *, extra_share: float = 0.0, language: str = "unknown"
    ) -> None:
        """Enter work that answers nothing: a load, a warm-up, a cancelled request, residency.

        Always-large would have done it too, but for `extra_share`, 0..1, of it: the second model's.
        """
        extra = None if measurement.joules is None else measurement.joules * extra_share
        self._ledger.record(
            Entry(
                kind=kind,
                session=self._session,
                language=language,
                cancelled=kind == "cancelled",
                method=measurement.method,
                cpu_seconds=measurement.cpu_seconds,
                joules=measurement.joules,
                joules_low=measurement.joules_low,
                joules_high=measurement.joules_high,
                saved_joules=None if extra is None else -extra,
                saved_stddev=None if extra is None else 0.0,
            )
        )
        with self._lock:
            self._sums.cancelled += kind == "cancelled"
            self._sums.add("load" if kind == "warm-up" else kind, measurement.joules)
            self._sums.add("extra", extra)

    def feedback(self, feedback: Feedback) -> None:
        """Note what became of a suggestion."""
        self._ledger.feedback(feedback.completion_id, feedback.outcome, feedback.chars)
        if feedback.outcome in ("accepted", "partial"):
            with self._lock:
                taken = self._sums.accepted
                taken[feedback.completion_id] = max(taken.get(feedback.completion_id, 0), feedback.chars)

    def session(self) -> SessionEnergy:
        """Return the totals so far."""
        with self._lock:
            return self._totals()

    def _add(self, completion: Completion, saved_by: SavedBy) -> None:
        sums, energy = self._sums, completion.energy
        sums.by_source[_source(completion)] += 1
        sums.add("spent", energy.joules)
        sums.saved_by = sums.saved_by + saved_by
        sums.source = energy.source or sums.source
        sums.baseline_model = energy.baseline_model or sums.baseline_model
        sums.methods.add(energy.method)
        if energy.saved_joules is not None:
            sums.add("baseline", energy.baseline_joules)
            sums.saved_requests += 1
            sums.saved = add_savings((sums.saved, _saving(energy)))

    def _totals(self) -> SessionEnergy:
        sums, get = self._sums, self._sums.joules.get
        saved = replace(sums.saved, joules=sums.saved.joules - (get("extra") or 0.0))
        known = saved if sums.saved_requests else None
        requests = sum(sums.by_source.values())
        return SessionEnergy(
            requests=requests,
            by_source=dict(sums.by_source),
            spent_joules=get("spent"),
            baseline_joules=get("baseline"),
            saved_joules=known.joules if known else None,
            saved_joules_stddev=known.stddev if known else None,
            saved_by=sums.saved_by,
            cancelled=sums.cancelled,
            cancelled_joules=get("cancelled"),
            residency_joules=get("residency"),
            extra_joules=get("extra"),
            load_joules=get("load"),
            accepted=len(sums.accepted),
            accepted_chars=sum(sums.accepted.values()),
            method=weakest(sums.methods),
            source=sums.source,
            headline=headline(requests, known, get("baseline"), sums.baseline_model),
        )


def _source(completion: Completion) -> str:
    """Return what the answer is counted under: its action, or the tier that wrote it."""
    return completion.model or completion.action


def _saving(energy: Energy) -> Saving:
    return Saving(
        joules=energy.saved_joules or 0.0,
        stddev=energy.saved_joules_stddev or 0.0,
        shared_stddev=energy.saved_joules_shared_stddev or 0.0,
    )
