"""Outcome tables of any models: one after the other each answers everything, alone in memory while cost is recorded.

Every model's answers go to a part of their own beside the table, file by file, so that an interrupted collection goes
on where it stopped; when all models are done the parts become the table. A table that is there already is added to.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jouline.cancel import CancelToken
from jouline.completion import Tier
from jouline.energy.meter import Meters
from jouline.errors import ConfigError
from jouline.lab.asks import Ask
from jouline.lab.collect import SUFFIX_CHARS, Completes, Spent, outcome
from jouline.lab.outcomes import Row, append, salvage, write
from jouline.router.features import WINDOW_CHARS, FeatureExtractor

_UNSHOWN = 1.0  # no sum of log p is above it: decoding ends at its first token


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model to ask: its name in the table, the tier to ask, and how it is opened."""

    name: str
    tier: Tier
    opened: Callable[[], AbstractContextManager[Completes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatherer:
    """Asks models and records what came of it; `tell` hears how many answers are there since it last heard."""

    extractor: FeatureExtractor | None
    meters: Meters
    tell: Callable[[int], None]

    def gather(self, candidates: Sequence[Candidate], asks: Sequence[Sequence[Ask]], out: Path) -> int:
        """Add the outcomes of all models at all asks to the table `out`; return how many outcomes were added."""
        kept = salvage(out) if out.exists() else []
        added = 0
        for candidate in candidates:
            answered = {row["query_id"] for row in kept if candidate.name in row["outcomes"]}
            added += self._part(candidate, asks, part_of(out, candidate.name), answered)
        parts = [part_of(out, candidate.name) for candidate in candidates]
        write(out, joined([kept, *(salvage(part) for part in parts if part.exists())]))
        for part in parts:
            part.unlink(missing_ok=True)
        return added

    def _part(self, candidate: Candidate, asks: Sequence[Sequence[Ask]], part: Path, answered: set[str]) -> int:
        """Ask one model what it has not answered yet."""
        rows = salvage(part) if part.exists() else []
        write(part, rows)
        known = answered | {row["query_id"] for row in rows}
        batches = [[ask for ask in batch if ask.query_id not in known] for batch in asks]
        left = sum(map(len, batches))
        self.tell(sum(map(len, asks)) - left)
        if left:
            with candidate.opened() as completer:
                for batch in filter(None, batches):
                    append(part, self._batch(candidate, completer, batch))
                    self.tell(len(batch))
        return left

    def _batch(self, candidate: Candidate, completer: Completes, batch: Sequence[Ask]) -> list[Row]:
        spent = Spent()
        rows = [self._row(candidate, completer, ask, spent) for ask in batch]
        rate = spent.joules_per_cpu_s
        for row in rows:
            found = row["outcomes"][candidate.name]
            if rate is not None:
                found["joules"] = found["cpu_seconds"] * rate
        return rows

    def _row(self, candidate: Candidate, completer: Completes, ask: Ask, spent: Spent) -> Row:
        if ask.before is not None:
            completer.generate(ask.before, candidate.tier, CancelToken(), replace(ask.limits, min_logprob=_UNSHOWN))
        before = spent.cpu_s
        with self.meters.window() as window:
            generation = completer.generate(ask.request, candidate.tier, CancelToken(), ask.limits)
        spent.add(window.measurement)
        cpu_s = spent.cpu_s - before
        found = outcome(ask.request, generation, ask.truth, cpu_s) | {"cpu_seconds": cpu_s}
        if ask.passes is not None:
            found |= {"exact_match": found["quality"], "quality": float(ask.passes(generation.text))}
        return self._described(ask) | {"outcomes": {candidate.name: found}}

    def _described(self, ask: Ask) -> Row:
        request = ask.request
        row: dict[str, Any] = {
            "query_id": ask.query_id,
            "group": ask.group,
            "task": ask.task,
            "prefix": request.text[max(0, request.offset - WINDOW_CHARS) : request.offset],
            "suffix": request.suffix[:SUFFIX_CHARS],
            "truth": ask.truth,
            "language": request.language,
            "cost_unit": "cpu_seconds",
        }
        if self.extractor is not None:
            features = self.extractor.extract(request)
            row["features"] = {name: round(value, 5) for name, value in features.items()}
        return row


def part_of(out: Path, model: str) -> Path:
    """Return where a model's answers lie until the table is whole."""
    return out.with_name(f".{out.name}.{re.sub(r'[^A-Za-z0-9._-]+', '-', model)}.part.jsonl.gz")


def joined(tables: Iterable[Sequence[Row]]) -> list[Row]:
    """Return one row a query with the outcomes of all tables, in joules if all of them were measured, else CPU-seconds.

    Raises `ConfigError` where a table of other costs would have to be mixed in.
    """
    rows: dict[str, Row] = {}
    for table in tables:
        for row in table:
            known = rows.setdefault(row["query_id"], row | {"outcomes": {}})
            if known["cost_unit"] != row["cost_unit"] and not _priced_anew(row) and not _priced_anew(known):
                raise ConfigError("The table's costs are in another unit than this machine's: name another file.")
            known["outcomes"] |= row["outcomes"]
    unit = "joules" if all(_measured(row) for row in rows.values()) else "cpu_seconds"
    return [_priced(row, unit) for row in rows.values()]


def _measured(row: Row) -> bool:
    return all("joules" in outcome for outcome in row["outcomes"].values())


def _priced_anew(row: Row) -> bool:
    return all("cpu_seconds" in outcome for outcome in row["outcomes"].values())


def _priced(row: Row, unit: str) -> Row:
    if not _priced_anew(row):
        return row
    outcomes = {model: found | {"cost": found[unit]} for model, found in row["outcomes"].items()}
    return row | {"outcomes": outcomes, "cost_unit": unit}
