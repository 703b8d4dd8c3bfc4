"""Adding up what happened: from the events of a replay to running totals."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from jouline.completion import Energy, Method
from jouline.replay.events import Accepted, Answered, Event, Superseded, Typed

_WEAKEST_FIRST: tuple[Method, ...] = ("unavailable", "estimated", "attributed", "measured")


@dataclass(slots=True)
class Sum:
    """A sum that is unknown (None) as soon as one of its parts is."""

    value: float | None = 0.0

    def add(self, part: float | None) -> None:
        """Add a part; None is unknown."""
        self.value = None if self.value is None or part is None else self.value + part


@dataclass(slots=True)
class Tally:
    """Running totals of one or more sessions.

    `joules` are those of answered requests, `cancelled_joules` stand beside them; `cpu_seconds` are those of all
    requests. `baseline_joules` and `saved_joules` are those of the answered requests that were not
    held back: what the gate saved stands in `saved_by` alone.
    """

    keystrokes: int = 0
    requests: int = 0
    shown: int = 0
    accepted: int = 0
    accepted_chars: int = 0
    cancelled: int = 0
    generated_tokens: int = 0
    prompt_tokens_evaluated: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    joules: Sum = field(default_factory=Sum)
    cpu_seconds: Sum = field(default_factory=Sum)
    cancelled_joules: Sum = field(default_factory=Sum)
    baseline_joules: Sum = field(default_factory=Sum)
    saved_joules: Sum = field(default_factory=Sum)
    saved_by: dict[str, float] = field(default_factory=dict)
    methods: set[Method] = field(default_factory=set)
    energy_source: str = ""
    latency_ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    engine_latency_ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _taken: str = ""  # the completion accepted last

    def add(self, event: Event) -> None:
        """Count one event."""
        match event:
            case Typed():
                self.keystrokes += event.key.presses
            case Accepted():
                self._accept(event)
            case Answered():
                self._answer(event)
            case Superseded():
                self._supersede(event)

    @property
    def method(self) -> Method:
        """The weakest method among those behind `joules`."""
        return next((method for method in _WEAKEST_FIRST if method in self.methods), "unavailable")

    def _accept(self, event: Accepted) -> None:
        self.keystrokes += event.key.presses
        self.accepted_chars += len(event.key.text)
        self.accepted += event.completion.id != self._taken
        self._taken = event.completion.id

    def _supersede(self, event: Superseded) -> None:
        self.requests += 1
        self.cancelled += 1
        self.cancelled_joules.add(event.joules)
        self.cpu_seconds.add(event.cpu_seconds)

    def _answer(self, event: Answered) -> None:
        completion = event.completion
        self.requests += 1
        self.actions[completion.action] += 1
        self.generated_tokens += completion.tokens.generated
        self.prompt_tokens_evaluated += completion.tokens.prompt_evaluated
        self.cpu_seconds.add(completion.cpu_seconds)
        if completion.models_run:
            self.by_model[completion.models_run[-1]] += 1
        if completion.text:
            self.shown += not event.again
            self._time(event)
        self._spend(completion.energy, skipped=completion.action == "skip")

    def _time(self, event: Answered) -> None:
        source = event.completion.model or event.completion.action
        for name in (source, "all"):
            self.latency_ms[name].append(event.delay_ms + event.engine_ms)
            self.engine_latency_ms[name].append(event.engine_ms)

    def _spend(self, energy: Energy, *, skipped: bool) -> None:
        self.joules.add(energy.joules)
        self.methods.add(energy.method)
        self.energy_source = energy.source or self.energy_source
        for name, joules in energy.saved_by.items():
            self.saved_by[name] = self.saved_by.get(name, 0.0) + joules
        if not skipped:
            self.baseline_joules.add(energy.baseline_joules)
            self.saved_joules.add(energy.saved_joules)
