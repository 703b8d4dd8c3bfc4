"""What use teaches the router: hindsight on its answers, and a few shadow evaluations; never before an answer is out.

All of it runs on the engine's thread behind the answer, but `make_way`, which any thread may call.
"""

import contextlib

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Completion, CompletionRequest, Feedback
from jouline.energy.meter import Meters
from jouline.engine.generate import Limits
from jouline.pipeline.books import Books
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.router.calibration import Display
from jouline.router.floor import SHADOW_EVERY
from jouline.router.hindsight import Guess, Hindsight, Judged
from jouline.router.memory import Memory

_SAVE_EVERY = 20  # judged suggestions


class Learning:
    """Learns for one pair; `memory` is shared with its router."""

    def __init__(
        self,
        *,
        memory: Memory,
        display: Display,
        large_quality: float,
        completer: Completer,
        meters: Meters,
        books: Books,
        options: PipelineOptions,
    ) -> None:
        """`large_quality` is how often the large model is right and shown, by the calibration, 0..1."""
        self.memory = memory
        self._display = display
        self._large_quality = large_quality
        self._completer = completer
        self._meters = meters
        self._books = books
        self._options = options
        self._hindsight = Hindsight()
        self._shadow = CancelToken()
        self._small_answers = 0
        self._unsaved = 0
        self.floor: float | None = None  # 0..1 of the large model's quality; None is off
        self.shadows = True

    def answered(self, request: CompletionRequest, completion: Completion) -> None:
        """Learn from what the document says of earlier answers, and remember this one."""
        for judged in self._hindsight.judge(request):
            self._judge(judged)
        if request.route != "auto" or request.show_all:
            return
        if completion.action == "cache":
            self._hindsight.again(completion.id, request, completion.text)
        elif completion.models_run:
            self._remember(request, completion)

    def feedback(self, feedback: Feedback) -> None:
        """Take what the person did with a suggestion."""
        self._hindsight.feedback(feedback)

    def allowed(self, language: str, energy_saving: float) -> float:
        """Return how much of an energy saving the quality floor leaves, by the shadow evaluations so far."""
        return energy_saving if self.floor is None else self.memory.floor(language).allowed(energy_saving)

    def make_way(self) -> None:
        """Stop a shadow evaluation that is running: a person's request has come."""
        self._shadow.cancel()

    def save(self) -> None:
        """Write what was learned."""
        if self._unsaved:
            self._unsaved = 0
            self.memory.save()

    def _remember(self, request: CompletionRequest, completion: Completion) -> None:
        tier = completion.models_run[-1]
        sure = completion.confidence or 0.0
        guess = Guess(tier=tier, text=completion.text, expected=sure if completion.text else 0.0)
        shadow = self._shadow_due(completion)
        if completion.text or shadow:
            self._hindsight.guessed(completion.id, request, [guess])
        if shadow:
            self._compare(request, completion.id)
        if self.floor is not None and tier == "large":
            self.memory.floor(request.language).large_served(floor=self.floor, p_large_ok=self._large_quality)

    def _shadow_due(self, completion: Completion) -> bool:
        """Return whether the large model is asked too: rarely, with a floor to keep, and never on battery."""
        if self.floor is None or not self.shadows or completion.models_run != ("small",):
            return False
        self._small_answers += 1
        return self._small_answers % SHADOW_EVERY == 0 and self._meters.power != "battery"

    def _compare(self, request: CompletionRequest, completion_id: str) -> None:
        self._shadow = CancelToken()
        floor = self._display.large.floor
        limits = Limits(max_tokens=self._options.max_line_tokens, min_logprob=floor)
        with self._meters.window() as window, contextlib.suppress(Cancelled):
            written = self._completer.generate(request, "large", self._shadow, limits)
            shown = written.stop not in ("unlikely", "repetition") and written.logprob >= floor
            sure = self._display.large.of(written.logprob)
            guess = Guess(tier="large", text=written.text if shown else "", expected=sure if shown else 0.0)
            self._hindsight.compared(completion_id, guess)
        self._books.other("shadow", window.measurement, extra_share=1.0, language=request.language)

    def _judge(self, judged: Judged) -> None:
        self._unsaved += 1
        for outcome in judged.outcomes:
            if outcome.expected:
                self.memory.experience.learn(
                    judged.language, outcome.tier, expected=outcome.expected, taken=outcome.taken
                )
        if judged.shadow and self.floor is not None:
            served, large = (outcome.taken for outcome in judged.outcomes)
            self.memory.floor(judged.language).compared(floor=self.floor, served=served, large=large)
        if self._unsaved >= _SAVE_EVERY:
            self.save()
