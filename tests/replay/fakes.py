"""An app that answers from a script, and ways of asking that need no engine."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from jouline.cancel import CancelToken
from jouline.completion import Completion, CompletionRequest, Energy, Feedback, TokenCounts
from jouline.replay.session import Ask, Reply

SUFFIX = 9
Answer = Callable[[CompletionRequest], Completion]


def completion(text: str = "", **fields) -> Completion:
    """Return an answer of the small model with known costs, unless told otherwise."""
    values = {
        "id": "1",
        "text": text,
        "action": "generate" if text else "none",
        "reason": "because",
        "model": "small" if text else None,
        "models_run": ("small",),
        "tokens": TokenCounts(prompt_evaluated=2, generated=3),
        "energy": ENERGY,
        "cpu_seconds": 0.5,
    }
    return Completion(**(values | fields))


ENERGY = Energy(
    joules=1.0,
    method="estimated",
    source="test",
    baseline_joules=4.0,
    saved_joules=3.0,
    saved_by={"route": 2.0, "stop": 1.0},
)


def asking(answer: Answer, *, engine_ms: float, asked: list[CompletionRequest] | None = None) -> Ask:
    """Return a way of asking that takes `engine_ms` of virtual time for every answer."""

    def ask(request: CompletionRequest, patience_ms: float | None) -> Reply:
        if asked is not None:
            asked.append(request)
        if patience_ms is not None and patience_ms < engine_ms:
            return Reply(completion=None, engine_ms=patience_ms, joules=0.25, cpu_seconds=0.125)
        return Reply(completion=answer(request), engine_ms=engine_ms)

    return ask


def silent(_: CompletionRequest) -> Completion:
    """Offer nothing."""
    return completion()


def right(goal: str, chars: int = 12) -> Answer:
    """Offer what the file has, to the line's end at most."""

    def answer(request: CompletionRequest) -> Completion:
        typed_well = goal.startswith(request.prefix)
        rest = goal[request.offset :].split("\n", maxsplit=1)[0][:chars] if typed_well else ""
        return completion(rest, id=str(request.offset), replace=len(request.rest_of_line) if rest else 0)

    return answer


@dataclass
class ScriptedApp:
    """Answers at once from a function, or not at all where `stuck`, and remembers what it was told."""

    answer: Answer
    stuck: bool = False
    told: list[Feedback] = field(default_factory=list)
    cancelled_joules: float = 0.0
    residency_joules: float = 2.0
    extra_joules: float = 0.0

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> Future[Completion]:
        future: Future[Completion] = Future()
        if self.stuck:
            cancel.listen(lambda: self._stop(future))
        else:
            future.set_result(self.answer(request))
        return future

    def wait_ms(self, request: CompletionRequest) -> float:
        return 0.0

    def feedback(self, feedback: Feedback) -> None:
        self.told.append(feedback)

    def session_energy(self, *, settle: bool = False) -> "ScriptedApp":
        return self

    def prompts_in(self, layout: str, requests: Sequence[CompletionRequest]) -> list[tuple[int, ...]]:
        """Lay a prompt out with a token a character, two markers of their own and a suffix of `SUFFIX` tokens."""
        assert layout == "prefix-suffix-middle"
        return [(-1, *map(ord, request.prefix), -2, *[0] * SUFFIX) for request in requests]

    def _stop(self, future: Future[Completion]) -> None:
        from jouline.cancel import Cancelled

        self.cancelled_joules += 0.5
        future.set_exception(Cancelled())
