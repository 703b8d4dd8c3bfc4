"""What became of a suggestion, as the file itself tells: whether it was written, by whomever, and kept.

Better than accepting alone: what is typed by hand as it was suggested counts as right, and what was accepted and then
changed counts for the part that stayed. Only a hash of the text before the cursor is kept, and the suggestion itself,
in memory.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from jouline.completion import CompletionRequest, Feedback, Tier

REMEMBERED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One model's text at a place, with the chance at which it was expected to be right, and the part that was."""

    tier: Tier
    expected: float
    taken: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What one model would have suggested at a place; empty where it was not sure enough to be shown."""

    tier: Tier
    text: str
    expected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A place whose truth is known: what became of each guess; `shadow` where both models were asked for comparison."""

    language: str
    outcomes: tuple[Outcome, ...]
    shadow: bool


@dataclass(slots=True, kw_only=True)
class _Pending:
    uri: str
    language: str
    offset: int
    line_start: int
    before: int  # hash of the text before the cursor
    guesses: list[Guess]
    told: float | None = None  # the part that the person is known to have taken
    names: set[str] = field(default_factory=set)


class Hindsight:
    """Remembers the latest guesses until the file tells what was right. One thread at a time."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, _Pending] = OrderedDict()

    def guessed(self, completion_id: str, request: CompletionRequest, guesses: list[Guess]) -> None:
        """Remember what was answered at a place."""
        self._pending[completion_id] = _Pending(
            uri=request.uri,
            language=request.language,
            offset=request.offset,
            line_start=request.offset - len(request.line_prefix),
            before=hash(request.text[: request.offset]),
            guesses=guesses,
            names={completion_id},
        )
        while len(self._pending) > REMEMBERED:
            self._pending.popitem(last=False)

    def again(self, completion_id: str, request: CompletionRequest, text: str) -> None:
        """Note that an earlier guess was offered again, as a cache does while it is typed along."""
        for pending in reversed(self._pending.values()):
            if pending.uri == request.uri and any(text and guess.text.endswith(text) for guess in pending.guesses):
                pending.names.add(completion_id)
                return

    def compared(self, completion_id: str, guess: Guess) -> None:
        """Add what another model would have answered at a remembered place."""
        if pending := self._pending.get(completion_id):
            pending.guesses.append(guess)

    def feedback(self, feedback: Feedback) -> None:
        """Take what the person did."""
        pending = next((one for one in self._pending.values() if feedback.completion_id in one.names), None)
        if pending is None or feedback.outcome == "shown":
            return
        length = max(1, len(pending.guesses[0].text))
        part = {"accepted": 1.0, "partial": min(1.0, feedback.chars / length), "rejected": 0.0}[feedback.outcome]
        pending.told = max(part, pending.told or 0.0)

    def judge(self, request: CompletionRequest) -> list[Judged]:
        """Return what this document tells of earlier guesses on lines that the cursor has left."""
        start = request.offset - len(request.line_prefix)
        left = [
            (name, one)
            for name, one in self._pending.items()
            if one.uri == request.uri and one.line_start != start and not one.offset > len(request.text)
        ]
        judged = []
        for name, pending in left:
            del self._pending[name]
            if found := _judged(pending, request.text):
                judged.append(found)
        return judged


def _judged(pending: _Pending, text: str) -> Judged | None:
    stands = hash(text[: pending.offset]) == pending.before
    if not stands and pending.told is None:
        return None
    end = text.find("\n", pending.offset)
    written = text[pending.offset : end if end >= 0 else len(text)].rstrip() if stands else None
    first, *others = pending.guesses
    outcomes = [_outcome(first, written, pending.told)]
    outcomes += [_outcome(guess, written, None) for guess in others if written is not None]
    return Judged(language=pending.language, outcomes=tuple(outcomes), shadow=len(outcomes) > 1)


def _outcome(guess: Guess, written: str | None, told: float | None) -> Outcome:
    """Return the part of a guess that stands in the file; where that cannot be seen, what the person was told to do."""
    if written is None:
        taken = told or 0.0
    else:
        text = guess.text.split("\n", 1)[0].rstrip()
        share = _alike(text, written) / len(text) if text else 0.0
        taken = share if told else float(bool(text) and text == written)
    return Outcome(tier=guess.tier, expected=guess.expected, taken=taken)


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
