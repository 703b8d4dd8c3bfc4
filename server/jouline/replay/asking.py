"""Asking a real app, and stopping it when the person has typed on."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Completion, CompletionRequest, Feedback, Tier
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

    def wait_ms(self, request: CompletionRequest) -> float:
        """Return how long after the last key a request waits for the next one."""

    def feedback(self, feedback: Feedback) -> None:
        """Learn what became of a suggestion."""

    def session_energy(self, *, settle: bool = False) -> Spent:
        """Return what was spent since the app was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a pair takes, in milliseconds by token: what decides on the replay's clock whether an answer is in time.

    A fixed pace makes two runs alike, however busy the machine is; times that are reported stay the measured ones.
    """

    prompt_token: Mapping[Tier, float]
    token: Mapping[Tier, float]
    known: float = 1.0  # an answer that needs no model

    def of(self, completion: Completion) -> float:
        """Return how long an answer took at this pace; one of two models is counted at the second's."""
        if not completion.models_run:
            return self.known
        tier = completion.models_run[-1]
        counts = completion.tokens
        return self.known + counts.prompt_evaluated * self.prompt_token[tier] + counts.generated * self.token[tier]


EMBEDDED_PACE = Pace(prompt_token={"small": 0.10, "large": 0.28}, token={"small": 0.31, "large": 1.13})
"""The embedded pair on one quiet core of a server of 2023, our own work on top: `scripts/bench --pace` (LOG.md)."""


Reading = Callable[[CompletionRequest, Completion | None], None]
"""Hears of each inference as it ends, late ones too; None is one that was stopped."""


def unheard(_request: CompletionRequest, _answer: Completion | None) -> None:
    """Take no note."""


class Asking:
    """The `jouline.replay.session.Ask` of a real app. It waits for the engine, so the times are real ones.

    With a fixed `pace` no request is stopped in the engine: one that is late on the replay's clock is paid for in full.
    """

    def __init__(self, app: App, pace: Pace | None = None, reading: Reading = unheard) -> None:
        self._app = app
        self._reading = reading
        self._pace = pace
        self._wasted_joules = app.session_energy().cancelled_joules or 0.0
        self._waiting_cpu_s = 0.0

    def wait_ms(self, request: CompletionRequest) -> float:
        """Return how long the app would wait; what finding out costs is paid by the next request."""
        cpu = time.thread_time()
        wait = self._app.wait_ms(request)
        self._waiting_cpu_s += time.thread_time() - cpu
        return wait

    def __call__(self, request: CompletionRequest, patience_ms: float | None) -> Reply:
        """Return the answer, or what became of a request that was cancelled when the time was over."""
        patience_ms = None if self._pace else patience_ms
        cancel = CancelToken()
        began, cpu = time.perf_counter(), time.process_time()
        future, late = self._app.submit(request, cancel), False
        try:
            answer: Completion | None = future.result(None if patience_ms is None else patience_ms / 1e3)
        except TimeoutError:
            cancel.cancel()
            answer, late = _end_of(future), True
        engine_ms = (time.perf_counter() - began) * 1e3  # a stopped engine is free only when it has stopped
        if answer is None or answer.models_run:
            self._reading(request, answer)
        if answer is None:
            # This thread only waited, so the process's time is the request's.
            spent = time.process_time() - cpu
            return Reply(completion=None, engine_ms=engine_ms, joules=self._just_wasted(), cpu_seconds=spent)
        joules, seconds = answer.energy.joules, answer.cpu_seconds
        if seconds is not None:
            seconds, self._waiting_cpu_s = seconds + self._waiting_cpu_s, 0.0
            answer = replace(answer, cpu_seconds=seconds)
        return Reply(
            completion=None if late else answer,
            engine_ms=engine_ms,
            clock_ms=self._pace.of(answer) if self._pace else None,
            joules=joules,
            cpu_seconds=seconds,
        )

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
