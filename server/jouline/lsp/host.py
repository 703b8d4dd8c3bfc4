"""The completion engine as the server sees it, and the one thread in which it is opened, told things and closed."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from jouline.cancel import CancelToken
from jouline.catalogue.card import PairCard
from jouline.completion import Completion, CompletionRequest, Feedback, Method, Tier
from jouline.config import Config
from jouline.energy.ledger import Ledger
from jouline.energy.meter import Meters, Switch
from jouline.errors import JoulineError
from jouline.router.calibration import Calibration

log = logging.getLogger(__name__)


class SessionTotals(Protocol):
    """A session's energy so far, in joules; None is unknown."""

    @property
    def saved_joules(self) -> float | None: ...  # noqa: D102
    @property
    def saved_joules_stddev(self) -> float | None: ...  # noqa: D102
    @property
    def spent_joules(self) -> float | None: ...  # noqa: D102
    @property
    def cancelled_joules(self) -> float | None: ...  # noqa: D102
    @property
    def load_joules(self) -> float | None: ...  # noqa: D102
    @property
    def residency_joules(self) -> float | None: ...  # noqa: D102
    @property
    def accepted_chars_per_joule(self) -> float | None: ...  # noqa: D102
    @property
    def method(self) -> Method: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def switches(self) -> tuple[Switch, ...]: ...  # noqa: D102
    @property
    def requests(self) -> int: ...  # noqa: D102


class Answered(Protocol):
    """An answer with what it answered."""

    @property
    def at_s(self) -> float: ...  # noqa: D102
    @property
    def language(self) -> str: ...  # noqa: D102
    @property
    def energy_saving(self) -> int: ...  # noqa: D102
    @property
    def completion(self) -> Completion: ...  # noqa: D102


class App(Protocol):
    """What the server needs of `jouline.app.App`."""

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each part that had to be done without."""

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> "Future[Completion]":
        """Answer a request in the engine's thread."""

    def visited(self, uri: str, language: str, text: str) -> None:
        """Learn that a document was opened; asked on the event loop."""

    def wait_ms(self, request: CompletionRequest, *, factor: float = 1.0) -> float:
        """Return how long after the last key a request waits for the next one; asked on the event loop."""

    def feedback(self, feedback: Feedback) -> None:
        """Learn what became of a suggestion."""

    def reconfigure(self, config: Config) -> None:
        """Take up other settings."""

    def session_energy(self) -> SessionTotals:
        """Return the session's totals."""

    @property
    def ledger(self) -> Ledger: ...  # noqa: D102
    @property
    def session(self) -> str: ...  # noqa: D102
    @property
    def meters(self) -> Meters: ...  # noqa: D102
    @property
    def calibration(self) -> Calibration | None: ...  # noqa: D102
    @property
    def most_saving(self) -> float: ...  # noqa: D102
    @property
    def card(self) -> PairCard: ...  # noqa: D102

    def memory_bytes(self, tier: Tier) -> int | None:
        """Return what a model takes in memory now."""

    def latest(self) -> "Sequence[Answered]":
        """Return the latest answers, newest first."""

    def explain(self, uri: str, offset: int) -> Completion | None:
        """Return the last answer at a place."""

    def close(self) -> None:
        """Free the models."""


class Host:
    """Owns the `App`. Work is done in the order in which it was given, never in the caller's thread."""

    def __init__(self, build: Callable[[Config], App]) -> None:
        self._build = build
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jouline-host")
        self._closed = False
        self.app: App | None = None

    def settle(self, config: Config) -> "Future[App | None]":
        """Bring the app in line with the settings: opened, reconfigured, or closed where they say off.

        An app that is to be closed is out of reach when this returns; the closing itself happens later.
        """
        if config.enable:
            return self._thread.submit(self._open, config)
        return self._thread.submit(self._close, self._take())

    def feedback(self, feedback: Feedback) -> None:
        """Pass on what became of a suggestion; nobody hears it after `close`."""
        if not self._closed and self.app is not None:
            self._thread.submit(_feed_back, self.app, feedback)  # it is closed only behind this

    def close(self) -> None:
        """Close the app, after what was begun; return when that is done. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._thread.submit(self._close, self._take())
        self._thread.shutdown(wait=True)

    def _open(self, config: Config) -> App:
        app = self.app
        if app is None:
            app = self.app = self._build(config)
        else:
            app.reconfigure(config)
        return app

    def _take(self) -> App | None:
        app, self.app = self.app, None
        return app

    def _close(self, taken: App | None) -> None:
        for app in (taken, self._take()):  # the second was still being opened when the first was taken
            if app is not None:
                app.close()


def _feed_back(app: App, feedback: Feedback) -> None:
    try:
        app.feedback(feedback)
    except JoulineError as error:
        log.warning("feedback lost: %s", type(error).__name__)
