"""Typing the passages of one file through the pipeline, on a clock of its own.

Nothing waits: the keys fall at virtual times, a request takes the time that it really took, and whether its answer
comes before the next key is decided by comparing the two. A request that is late is stopped in the engine at the
moment when the person would have typed on, as an editor does it.
"""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from statistics import fmean

from jouline.completion import Completion, CompletionRequest
from jouline.pipeline.trigger import Keystrokes
from jouline.replay.editor import Editor, Key
from jouline.replay.events import Accepted, Answered, Began, Event, Rejected, Screen, Superseded, Typed
from jouline.replay.passages import Passage
from jouline.replay.policy import Moment, Policy
from jouline.replay.rhythm import Rhythm
from jouline.replay.sources import SourceFile
from jouline.replay.typist import Press, Typist

_LOOKING_AWAY_MS = 1_500.0  # from the last key of a passage until the person goes elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a request ended: `completion` is None where it was stopped. What it cost is None where unknown.

    `engine_ms` is what was measured; `clock_ms`, where it is given, is what counts on the replay's own clock.
    """

    completion: Completion | None
    engine_ms: float
    clock_ms: float | None = None
    joules: float | None = None
    cpu_seconds: float | None = None

    @property
    def took_ms(self) -> float:
        """How long it took on the replay's clock."""
        return self.engine_ms if self.clock_ms is None else self.clock_ms


Ask = Callable[[CompletionRequest, float | None], Reply]
"""Answers a request, or stops it once the given milliseconds have passed; None is as long as it takes."""

Wait = Callable[[CompletionRequest], float]
"""Returns how many milliseconds after the last key the server would begin with a request."""


def at_once(_: CompletionRequest) -> float:
    """Wait for nothing."""
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What every request asks for."""

    route: str = "auto"
    energy_saving: int = 50


class Session:
    """One person at one editor. Each call of `type` types one passage; the clock runs on from call to call."""

    def __init__(self, *, ask: Ask, policy: Policy, rhythm: Rhythm, wishes: Wishes, wait: Wait = at_once) -> None:
        self._ask = ask
        self._wait = wait
        self._policy = policy
        self._rhythm = rhythm
        self._wishes = wishes
        self._clock_ms = 0.0
        self._engine_free_ms = 0.0
        self._judged = ""  # the text up to the end of the suggestion judged last
        self._keys = Keystrokes()
        self._responses_ms: deque[float] = deque(maxlen=10)

    def type(self, source: SourceFile, passage: Passage) -> Iterator[Event]:
        """Take the passage out of the file and type it again; at the end the text is the file's."""
        editor = take_out(source, passage)
        yield Began(at_ms=self._clock_ms, screen=Screen.of(editor))
        typist = Typist(goal=source.text, passage=passage, rhythm=self._rhythm)
        press = typist.next(editor)
        offered: Completion | None = None
        while press is not None:
            self._clock_ms += press.gap_ms
            editor.press(press.key)
            typist.pressed(editor, press.key)
            self._keys.changed(self._clock_ms, written=press.key.text, deleted=press.key.deletes)
            yield self._pressed(editor, press.key, offered)
            press = typist.next(editor)
            answer = yield from self._request(source, editor, press)
            offered = answer.completion if answer else None
            if answer and answer.completion.text:
                press = yield from self._read(editor, typist, answer, press)
        self._clock_ms += _LOOKING_AWAY_MS

    def _pressed(self, editor: Editor, key: Key, offered: Completion | None) -> Event:
        screen = Screen.of(editor)
        if key.kind != "accept" or offered is None:
            return Typed(at_ms=self._clock_ms, key=key, screen=screen)
        whole = key.text == offered.text
        return Accepted(at_ms=self._clock_ms, key=key, screen=screen, completion=offered, whole=whole)

    def _request(
        self, source: SourceFile, editor: Editor, upcoming: Press | None
    ) -> Generator[Event, None, Answered | None]:
        """Ask at the cursor unless the next key comes first; tell what became of it."""
        next_key_ms = self._clock_ms + (upcoming.gap_ms if upcoming else _LOOKING_AWAY_MS)
        if self._clock_ms + self._policy.editor_delay_ms >= next_key_ms:
            return None
        request = self._wish(source, editor)
        begins_ms = self._begin(request, editor)
        if begins_ms is None or begins_ms >= next_key_ms:
            return None
        patience_ms = next_key_ms - begins_ms
        reply = self._ask(request, patience_ms if self._policy.cancels else None)
        self._engine_free_ms = begins_ms + reply.took_ms
        if reply.completion is None or reply.took_ms > patience_ms:
            yield Superseded(
                at_ms=next_key_ms, engine_ms=reply.engine_ms, joules=reply.joules, cpu_seconds=reply.cpu_seconds
            )
            return None
        answered = Answered(
            at_ms=self._engine_free_ms,
            completion=reply.completion,
            engine_ms=reply.engine_ms,
            delay_ms=begins_ms - self._clock_ms,
            again=self._judged != "" and editor.before + reply.completion.text == self._judged,
            screen=Screen.of(editor),
        )
        self._responses_ms.append(reply.took_ms)
        yield answered
        return answered

    def _begin(self, request: CompletionRequest, editor: Editor) -> float | None:
        """Return when the request reaches the engine, None where this tool does not ask here."""
        policy, called_ms = self._policy, self._clock_ms + self._policy.editor_delay_ms
        if policy.most_right is not None and len(request.rest_of_line) > policy.most_right:
            return None
        if policy.adapts:
            return max(called_ms, self._clock_ms + self._wait(request), self._engine_free_ms)
        typical = fmean(self._responses_ms) if self._responses_ms else 0.0
        moment = Moment(
            request=request,
            typed=editor.before[-1:],
            usual_gap_ms=self._keys.usual_gap_ms,
            usual_response_ms=typical,
        )
        begins_ms = called_ms + policy.delay(moment)
        if policy.polls_ms and self._engine_free_ms > begins_ms:
            return begins_ms + policy.polls_ms * math.ceil((self._engine_free_ms - begins_ms) / policy.polls_ms)
        return max(begins_ms, self._engine_free_ms)

    def _read(
        self, editor: Editor, typist: Typist, answer: Answered, upcoming: Press | None
    ) -> Generator[Event, None, Press | None]:
        """Let the person read what is offered and decide what to press."""
        reading_ms = 0.0 if answer.again else self._rhythm.reading_ms(answer.completion.text)
        self._judged = editor.before + answer.completion.text
        read_gap_ms = answer.at_ms + reading_ms - self._clock_ms
        if key := typist.judge(editor, answer.completion):
            return Press(key=key, gap_ms=read_gap_ms)
        if not answer.again:
            yield Rejected(at_ms=answer.at_ms + reading_ms, completion=answer.completion)
        return upcoming and replace(upcoming, gap_ms=max(upcoming.gap_ms, read_gap_ms))

    def _wish(self, source: SourceFile, editor: Editor) -> CompletionRequest:
        return CompletionRequest(
            uri=source.uri,
            language=source.language,
            text=editor.text,
            offset=len(editor.before),
            route=self._wishes.route,
            energy_saving=self._wishes.energy_saving,
            gate=self._policy.gate,
            cache=self._policy.cache,
            stop_early=self._policy.stop_early,
            exits=self._policy.exits,
            deleted=self._keys.deleted,
            last_gap_ms=self._keys.last_gap_ms,
            usual_gap_ms=self._keys.usual_gap_ms,
        )


def take_out(source: SourceFile, passage: Passage) -> Editor:
    """Open the file with the passage missing and the cursor in its place."""
    before, after = source.text[: passage.start], source.text[passage.end :]
    return Editor(before=before, after=after, indent_unit=source.indent_unit)


def presses_unaided(source: SourceFile, passage: Passage, rhythm: Rhythm) -> int:
    """Return how many keys the same person presses for the passage where nothing is offered."""
    editor = take_out(source, passage)
    typist = Typist(goal=source.text, passage=passage, rhythm=rhythm)
    presses = 0
    while press := typist.next(editor):
        editor.press(press.key)
        typist.pressed(editor, press.key)
        presses += press.key.presses
    return presses
