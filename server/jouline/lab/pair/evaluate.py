"""What the two models of a pair write at the held-out packages' places, through the product's own engine."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jouline.cancel import CancelToken
from jouline.catalogue.card import load_catalogue
from jouline.completion import CompletionRequest, Tier
from jouline.engine.generate import Limits
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.lab.pair.corpus import Document
from jouline.lab.pair.estimates import Estimate, interval
from jouline.lab.pair.places import Place, draw, opening_blocks
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

CONTEXT_TOKENS = 448  # of prompt and answer; it was trained on 640, which cost half as much again for nothing (LOG.md)
TIERS: tuple[Tier, Tier] = ("small", "large")
LINE = Limits(max_tokens=48)
SEED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one model wrote at one place, against what stands there."""

    package: str
    tier: Tier
    text: str
    truth: str
    logprob: float

    @property
    def exact(self) -> bool:
        """Whether it is right to the end, trailing spaces aside."""
        return self.text.rstrip() == self.truth.rstrip()

    @property
    def similarity(self) -> float:
        """Edit similarity: 1 less the Levenshtein distance over the longer length."""
        return 1 - distance(self.text, self.truth) / max(1, len(self.text), len(self.truth))


def distance(a: str, b: str) -> int:
    """Levenshtein distance in characters."""
    row = np.arange(len(b) + 1)
    codes = np.array([ord(c) for c in b])
    steps = np.arange(len(b) + 1)
    for i, character in enumerate(a, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(character)))
        best = np.concatenate([[i], best])
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def mean(answers: Iterable[Answer], value: Callable[[Answer], float]) -> Estimate:
    """Mean of a value of answers."""
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, float] = defaultdict(float)
    for answer in answers:
        sums[answer.package] += value(answer)
        counts[answer.package] += 1
    return interval(sums, counts)


def completer(front: Path, back: Path, *, context_tokens: int = CONTEXT_TOKENS) -> tuple[Pair, Completer]:
    """Return the product's own engine and prompts on two files, one thread each; close the engine when done."""
    options = EngineOptions(context_tokens=context_tokens, threads=1)
    files = PairFiles(kind="exit", small=front, large=back, small_options=options, large_options=options)
    card = load_catalogue().pair("embedded")
    engine = Pair(files)
    return engine, Completer(engine, {"small": card.small, "large": card.large}, PipelineOptions(), context_tokens)


def answers(complete: Completer, places: Iterable[Place], limits: Callable[[Place], Limits]) -> list[Answer]:
    """Return what both models write at places, greedily."""
    found = []
    for place in places:
        request = CompletionRequest(
            uri=place.document.path, language=place.document.language, text=place.document.text, offset=place.offset
        )
        for tier in TIERS:
            made = complete.generate(request, tier, CancelToken(), limits(place))
            found.append(
                Answer(
                    package=place.document.package, tier=tier, text=made.text, truth=place.wanted, logprob=made.logprob
                )
            )
    return found


def block_limits(place: Place) -> Limits:
    """Limits for a block: it ends where the text falls back to the indentation of the line that opens it."""
    line = place.document.text[place.document.text.rfind("\n", 0, place.offset) + 1 : place.offset]
    return Limits(max_tokens=160, single_line=False, block_indent=len(line) - len(line.lstrip()))


def summary(found: Sequence[Answer]) -> dict[str, object]:
    """Exact match and edit similarity of both, and who is right where, as plain values for JSON."""
    small, large = ([a for a in found if a.tier == tier] for tier in TIERS)
    both = dict(zip(map(id, small), large, strict=True))
    shares = {
        "small_right": lambda a: a.exact,
        "large_right": lambda a: both[id(a)].exact,
        "only_large": lambda a: both[id(a)].exact and not a.exact,
        "only_small": lambda a: a.exact and not both[id(a)].exact,
        "neither": lambda a: not a.exact and not both[id(a)].exact,
        "small_similarity": lambda a: a.similarity,
        "large_similarity": lambda a: both[id(a)].similarity,
    }
    result: dict[str, object] = {name: asdict(mean(small, value)) for name, value in shares.items()}
    result["places"] = len(small)
    names = sorted({a.package for a in large})
    result["large_right_by_package"] = {n: float(np.mean([a.exact for a in large if a.package == n])) for n in names}
    return result


def quality(front: Path, back: Path, documents: Sequence[Document], count: int) -> dict[str, object]:
    """Return who is right at the contract's places, lines and the blocks that some of them open, as plain values."""
    drawn = draw(documents, count, seed=SEED)
    engine, complete = completer(front, back)
    try:
        return {
            "rest_of_line": summary(answers(complete, drawn, lambda _: LINE)),
            "block": summary(answers(complete, opening_blocks(drawn), block_limits)),
        }
    finally:
        engine.close()
