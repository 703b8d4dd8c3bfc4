"""Types blocks of real code again, request after request, under several policies: what routing costs as it goes.

An outcome table meets every line with both models up to date. A person who types meets them as the earlier requests
left them: a model that was not asked for a while has to catch up before it answers, so that little of what it would
have read is saved. Here nothing is brought up to date in between, the router's own work is counted, and texts are
decoded as while typing: until they are too unlikely to be shown, which then counts as not right.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Tier
from jouline.engine.generate import Limits
from jouline.lab.collect import MAX_TOKENS, Completes, language
from jouline.lab.intervals import interval
from jouline.lab.metrics import group_means, resamples
from jouline.lab.places import Line, Source, lines_with_room
from jouline.router.costs import MarginalCosts
from jouline.router.router import FixedRouter, RandomRouter, Router

BLOCK_LINES = 10
PER_LINE = 3
TIMES = 1000
PricesOf = Callable[[CompletionRequest], MarginalCosts | None]
_UNSHOWN = 1.0  # no sum of log p is above it: decoding ends at its first token


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines to type again: all between `start` and `end` is gone at first. `places` are (offset, end of its line)."""

    source: Source
    text: str
    start: int
    end: int
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A router at one energy saving."""

    name: str
    router: Router
    energy_saving: int


@dataclass(slots=True)
class _Tally:
    """Sums over one block under one policy."""

    places: int = 0
    right: float = 0.0
    cpu_s: float = 0.0
    large: int = 0
    group: str = field(default="")


def blocks(sources: Sequence[Source], *, per_group: int, seed: int) -> list[Block]:
    """Draw so many blocks from every package, of files that have enough code lines."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.group, []).append(source)
    return [
        block
        for group, found in sorted(groups.items())
        for block in _draw(found, per_group, random.Random(f"{seed} {group}"))
    ]


def _draw(sources: Sequence[Source], count: int, rng: random.Random) -> Iterator[Block]:
    long_enough = []
    for source in sources:
        text = source.path.read_bytes().decode("utf-8", errors="replace")
        lines = lines_with_room(text, language(source))
        if len(lines) > 2 * BLOCK_LINES:
            long_enough.append((source, text, lines))
    for _ in range(count if long_enough else 0):
        source, text, lines = rng.choice(long_enough)
        first = rng.randrange(len(lines) - BLOCK_LINES)
        chosen = lines[first : first + BLOCK_LINES]
        places = tuple((offset, line.end) for line in chosen for offset in _offsets(line, rng))
        yield Block(source=source, text=text, start=chosen[0].start, end=chosen[-1].end, places=places)


def _offsets(line: Line, rng: random.Random) -> list[int]:
    columns = range(line.first, line.last + 1)
    return sorted(rng.sample(columns, min(PER_LINE, len(columns))))


def policies(router: Router, savings: Sequence[int], *, seed: int = 0) -> list[Policy]:
    """Return always large, always small, and the router and a coin at each energy saving."""
    display = router.display
    fixed = [
        Policy(name="always-large", router=FixedRouter("large", display=display), energy_saving=0),
        Policy(name="always-small", router=FixedRouter("small", display=display), energy_saving=100),
    ]
    coin = [
        Policy(name="random", router=RandomRouter(seed=seed, display=display), energy_saving=saving)
        for saving in savings
    ]
    return [*fixed, *coin, *(Policy(name="router", router=router, energy_saving=saving) for saving in savings)]


def retype(
    completer: Completes,
    drawn: Sequence[Block],
    chosen: Sequence[Policy],
    *,
    prices: PricesOf = lambda _: None,
    forget: Callable[[], None] = lambda: None,
    seed: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Type every block under every policy in turn and return one row a policy, with 95 % intervals over packages.

    Policies take turns block by block, so that a busy machine costs all of them alike. Reading the file before the
    block is not counted. `prices` tells what each model would cost at a request; `forget` makes the models
    forget what another policy typed. `tell` hears how many blocks are done.
    """
    tallies: list[list[_Tally]] = [[] for _ in chosen]
    for block in drawn:
        for policy, tally in zip(chosen, tallies, strict=True):
            forget()
            tally.append(_type(completer, block, policy, prices))
        tell(1)
    return _rows(chosen, tallies, seed)


def _type(completer: Completes, block: Block, policy: Policy, prices: PricesOf) -> _Tally:
    tally = _Tally(group=block.source.group)
    _read(completer, block, policy)
    for offset, end in block.places:
        request = _request(block, offset, policy.energy_saving)
        before = time.process_time()
        tier, text = _answer(completer, request, policy, prices)
        tally.cpu_s += time.process_time() - before
        tally.places += 1
        tally.right += text.rstrip() == block.text[offset:end].rstrip()
        tally.large += tier == "large"
    return tally


def _read(completer: Completes, block: Block, policy: Policy) -> None:
    """Have the models that may be asked read the file up to the block."""
    tiers: tuple[Tier, ...] = ("large", "small")
    limits = Limits(max_tokens=MAX_TOKENS, min_logprob=_UNSHOWN)
    for tier in tiers:
        if policy.name not in {"always-small", "always-large"} or policy.name == f"always-{tier}":
            request = _request(block, block.start, policy.energy_saving)
            completer.generate(request, tier, CancelToken(), limits)


def _request(block: Block, offset: int, energy_saving: int) -> CompletionRequest:
    return CompletionRequest(
        uri=block.source.path.as_uri(),
        language=language(block.source),
        text=block.text[:offset] + block.text[block.end :],
        offset=offset,
        trigger="invoked",
        energy_saving=energy_saving,
        show_all=True,
    )


def _answer(completer: Completes, request: CompletionRequest, policy: Policy, prices: PricesOf) -> tuple[Tier, str]:
    """Answer as the product does while typing; returns the model that answered and what is shown of its text."""
    router, saving = policy.router, policy.energy_saving
    decision = router.route(request, energy_saving=saving, prices=partial(prices, request))
    while True:
        limits = Limits(max_tokens=MAX_TOKENS, min_logprob=decision.stop_logprob)
        generation = completer.generate(request, decision.tier, CancelToken(), limits)
        review = router.review(decision, generation, energy_saving=saving)
        if review.verdict != "escalate":
            return decision.tier, generation.text if review.verdict == "keep" else ""
        decision = router.escalated(decision)


def _rows(chosen: Sequence[Policy], tallies: Sequence[Sequence[_Tally]], seed: int) -> list[dict[str, Any]]:
    groups = np.array([tally.group for tally in tallies[0]])
    index, counts = resamples(groups, TIMES, seed)
    places = np.array([tally.places for tally in tallies[0]], dtype=float)

    def drawn(values: list[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the mean over places: on all blocks first, then in every resample."""
        sums = np.array(values)
        whole = np.array([sums.sum() / places.sum()])
        return np.concatenate([whole, group_means(sums, index, counts) / group_means(places, index, counts)])

    right = [drawn([tally.right for tally in of]) for of in tallies]
    cost = [drawn([tally.cpu_s for tally in of]) for of in tallies]
    share = [sum(tally.large for tally in of) / places.sum() for of in tallies]
    large, small = 0, 1  # as `policies` puts them
    rows = []
    for policy, quality, spent, asked in zip(chosen, right, cost, share, strict=True):
        position = (spent - cost[small]) / (cost[large] - cost[small])
        above = quality - right[small] - np.clip(position, 0, 1) * (right[large] - right[small])
        columns = {"quality": quality, "cpu_seconds": spent, "cost_position": position, "above_line": above}
        rows.append(
            {"policy": policy.name, "energy_saving": policy.energy_saving, "share_large": float(asked)}
            | {name: float(values[0]) for name, values in columns.items()}
            | {"ci95": {name: interval(values[1:].tolist()) for name, values in columns.items()}}
        )
    return rows
