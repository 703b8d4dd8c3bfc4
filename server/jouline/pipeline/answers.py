"""The latest answers, remembered so that they can be explained."""

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from jouline.completion import Completion, CompletionRequest

_REMEMBERED = 200  # answers that can still be explained
_LATEST = 50  # answers that are told with all that led to them


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer with what it answered; `at_s` is in seconds since 1970."""

    at_s: float
    language: str
    energy_saving: int
    completion: Completion


class Answers:
    """Remembers answers by place and in their order; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_place: OrderedDict[tuple[str, int], Completion] = OrderedDict()
        self._latest: deque[Answered] = deque(maxlen=_LATEST)

    def note(self, request: CompletionRequest, completion: Completion) -> None:
        """Remember an answer; a later one at the same place takes its place."""
        answered = Answered(
            at_s=time.time(), language=request.language, energy_saving=request.energy_saving, completion=completion
        )
        with self._lock:
            self._latest.append(answered)
            self._by_place[request.uri, request.offset] = completion
            self._by_place.move_to_end((request.uri, request.offset))
            while len(self._by_place) > _REMEMBERED:
                self._by_place.popitem(last=False)

    def latest(self) -> tuple[Answered, ...]:
        """Return the latest answers, newest first."""
        with self._lock:
            return tuple(reversed(self._latest))

    def at(self, uri: str, offset: int) -> Completion | None:
        """Return the last answer given at a place, None if there was none lately."""
        with self._lock:
            return self._by_place.get((uri, offset))
