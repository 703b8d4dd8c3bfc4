"""How much drafts speed up decoding, against plain decoding and against what the cost model predicts; prefill apart."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jouline.completion import CompletionRequest, Generation
from jouline.lab.exits.bench import Bench, place_request
from jouline.lab.exits.measure import TIMES
from jouline.lab.intervals import interval
from jouline.lab.metrics import resamples
from jouline.lab.retype import Block


@dataclass(slots=True)
class _Sums:
    """Sums over one block."""

    plain_s: float = 0.0
    drafted_s: float = 0.0
    tokens: int = 0
    saved: float = 0.0
    drafted: int = 0
    accepted: int = 0
    same: int = 0


def speed(bench: Bench, blocks: Sequence[Block], *, seed: int, tell: Callable[[int], None]) -> dict[str, Any]:
    """Decode every place of the blocks plainly and with drafts, in an order drawn for each, from the same state.

    Both begin where the prompt but its last token has just been evaluated. Returns ratios with 95 % intervals over
    packages.
    """
    rng = random.Random(seed)
    sums = []
    for block in blocks:
        bench.begin(block)
        sums.append(_block(bench, block, rng))
        tell(1)
    return _report(blocks, sums, seed)


def _block(bench: Bench, block: Block, rng: random.Random) -> _Sums:
    found = _Sums()
    for offset, _ in block.places:
        request = place_request(block, offset)
        made: dict[str, Generation] = {}
        for way in rng.sample(("plain", "drafts"), 2):
            made[way], seconds = _timed(bench, request, way)
            if way == "plain":
                found.plain_s += seconds
            else:
                found.drafted_s += seconds
        drafts = made["drafts"]
        found.tokens += drafts.generated_tokens
        found.saved += drafts.saved_by_drafts
        found.drafted += drafts.drafted
        found.accepted += drafts.draft_accepted
        found.same += drafts.tokens == made["plain"].tokens
    return found


def _timed(bench: Bench, request: CompletionRequest, way: str) -> tuple[Generation, float]:
    tokens = bench.prompt(request).tokens
    bench.large.sync([*tokens[:-1], (tokens[-1] + 1) % len(bench.vocabulary)])  # forgets what an answer left behind
    bench.large.sync(tokens[:-1])
    began = time.thread_time()
    made = bench.plain(request) if way == "plain" else bench.drafted(request, None)
    return made, time.thread_time() - began


def _report(blocks: Sequence[Block], sums: Sequence[_Sums], seed: int) -> dict[str, Any]:
    groups = np.array([block.source.group for block in blocks])
    index, counts = resamples(groups, TIMES, seed)

    def total(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the sum over all blocks first, then in every resample of whole packages."""
        values = np.array([float(getattr(each, name)) for each in sums])
        by_group = np.bincount(index, weights=values, minlength=counts.shape[1])
        return np.concatenate([[values.sum()], counts @ by_group])

    tokens = total("tokens")
    ratios = {
        "speed_up": total("plain_s") / total("drafted_s"),
        "predicted": tokens / (tokens - total("saved")),
        "acceptance": total("accepted") / np.maximum(1, total("drafted")),
    }
    return {
        "places": sum(len(block.places) for block in blocks),
        "tokens": int(tokens[0]),
        "drafted": int(total("drafted")[0]),
        "same_tokens": float(total("same")[0]) / sum(len(block.places) for block in blocks),
        **{name: float(values[0]) for name, values in ratios.items()},
        "ci95": {name: interval(values[1:].tolist()) for name, values in ratios.items()},
    }
