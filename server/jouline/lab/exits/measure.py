"""Ways of decoding measured in the engine: CPU-seconds and exact match, request after request, prefill counted."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jouline.completion import CompletionRequest, Generation
from jouline.engine.ahead import leader
from jouline.engine.exit import ExitPoint, ExitRule, Signals
from jouline.lab.exits.bench import Bench, place_request
from jouline.lab.exits.traces import Floats
from jouline.lab.intervals import interval
from jouline.lab.metrics import group_means, resamples
from jouline.lab.retype import Block

TIMES = 1000
Answer = Callable[[CompletionRequest], Generation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of decoding; `family` groups the points of one curve."""

    name: str
    family: str
    answer: Answer
    setting: float | None = None


@dataclass(slots=True)
class Tally:
    """Sums over one block."""

    cpu_s: float = 0.0
    right: float = 0.0
    tokens: int = 0
    exited: int = 0
    drafted: int = 0
    accepted: int = 0
    saved: float = 0.0
    texts: list[str] = field(default_factory=list)


def ways(bench: Bench, margins: Sequence[tuple[float, ExitPoint]], points: Sequence[ExitPoint]) -> list[Way]:
    """Return the whole network plain and drafted, the front alone, margin rules and the agent's points."""

    def by(point: ExitPoint) -> Answer:
        rule = ExitRule(point)
        return lambda request: bench.drafted(request, rule)

    return [
        Way(name="always-back", family="always-back", answer=bench.plain),
        Way(name="drafts", family="drafts", answer=lambda request: bench.drafted(request, None)),
        Way(name="always-front", family="always-front", answer=lambda request: bench.plain(request, half="small")),
        *(Way(name=f"margin {least:g}", family="margin", answer=by(point), setting=least) for least, point in margins),
        *(
            Way(name=f"agent {point.energy_saving}", family="agent", answer=by(point), setting=point.energy_saving)
            for point in points
        ),
    ]


def measure(
    bench: Bench, blocks: Sequence[Block], chosen: Sequence[Way], *, seed: int, tell: Callable[[int], None]
) -> list[list[Tally]]:
    """Type every block in every way, in an order drawn anew for each, and return sums by way and block.

    Every way begins on timelines that have just read the file up to the block; that reading alone is not counted.
    """
    rng = random.Random(seed)
    tallies: list[list[Tally]] = [[Tally() for _ in blocks] for _ in chosen]
    for number, block in enumerate(blocks):
        for index in rng.sample(range(len(chosen)), len(chosen)):
            _type(bench, block, chosen[index], tallies[index][number])
        tell(1)
    return tallies


def _type(bench: Bench, block: Block, way: Way, tally: Tally) -> None:
    bench.begin(block)
    for offset, end in block.places:
        request = place_request(block, offset)
        began = time.process_time()
        made = way.answer(request)
        tally.cpu_s += time.process_time() - began
        tally.right += made.text.rstrip() == block.text[offset:end].rstrip()
        tally.tokens += made.generated_tokens
        tally.exited += made.exited
        tally.drafted += made.drafted
        tally.accepted += made.draft_accepted
        tally.saved += made.saved_by_drafts
        tally.texts.append(made.text)


def rows(
    chosen: Sequence[Way], tallies: Sequence[Sequence[Tally]], blocks: Sequence[Block], *, seed: int
) -> list[dict[str, Any]]:
    """Return a row a way: cost, quality, and both against the best lossless one, with 95 % intervals over packages."""
    groups = np.array([block.source.group for block in blocks])
    index, counts = resamples(groups, TIMES, seed)
    places = np.array([len(block.places) for block in blocks], float)

    def mean(values: Sequence[float]) -> Floats:
        """Return the mean over places: on all blocks first, then in every resample."""
        sums = np.array(values, float)
        whole = np.array([sums.sum() / places.sum()])
        return np.concatenate([whole, group_means(sums, index, counts) / group_means(places, index, counts)])

    cpu = [mean([each.cpu_s for each in of]) for of in tallies]
    right = [mean([each.right for each in of]) for of in tallies]
    lossless = min(
        (number for number, way in enumerate(chosen) if way.family in {"always-back", "drafts"}),
        key=lambda n: float(cpu[n][0]),
    )
    table = []
    for number, way in enumerate(chosen):
        columns = {
            "cpu_ms": cpu[number] * 1e3,
            "right": right[number],
            "cost": cpu[number] / cpu[lossless],
            "lost": right[0] - right[number],
        }
        of = tallies[number]
        tokens = sum(each.tokens for each in of)
        table.append(
            {"way": way.name, "family": way.family, "setting": way.setting, "lossless": number == lossless}
            | {name: float(values[0]) for name, values in columns.items()}
            | {"tokens": tokens, "exited": sum(each.exited for each in of) / max(1, tokens)}
            | {"drafted": sum(each.drafted for each in of), "accepted": sum(each.accepted for each in of)}
            | {"predicted_speed_up": tokens / max(1.0, tokens - sum(each.saved for each in of))}
            | {"same_text": _same(of, tallies[0])}
            | {"ci95": {name: interval(values[1:].tolist()) for name, values in columns.items()}}
        )
    return table


def _same(one: Sequence[Tally], other: Sequence[Tally]) -> float:
    pairs = [
        (a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left.texts, right.texts, strict=True)
    ]
    return sum(a == b for a, b in pairs) / max(1, len(pairs))


def own_cost(bench: Bench, blocks: Sequence[Block], point: ExitPoint) -> dict[str, float]:
    """Return seconds a token that the agent itself takes, and their share of plain decoding's.

    Counted are the signals, the table and the front's lead, over the vocabulary, which drafts need as well.
    """
    rule = ExitRule(point)
    bench.begin(blocks[0])
    request = place_request(blocks[0], blocks[0].places[0][0])
    began, made = time.process_time(), bench.plain(request)
    plain_s = (time.process_time() - began) / max(1, made.generated_tokens)
    plain_s = min(plain_s, bench.two_stage.costs_at(len(bench.prompt(request).tokens)).plain)
    logits = bench.front.logits()
    times = 2000
    began = time.process_time()
    for _ in range(times):
        rule.exits(Signals(lead=1.5, logprob=-2.0, decoded=3, behind=2, lookup=0, last=1, spelling=0, kind=4))
    rule_s = (time.process_time() - began) / times
    began = time.process_time()
    for _ in range(times):
        leader(logits)
    lead_s = (time.process_time() - began) / times
    return {"rule_s": rule_s, "lead_s": lead_s, "plain_token_s": plain_s, "share": (rule_s + lead_s) / plain_s}
