"""Outcome tables from real code: every model completes the same places, one after the other while cost is recorded.

Each line is met as in an editor: both models know the text up to its beginning before anything is measured; then the
cursor goes from place to place, left to right. Three passes are measured: the small model; the large model right
after the small one's draft (what escalating costs); the large model alone.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Protocol

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Generation, Tier
from jouline.energy.meter import Meters
from jouline.energy.window import Measurement
from jouline.engine.generate import Limits
from jouline.lab.outcomes import Row, append, salvage, write
from jouline.lab.parses import parses
from jouline.lab.places import Line, Source, Walk, draw, lines_with_room
from jouline.languages import language_of
from jouline.router.features import WINDOW_CHARS, FeatureExtractor

SUFFIX_CHARS = 1_000
MAX_TOKENS = 48


class Completes(Protocol):
    """What answers: `jouline.pipeline.completer.Completer`."""

    def generate(self, request: CompletionRequest, tier: Tier, cancel: CancelToken, limits: Limits) -> Generation:
        """Return what the tier's model writes."""


@dataclass(slots=True)
class Spent:
    """Joules and CPU-seconds of one kind of pass over a source; joules None as soon as one window has none."""

    cpu_s: float = 0.0
    joules: float | None = 0.0

    def add(self, measurement: Measurement) -> None:
        """Add a window's measurement."""
        self.cpu_s += measurement.cpu_seconds
        joules = measurement.joules if measurement.method in {"measured", "attributed"} else None
        self.joules = None if self.joules is None or joules is None else self.joules + joules

    @property
    def joules_per_cpu_s(self) -> float | None:
        """What a CPU-second took; None where joules are not known."""
        return self.joules / self.cpu_s if self.joules is not None and self.cpu_s > 0 else None


@dataclass(slots=True)
class _Costs:
    """What the passes over one source took, by kind of pass."""

    small: Spent = field(default_factory=Spent)
    large: Spent = field(default_factory=Spent)
    escalate: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class _Run:
    generation: Generation
    cpu_s: float


@dataclass(frozen=True, slots=True)
class _Runs:
    small: _Run
    after: _Run
    large: _Run


Drawn = tuple[Source, str, list[Walk]]


def plan(sources: Sequence[Source], *, places: int, per_line: int, seed: int) -> Iterator[Drawn]:
    """Draw places, equally many from every package where it has them; yields a source, its text and its places."""
    texts = {source.name: text for source in sources if (text := _text(source.path)) is not None}
    groups: dict[str, list[tuple[Source, Line]]] = {}
    for source in sources:
        lines = lines_with_room(texts[source.name], language(source)) if source.name in texts else []
        groups.setdefault(source.group, []).extend((source, line) for line in lines)
    wanted: dict[str, list[Walk]] = {}
    for group, candidates in sorted(groups.items()):
        count = round(places / len(groups) / per_line)
        wanted |= _draw_group(candidates, count, per_line, random.Random(f"{seed} {group}"))
    for source in sources:
        if source.name in wanted:
            yield source, texts[source.name], wanted[source.name]


def _draw_group(
    lines: list[tuple[Source, Line]], lines_wanted: int, per_line: int, rng: random.Random
) -> dict[str, list[Walk]]:
    """Draw lines of one package; lines of all its files compete by their room."""
    owner = {id(line): source.name for source, line in lines}
    walks: dict[str, list[Walk]] = {}
    for walk in draw([line for _, line in lines], lines_wanted, per_line=per_line, rng=rng):
        walks.setdefault(owner[id(walk.line)], []).append(walk)
    return {name: sorted(found, key=lambda walk: walk.line.start) for name, found in walks.items()}


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _ids(source: Source, walk: Walk) -> list[str]:
    return [f"{source.name}:{offset}" for offset in walk.offsets]


class Collector:
    """Completes drawn places with a pair and records what came of it."""

    def __init__(
        self, *, completer: Completes, extractor: FeatureExtractor, meters: Meters, small: str, large: str
    ) -> None:
        """`small` and `large` are the names under which the two models' outcomes are recorded."""
        self._completer = completer
        self._extractor = extractor
        self._meters = meters
        self._small = small
        self._large = large

    def collect(self, drawn: Iterable[Drawn], out: Path, *, tell: Callable[[int], None] = lambda _: None) -> int:
        """Add the rows of all drawn places to `out` (JSON Lines), source by source; return how many.

        What is in `out` already is left alone. `tell` hears after each line how many places it had.
        """
        kept = salvage(out) if out.exists() else []
        write(out, kept)
        known = {row["query_id"] for row in kept}
        written = 0
        for source, text, walks in drawn:
            missing = [walk for walk in walks if not known.issuperset(_ids(source, walk))]
            tell(sum(len(walk.offsets) for walk in walks if walk not in missing))
            rows = self._source(source, text, missing, tell)
            append(out, [row for row in rows if row["query_id"] not in known])
            written += len(rows)
        return written

    def _source(self, source: Source, text: str, walks: list[Walk], tell: Callable[[int], None]) -> list[Row]:
        costs = _Costs()
        rows = []
        for walk in walks:
            rows += self._line(source, text, walk, costs)
            tell(len(walk.offsets))
        return [self._priced(row, costs) for row in rows]

    def _line(self, source: Source, text: str, walk: Walk, costs: _Costs) -> list[Row]:
        requests = [place_request(source, text, offset, walk.line) for offset in walk.offsets]
        start = place_request(source, text, walk.line.start, walk.line)
        self._run(start, "large", None)
        self._run(start, "small", None)
        drafts, after = [], []
        for request in requests:
            drafts.append(self._run(request, "small", costs.small))
            after.append(self._run(request, "large", costs.escalate))
        self._run(start, "large", None)
        alone = [self._run(request, "large", costs.large) for request in requests]
        truths = [text[offset : walk.line.end] for offset in walk.offsets]
        return [
            self._row(source, request, truth, _Runs(*runs))
            for request, truth, *runs in zip(requests, truths, drafts, after, alone, strict=True)
        ]

    def _run(self, request: CompletionRequest, tier: Tier, spent: Spent | None) -> _Run:
        """Generate once; without `spent` only to bring the model up to the place.

        For that the answer keeps its room, because the window before the cursor depends on it: it is broken off at
        its first token, which no sum of log p is above.
        """
        limits = Limits(max_tokens=MAX_TOKENS, min_logprob=1.0 if spent is None else None)
        cpu = time.process_time()
        with self._meters.window() as window:
            generation = self._completer.generate(request, tier, CancelToken(), limits)
        cpu_s = time.process_time() - cpu
        if spent is not None:
            spent.add(window.measurement)
        return _Run(generation, cpu_s)

    def _row(self, source: Source, request: CompletionRequest, truth: str, runs: _Runs) -> Row:
        features = self._extractor.extract(request)
        large = outcome(request, runs.large.generation, truth, runs.large.cpu_s)
        return {
            "query_id": f"{source.name}:{request.offset}",
            "group": source.group,
            "task": "rest-of-line",
            "prefix": request.text[max(0, request.offset - WINDOW_CHARS) : request.offset],
            "suffix": request.suffix[:SUFFIX_CHARS],
            "truth": truth,
            "language": request.language,
            "cost_unit": "cpu_seconds",
            "features": {name: round(value, 5) for name, value in features.items()},
            "outcomes": {
                self._small: outcome(request, runs.small.generation, truth, runs.small.cpu_s),
                self._large: large | {"cost_after": {self._small: runs.after.cpu_s}},
            },
        }

    def _priced(self, row: Row, costs: _Costs) -> Row:
        """Turn CPU-seconds into joules where a counter measured every pass over the source."""
        small, large = row["outcomes"][self._small], row["outcomes"][self._large]
        rates = [spent.joules_per_cpu_s for spent in (costs.small, costs.large, costs.escalate)]
        known = [rate for rate in rates if rate is not None]
        if len(known) == len(rates):
            row["cost_unit"] = "joules"
            small["cost"] *= known[0]
            large["cost"] *= known[1]
            large["cost_after"][self._small] *= known[2]
        return row


def language(source: Source) -> str:
    """Return the language id by which a source is asked about."""
    return language_of(source.path)


def place_request(source: Source, text: str, offset: int, line: Line) -> CompletionRequest:
    """Return the request at an offset of a source, with what stands right of it on its line taken away."""
    return CompletionRequest(
        uri=source.path.as_uri(),
        language=language(source),
        text=text[:offset] + text[line.end :],
        offset=offset,
        trigger="invoked",
        gate=False,
        cache=False,
        show_all=True,
    )


def outcome(request: CompletionRequest, generation: Generation, truth: str, cost: float) -> dict[str, Any]:
    """Return one model's outcome; besides the contract's fields the tokens' log p, by which stopping is simulated."""
    text = generation.text
    total_ms = generation.prompt_ms + generation.generate_ms
    return {
        "quality": float(text.rstrip() == truth.rstrip()),
        "cost": cost,
        "latency_ms": round(total_ms, 3),
        "tokens_out": generation.generated_tokens,
        "evidence": evidence(request, generation),
        "edit_similarity": round(SequenceMatcher(None, text.rstrip(), truth.rstrip(), autojunk=False).ratio(), 4),
        "prompt_share": round(generation.prompt_ms / total_ms, 4) if total_ms else 0.0,
        "completion": text,
        "stop": generation.stop,
        "logprobs": [round(value, 4) for value in generation.logprobs],
        "margins": [round(value, 4) for value in generation.margins],
    }


def evidence(request: CompletionRequest, generation: Generation) -> dict[str, float]:
    """Return what the token probabilities of the whole text tell, and whether it parses where that can be told."""
    valid = parses(request.text, request.offset, generation.text) if request.language == "python" else None
    logprobs = generation.logprobs or (0.0,)
    margins = generation.margins or (1.0,)
    return {
        "logprob": round(sum(logprobs), 4),
        "logprob_least": round(min(logprobs), 4),
        "logprob_mean": round(sum(logprobs) / len(logprobs), 4),
        "logprob_first": round(logprobs[0], 4),
        "margin_least": round(min(margins), 4),
        "margin_mean": round(sum(margins) / len(margins), 4),
        "ended": float(generation.stop in {"line", "end", "block"}),
    } | ({} if valid is None else {"parses": float(valid)})
