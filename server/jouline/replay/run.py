"""A replay over files: every passage goes through the same pipeline as an editor's requests.

One seed always draws the same passages, slips and pauses. What the engine really took decides which answers come in
time, so on a busy machine two runs may differ in what was shown.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Completion, CompletionRequest, Feedback
from jouline.replay.events import Accepted, Answered, Event, Rejected
from jouline.replay.passages import Passage, choose_passages
from jouline.replay.policy import POLICIES, Policy
from jouline.replay.report import Surroundings
from jouline.replay.rhythm import DEFAULT_SPEED_CPS, Rhythm
from jouline.replay.session import Ask, Reply, Session, Wishes, presses_unaided
from jouline.replay.sources import SourceFile
from jouline.replay.tally import Tally

CHARS_PER_FILE = 1_500


class Spent(Protocol):
    """What the app knows to have been spent apart from answers, since it was opened; None where unknown."""

    @property
    def cancelled_joules(self) -> float | None:
        """Joules of requests that were stopped."""

    @property
    def residency_joules(self) -> float | None:
        """Joules of keeping models ready between requests, what else this process does among them."""


class App(Protocol):
    """What a replay asks of the application (`jouline.app.App`)."""

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> Future[Completion]:
        """Answer a request on the engine's thread."""

    def feedback(self, feedback: Feedback) -> None:
        """Learn what became of a suggestion."""

    def session_energy(self) -> Spent:
        """Return what was spent since the app was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to replay. `chars` is about how much is typed of each file."""

    seed: int = 0
    speed_cps: float = DEFAULT_SPEED_CPS
    chars: int = CHARS_PER_FILE
    policy: Policy = POLICIES["jouline"]
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    """One file with the passages of it that are typed and the pace at which they are."""

    source: SourceFile
    passages: tuple[Passage, ...]
    rhythm: Rhythm


def plan(sources: Sequence[SourceFile], options: Options) -> list[Typing]:
    """Draw the passages of every file. The same seed draws the same, wherever the file lies."""
    return [_plan(source, options) for source in sources]


def play(typing: Typing, app: App, options: Options) -> Iterator[Event]:
    """Type all passages of a file, telling the app what became of its suggestions, and yield what happens."""
    session = Session(ask=ask_app(app), policy=options.policy, rhythm=typing.rhythm, wishes=options.wishes)
    for passage in typing.passages:
        for event in session.type(typing.source, passage):
            if feedback := _feedback(event):
                app.feedback(feedback)
            yield event


def replay(
    typings: Sequence[Typing], app: App, options: Options, progress: Callable[[Typing], None]
) -> tuple[Tally, Surroundings]:
    """Play every file and add it all up; `progress` is called before each file."""
    started = time.perf_counter()
    tally = Tally()
    for typing in typings:
        progress(typing)
        for event in play(typing, app, options):
            tally.add(event)
    residency_joules, ended = app.session_energy().residency_joules, time.perf_counter()
    around = Surroundings(
        files=len(typings),
        chars=sum(passage.length for typing in typings for passage in typing.passages),
        presses_unaided=sum(_unaided(typing) for typing in typings),
        residency_joules=residency_joules,
        wall_seconds=ended - started,
    )
    return tally, around


def ask_app(app: App, clock: Callable[[], float] = time.perf_counter) -> Ask:
    """Return the way to ask a real app: a request that takes too long is cancelled in the engine."""
    wasted = Wasted(app)

    def ask(request: CompletionRequest, patience_ms: float | None) -> Reply:
        cancel = CancelToken()
        began, cpu = clock(), time.process_time()
        future = app.submit(request, cancel)
        try:
            completion = future.result(None if patience_ms is None else patience_ms / 1e3)
        except TimeoutError:
            cancel.cancel()
            return _stopped(future, wasted, (clock() - began) * 1e3, cpu)
        joules, spent = completion.energy.joules, completion.cpu_seconds
        return Reply(completion=completion, engine_ms=(clock() - began) * 1e3, joules=joules, cpu_seconds=spent)

    return ask


class Wasted:
    """Tells how many joules each stopped request took, from the app's running total."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._before = app.session_energy().cancelled_joules or 0.0

    def joules(self) -> float | None:
        """Return what has been wasted since the last call; None where the app cannot tell."""
        now = self._app.session_energy().cancelled_joules
        if now is None:
            return None
        since, self._before = now - self._before, now
        return since


def _stopped(future: Future[Completion], wasted: Wasted, engine_ms: float, cpu_before: float) -> Reply:
    try:
        completion = future.result()  # it came to its end while it was being cancelled
    except Cancelled:
        # This thread only waited, so the process's time is the request's.
        spent = time.process_time() - cpu_before
        return Reply(completion=None, engine_ms=engine_ms, joules=wasted.joules(), cpu_seconds=spent)
    joules, spent_by_all = completion.energy.joules, completion.cpu_seconds
    return Reply(completion=None, engine_ms=engine_ms, joules=joules, cpu_seconds=spent_by_all)


def _plan(source: SourceFile, options: Options) -> Typing:
    passages = choose_passages(source.text, language=source.language, seed=options.seed, chars=options.chars)
    rhythm = Rhythm(seed=options.seed, speed_cps=options.speed_cps, salt=source.path.name)
    return Typing(source=source, passages=tuple(passages), rhythm=rhythm)


def _unaided(typing: Typing) -> int:
    return sum(presses_unaided(typing.source, passage, typing.rhythm) for passage in typing.passages)


def _feedback(event: Event) -> Feedback | None:
    match event:
        case Answered(completion=completion, again=False) if completion.text:
            return Feedback(completion_id=completion.id, outcome="shown")
        case Accepted(completion=completion, whole=whole, key=key):
            chars = len(key.text)
            return Feedback(completion_id=completion.id, outcome="accepted" if whole else "partial", chars=chars)
        case Rejected(completion=completion):
            return Feedback(completion_id=completion.id, outcome="rejected")
    return None
