"""The thread that reads the counters often enough that none wraps unseen, and often enough for an idle baseline."""

import contextlib
import threading
from typing import Protocol

IDLE_WINDOW_S = 1.0
FIRST_SAMPLES = 10  # at IDLE_WINDOW_S, so that an idle baseline is there after two seconds
DEFAULT_PERIOD_S = 10.0


class Sampled(Protocol):
    """What can be sampled."""

    def sample(self) -> None:
        """Take one sample."""

    def sample_every_s(self) -> float | None:
        """Say how often."""


class Sampler:
    """A thread that samples the meters as often as they want."""

    def __init__(self, meters: Sampled) -> None:
        self._meters = meters
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="energy-sampler", daemon=True)

    def start(self) -> None:
        """Start sampling; does nothing when it has begun."""
        if not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        taken = 0
        while not self._stop.wait(self._period(taken)):
            with contextlib.suppress(OSError):
                self._meters.sample()
            taken += 1

    def _period(self, taken: int) -> float:
        wanted = self._meters.sample_every_s() or DEFAULT_PERIOD_S
        return min(wanted, IDLE_WINDOW_S) if taken < FIRST_SAMPLES else wanted
