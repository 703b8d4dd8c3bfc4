"""Asking a real app, and stopping it when the person has typed on."""

import time
from concurrent.futures import Future
from typing import Protocol

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Completion, CompletionRequest, Feedback
from jouline.replay.session import Reply


class Spent(Protocol):
    """What the app knows to have been spent apart from answers, since it was opened; None where unknown."""

    @property
    def cancelled_joules(self) -> float | None:
        """Joules of requests that were stopped."""

    @property
    def residency_joules(self) -> float | None:
        """Joules of keeping models ready between requests, what else this process does among them."""

    @property
    def extra_joules(self) -> float | None:
        """The part of residency and of loading that always-large would not have paid."""


class App(Protocol):
    """What a replay asks of the application (`jouline.app.App`)."""

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> Future[Completion]:
        """Answer a request on the engine's thread."""

    def feedback(self, feedback: Feedback) -> None:
        """Learn what became of a suggestion."""

    def session_energy(self, *, settle: bool = False) -> Spent:
        """Return what was spent since the app was opened."""


class Asking:
    """The `jouline.replay.session.Ask` of a real app. It waits for the engine, so the times are real ones."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._wasted_joules = app.session_energy().cancelled_joules or 0.0

    def __call__(self, request: CompletionRequest, patience_ms: float | None) -> Reply:
        """Return the answer, or what became of a request that was cancelled when the time was over."""
        cancel = CancelToken()
        began, cpu = time.perf_counter(), time.process_time()
        future, late = self._app.submit(request, cancel), False
        try:
            answer: Completion | None = future.result(None if patience_ms is None else patience_ms / 1e3)
        except TimeoutError:
            cancel.cancel()
            answer, late = _end_of(future), True
        engine_ms = (time.perf_counter() - began) * 1e3  # a stopped engine is free only when it has stopped
        if answer is None:
            # This thread only waited, so the process's time is the request's.
            spent = time.process_time() - cpu
            return Reply(completion=None, engine_ms=engine_ms, joules=self._just_wasted(), cpu_seconds=spent)
        joules, seconds = answer.energy.joules, answer.cpu_seconds
        return Reply(completion=None if late else answer, engine_ms=engine_ms, joules=joules, cpu_seconds=seconds)

    def _just_wasted(self) -> float | None:
        """Return what stopped requests have taken since the last call; None where the app cannot tell."""
        now = self._app.session_energy().cancelled_joules
        if now is None:
            return None
        since, self._wasted_joules = now - self._wasted_joules, now
        return since


def _end_of(future: Future[Completion]) -> Completion | None:
    """Return the answer of a request that was being cancelled, if it came to its end all the same."""
    try:
        return future.result()
    except Cancelled:
        return None
