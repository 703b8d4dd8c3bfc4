"""When to ask while a person types: their rhythm, read from the changes of the document, and how long to wait.

Where the gate expects a suggestion to be taken, nothing waits. Elsewhere a request waits a little longer than this
person's usual time between keys, so that inside a burst of typing only pauses ask. The rhythm is kept as Tabby's
debouncer keeps it (tabby-agent, `debouncer.ts`: recent gaps only, long ones left out), the rule is our own.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from jouline.completion import CompletionRequest

USUAL_GAP_MS = 200.0  # until this person's is known (Tabby's starting value)
LONGEST_MS = 1_000.0
_LONGEST_GAP_MS = 1_000.0  # longer is thinking, not typing
_LEAST_GAPS = 10
_CHARS_OF_A_KEY = 2  # a bracket brings its closing one
_PATIENCE = 1.0  # of the usual gap


@dataclass(slots=True, kw_only=True)
class Keystrokes:
    """One person's typing: the last pause, the usual one, whether the last change took text away."""

    last_gap_ms: float | None = None
    deleted: bool = False
    last_key_ms: float | None = None
    _gaps: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    def changed(self, at_ms: float, *, written: str = "", deleted: bool = False) -> None:
        """Note a change of a document at a time of one steady clock: what was written, or that text was taken away."""
        self.deleted = deleted and not written
        self.last_gap_ms = None if self.last_key_ms is None else max(0.0, at_ms - self.last_key_ms)
        self.last_key_ms = at_ms
        by_key = 0 < len(written.strip()) <= _CHARS_OF_A_KEY
        if self.last_gap_ms is not None and by_key and self.last_gap_ms < _LONGEST_GAP_MS:
            self._gaps.append(self.last_gap_ms)

    @property
    def usual_gap_ms(self) -> float | None:
        """The median of the last hundred gaps between keys; None until there are enough of them."""
        return median(self._gaps) if len(self._gaps) >= _LEAST_GAPS else None


def wait_ms(request: CompletionRequest, *, at_once: bool | None, factor: float = 1.0) -> float:
    """Return how long after the last key a request should wait for the next one, in milliseconds.

    `at_once` is the gate's word that a suggestion here is worth asking for without a pause; None, where no gate is
    trained for the pair, asks at once too. `factor` lengthens the wait, on battery.
    """
    if request.trigger == "invoked" or not request.gate or at_once is not False:
        return 0.0
    return min(LONGEST_MS, _PATIENCE * factor * (request.usual_gap_ms or USUAL_GAP_MS))
