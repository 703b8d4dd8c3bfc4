"""Traces of an exit pair: the large model's own text, and at every token what the front half would have done.

Along the large model's greedy path both halves are run at every token, so that any rule's choices can be replayed
without the network: as long as the front's choice is the large model's, exiting changes nothing but the cost. Where it
is another, the front's own way on from there is written out too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jouline.cancel import CancelToken
from jouline.completion import Prompt
from jouline.engine.ahead import Ahead
from jouline.engine.draft import DraftCosts, Lookup, PassCosts
from jouline.engine.exit import SIGNALS, ExitRule, Signals
from jouline.engine.generate import Limits, finish_text, generate, pick
from jouline.engine.healing import Spelling
from jouline.engine.two_stage import TwoStageSession
from jouline.lab.exits.bench import MAX_TOKENS, Bench, place_request
from jouline.lab.retype import Block

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
_EACH = tuple(float(count) for count in range(1, 10))
_NO_DRAFTS = PassCosts(
    small=_EACH, large=_EACH, halves=True
)  # at these costs no draft pays: every token is asked about


@dataclass(frozen=True, slots=True)
class Traces:
    """Places as rows, tokens of the large model's text as columns; `length` tells how many of them count.

    `signals` has shape (places, tokens, signals), with those that depend on a rule (`behind`, `last`, `logprob`) as
    they are without exits. `front_logprob` and `large_logprob` are of either half's own choice. `quality` is the large
    model's, 0 or 1; `otherwise` the quality, and `rest` the further tokens, of a text whose token there is the front's.
    `lag` counts prompt tokens that only the front has seen before each place.
    """

    group: np.ndarray[tuple[int], np.dtype[np.str_]]
    length: Ints
    lag: Ints
    quality: Floats
    signals: Floats
    agree: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    front_logprob: Floats
    large_logprob: Floats
    otherwise: Floats
    rest: Ints

    def save(self, path: Path) -> None:
        """Write as one compressed file."""
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> "Traces":
        """Read what `save` wrote."""
        with np.load(path) as found:
            return cls(**{name: found[name] for name in cls.__slots__})


@dataclass(slots=True)
class _Step:
    signals: Signals
    guess: int
    logprob: float


class _Watch(ExitRule):
    """A rule that never exits and notes what it was asked."""

    def __init__(self, bench: Bench, ahead: Ahead) -> None:
        self._bench = bench
        self._ahead = ahead
        self.steps: list[_Step] = []

    def exits(self, signals: Signals) -> bool:
        """Note the signals and the front's own choice."""
        logits = self._bench.front.logits()
        guess = self._ahead.guess(logits)
        if guess is not None:
            self.steps.append(_Step(signals, guess.token, pick(self._ahead.possible(logits))[1]))
        return False


def collect(bench: Bench, blocks: Sequence[Block], *, tell: Callable[[int], None]) -> Traces:
    """Trace every place of the blocks in turn, as a person typing meets them. `tell` hears of each block done."""
    session = TwoStageSession(
        bench.large,
        bench.front,
        costs=DraftCosts(_NO_DRAFTS, _NO_DRAFTS),
        lookup=Lookup(),
        capacity=bench.capacity,
        front_share=bench.large.front_share,
    )
    rows = []
    for block in blocks:
        bench.begin(block)
        before = 0
        for offset, end in block.places:
            truth = block.text[offset:end]
            rows.append((block.source.group, *_place(bench, session, block, offset, truth)))
            before = offset
        tell(before >= 0)
    return _stack(rows)


Row = tuple[str, int, float, list[tuple[_Step, float, bool, float, int]]]


def _place(
    bench: Bench, session: TwoStageSession, block: Block, offset: int, truth: str
) -> tuple[int, float, list[tuple[_Step, float, bool, float, int]]]:
    prompt = bench.prompt(place_request(block, offset))
    limits = Limits(max_tokens=MAX_TOKENS)
    ahead = Ahead(bench.vocabulary, prompt.stub, room=MAX_TOKENS, single_line=True)
    watch = _Watch(bench, ahead)
    session.expect(ahead, watch)
    made = generate(session, bench.vocabulary, prompt, limits, CancelToken(), ahead=ahead)
    logprobs = [0.0] * (made.generated_tokens - len(made.logprobs)) + list(made.logprobs)
    steps = []
    for number, (step, token, logprob) in enumerate(zip(watch.steps, made.tokens, logprobs, strict=True)):
        agree = step.guess == token
        taken = (*made.tokens[:number], step.guess)
        left = made.generated_tokens - number - 1
        quality, rest = (0.0, 0) if agree else _otherwise(bench, prompt, taken, truth, left=left)
        steps.append((step, logprob, agree, quality, rest))
    lag = watch.steps[0].signals.behind if watch.steps else 0
    return lag, float(_same(made.text, truth)), steps


def _otherwise(bench: Bench, prompt: Prompt, taken: tuple[int, ...], truth: str, *, left: int) -> tuple[float, int]:
    """Return quality and further tokens of the front's own way on behind `taken`, the last of which is its own.

    Where `taken` cannot become right any more nothing is written out: as many tokens are taken to follow as `left`,
    those of the large model's text.
    """
    spelling = Spelling(bench.vocabulary, prompt.stub)
    beyond = b"".join(spelling.take(token) for token in taken)
    room = MAX_TOKENS - len(taken)
    if taken[-1] in bench.vocabulary.ends or b"\n" in beyond or room < 1:
        return float(_same(finish_text(beyond, "line", Limits()), truth)), 0
    if not truth.rstrip().startswith(beyond.decode(errors="ignore")):
        return 0.0, left
    onward = Prompt(tokens=(*prompt.tokens, *taken), stub=spelling.left.decode(errors="ignore"))
    rest = generate(bench.front, bench.vocabulary, onward, Limits(max_tokens=room), CancelToken())
    return float(_same(beyond.decode(errors="ignore") + rest.text, truth)), rest.generated_tokens


def _same(text: str, truth: str) -> bool:
    return text.rstrip() == truth.rstrip()


def _stack(rows: Sequence[Row]) -> Traces:
    shape = (len(rows), max(len(row[3]) for row in rows))
    signals = np.zeros((*shape, len(SIGNALS)))
    agree = np.ones(shape, bool)
    front, large, otherwise = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    rest = np.zeros(shape, np.int64)
    for number, (_, _, _, steps) in enumerate(rows):
        for at, (step, logprob, same, quality, further) in enumerate(steps):
            signals[number, at] = [getattr(step.signals, name) for name in SIGNALS]
            agree[number, at], front[number, at], large[number, at] = same, step.logprob, logprob
            otherwise[number, at], rest[number, at] = quality, further
    return Traces(
        group=np.array([row[0] for row in rows]),
        length=np.array([len(row[3]) for row in rows]),
        lag=np.array([row[1] for row in rows]),
        quality=np.array([row[2] for row in rows]),
        signals=signals,
        agree=agree,
        front_logprob=front,
        large_logprob=large,
        otherwise=otherwise,
        rest=rest,
    )
