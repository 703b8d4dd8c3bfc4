"""A replay over files: every passage goes through the same pipeline as an editor's requests.

One seed always draws the same passages, slips and pauses. With a fixed pace of the engine two runs by one route are
alike in all that the person sees; the router itself weighs measured costs, so that by `auto` a close call may differ.
Without a fixed pace, what the engine really took decides which answers come in time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from jouline.completion import Feedback
from jouline.replay.asking import App, Asking, Pace, Reading, unheard
from jouline.replay.events import Accepted, Answered, Event, Rejected
from jouline.replay.passages import Passage, choose_passages
from jouline.replay.policy import POLICIES, Policy
from jouline.replay.report import Surroundings
from jouline.replay.rhythm import DEFAULT_SPEED_CPS, Rhythm
from jouline.replay.session import Session, Wishes, presses_unaided
from jouline.replay.sources import SourceFile
from jouline.replay.tally import Tally

CHARS_PER_FILE = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to replay. `chars` is about how much is typed of each file; `reading` as in `Rhythm`."""

    seed: int = 0
    speed_cps: float = DEFAULT_SPEED_CPS
    chars: int = CHARS_PER_FILE
    reading: float = 1.0
    policy: Policy = POLICIES["jouline"]
    wishes: Wishes = field(default_factory=Wishes)
    pace: Pace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    """One file with the passages of it that are typed and the pace at which they are."""

    source: SourceFile
    passages: tuple[Passage, ...]
    rhythm: Rhythm


def plan(sources: Sequence[SourceFile], options: Options) -> list[Typing]:
    """Draw the passages of every file. The same seed draws the same, wherever the file lies."""
    return [_plan(source, options) for source in sources]


def play(typing: Typing, app: App, options: Options, reading: Reading = unheard) -> Iterator[Event]:
    """Type all passages of a file, telling the app what became of its suggestions, and yield what happens."""
    asking = Asking(app, options.pace, reading)
    session = Session(
        ask=asking,
        wait=asking.wait_ms,
        policy=options.policy,
        rhythm=typing.rhythm,
        wishes=options.wishes,
    )
    for passage in typing.passages:
        for event in session.type(typing.source, passage):
            if feedback := _feedback(event):
                app.feedback(feedback)
            yield event


def replay(
    typings: Sequence[Typing],
    app: App,
    options: Options,
    progress: Callable[[Typing], None],
    log: Callable[[Typing, Sequence[Event]], None] | None = None,
    *,
    reading: Reading = unheard,
) -> tuple[Tally, Surroundings]:
    """Play every file and add it all up.

    `progress` is called before each file, `log` with its events after it, `reading` as each inference ends.
    """
    started = time.perf_counter()
    tally = Tally()
    for typing in typings:
        progress(typing)
        events = []
        for event in play(typing, app, options, reading):
            tally.add(event)
            if log:
                events.append(event)
        if log:
            log(typing, events)
    ready, ended = app.session_energy(settle=True), time.perf_counter()
    around = Surroundings(
        files=len(typings),
        chars=sum(passage.length for typing in typings for passage in typing.passages),
        presses_unaided=sum(_unaided(typing) for typing in typings),
        residency_joules=ready.residency_joules,
        extra_joules=ready.extra_joules,
        wall_seconds=ended - started,
    )
    return tally, around


def _plan(source: SourceFile, options: Options) -> Typing:
    passages = choose_passages(source.text, language=source.language, seed=options.seed, chars=options.chars)
    rhythm = Rhythm(seed=options.seed, speed_cps=options.speed_cps, salt=source.path.name, reading=options.reading)
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
