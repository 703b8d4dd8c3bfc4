"""What pieces of other files are worth in the prompt: the same places with and without them.

The session before a place is made up, with a seed: some other files of the package were visited, and of each a block of
lines was typed. The places are the contract's; the prompt's size stays the same, so that what is shown of other files
takes the place of the document's own text.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from jouline.cancel import CancelToken
from jouline.catalogue.card import StageCard
from jouline.completion import CompletionRequest, Tier
from jouline.engine.generate import Limits
from jouline.lab.collect import MAX_TOKENS, Drawn, language, place_request
from jouline.lab.intervals import interval
from jouline.lab.metrics import group_means, resamples
from jouline.lab.places import Source
from jouline.pipeline.completer import Completer, Engine
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.surroundings import GATHERERS, Surroundings

NOTHING = "nothing"
VISITED_FILES = 4
EDITED_LINES = 8
TIMES = 1000
_TIERS: tuple[Tier, Tier] = ("small", "large")


@dataclass(slots=True)
class _Tally:
    """What came of one choice of gatherers, place by place."""

    right: dict[Tier, list[float]] = field(default_factory=lambda: {"small": [], "large": []})
    prompt_tokens: list[int] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    gather_ms: list[float] = field(default_factory=list)


def choices() -> dict[str, tuple[str, ...]]:
    """Return the gatherers of each choice by its name: none, each alone, all."""
    return {NOTHING: (), **{name: (name,) for name in GATHERERS}, "all": tuple(GATHERERS)}


def measure(
    engine: Engine,
    cards: dict[Tier, StageCard],
    context_tokens: int,
    drawn: Sequence[Drawn],
    sources: Sequence[Source],
    *,
    tokens: int,
    seed: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Complete all drawn places under every choice and return one row a choice, with 95 % intervals over packages.

    `tokens` of the prompt are for other files. Choices take turns place by place. `tell` hears how many are done.
    """
    shown = {tier: replace(card, fim=replace(card.fim, excerpt_tokens=tokens)) for tier, card in cards.items()}
    tallies = {name: _Tally() for name in choices()}
    groups = []
    for source, text, walk, offset in _places(drawn):
        request = place_request(source, text, offset, walk.line)
        truth = text[offset : walk.line.end]
        rng = random.Random(f"{seed} {source.name} {offset}")
        session = _session(source, sources, rng)
        for name in rng.sample(sorted(tallies), len(tallies)):
            surroundings = _visited(session, choices()[name])
            completer = Completer(
                engine, cards if name == NOTHING else shown, PipelineOptions(), context_tokens, surroundings
            )
            _complete(completer, surroundings, request, truth, tallies[name])
        groups.append(source.group)
        tell(1)
    return _rows(tallies, np.array(groups), seed)


def _places(drawn: Sequence[Drawn]) -> Iterator[tuple[Source, str, Any, int]]:
    for source, text, walks in drawn:
        for walk in walks:
            for offset in walk.offsets:
                yield source, text, walk, offset


def _session(source: Source, sources: Sequence[Source], rng: random.Random) -> list[tuple[Source, str, str]]:
    """Return some other files of the package, each as it was before a block was typed in it, and as it is."""
    others = [each for each in sources if each.group == source.group and each.name != source.name]
    return [(each, *_edited(each.path, rng)) for each in rng.sample(others, min(VISITED_FILES, len(others)))]


def _edited(path: Path, rng: random.Random) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines(keepends=True)
    start = rng.randrange(max(1, len(lines) - EDITED_LINES))
    return "".join(lines[:start] + lines[start + EDITED_LINES :]), text


def _visited(session: Sequence[tuple[Source, str, str]], names: Sequence[str]) -> Surroundings:
    surroundings = Surroundings(names)
    for source, before, after in session:
        for text in (before, after):
            surroundings.visit(source.path.as_uri(), language(source), text)
    return surroundings


def _complete(
    completer: Completer, surroundings: Surroundings, request: CompletionRequest, truth: str, tally: _Tally
) -> None:
    cpu = time.process_time()
    surroundings.around(request, chars=1_000, seen_chars=2_000, step_chars=10**9)
    tally.gather_ms.append((time.process_time() - cpu) * 1e3)
    cpu = time.process_time()
    for tier in _TIERS:
        generation = completer.generate(request, tier, CancelToken(), Limits(max_tokens=MAX_TOKENS))
        tally.right[tier].append(float(generation.text.rstrip() == truth.rstrip()))
    tally.cpu_s.append(time.process_time() - cpu)
    tally.prompt_tokens.append(len(completer.prompt(request, "large", MAX_TOKENS).tokens))


def _rows(tallies: dict[str, _Tally], groups: Any, seed: int) -> list[dict[str, Any]]:
    index, counts = resamples(groups, TIMES, seed)
    base = tallies[NOTHING]
    rows = []
    for name, tally in tallies.items():
        row: dict[str, Any] = {
            "gatherers": name,
            "places": len(groups),
            "prompt_tokens": float(np.mean(tally.prompt_tokens)),
            "cpu_seconds": float(np.mean(tally.cpu_s)),
            "gather_cpu_ms_p95": float(np.quantile(tally.gather_ms, 0.95)),
        }
        for tier in _TIERS:
            gain = np.array(tally.right[tier]) - np.array(base.right[tier])
            drawn = group_means(gain, index, counts)
            row |= {f"{tier}_right": float(np.mean(tally.right[tier])), f"{tier}_gain": float(gain.mean())}
            row[f"{tier}_gain_ci95"] = interval(drawn.tolist())
        rows.append(row)
    return rows
