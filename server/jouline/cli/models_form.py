"""Models in words and as JSON: rows, tables, progress. The fields are those that other programs read."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jouline.cancel import CancelToken
from jouline.errors import CatalogueError

if TYPE_CHECKING:
    from jouline.catalogue.card import StageCard
    from jouline.catalogue.hub import PullProgress
    from jouline.catalogue.local_stores import FoundModel
    from jouline.catalogue.recommend import Candidate, Machine, Recommendation
    from jouline.catalogue.store import ModelStore
    from jouline.cli.models import Place

TIERS = ("small", "large")
PLAIN_COLUMNS = 140  # where no terminal says how wide it is


def in_use_fields(place: "Place") -> dict[str, str | None]:
    """Return which pair the settings mean; the problem where they mean none."""
    try:
        pair = place.pair_in_use()
    except CatalogueError as error:
        return {"pair": None, "small": None, "large": None, "problem": str(error)}
    return {"pair": pair.id, "small": pair.small.id, "large": pair.large.id, "problem": None}


def model_fields(stage: "StageCard", place: "Place") -> dict[str, Any]:
    """Return what is known of a model and whether it is here."""
    presence = place.store.presence(stage)
    here = presence != "absent"
    return {
        "id": stage.id,
        "family": stage.family,
        "presence": presence,
        "path": str(place.store.path(stage)) if here else None,
        "size_bytes": place.store.path(stage).stat().st_size if here else stage.size_bytes,
        "memory_bytes": stage.memory_bytes,
        "quantisation": stage.quantisation,
        "licence": stage.licence,
        "context_tokens": stage.context_tokens,
        "parameters": stage.parameters,
        "languages": None if stage.languages is None else list(stage.languages),
        "follows": stage.follows,
        "hub": None if stage.hub is None else f"{stage.hub.repo}/{stage.hub.file}",
        "note": stage.note,
    }


def pair_fields(place: "Place") -> list[dict[str, Any]]:
    """Return the pairs of the catalogue."""
    return [
        {"id": p.id, "small": p.small.id, "large": p.large.id, "present": place.store.pair_complete(p)}
        for p in place.catalogue.pairs.values()
    ]


def found_fields(found: "Iterable[FoundModel]") -> list[dict[str, Any]]:
    """Return what other programs have, usable or not."""
    return [
        {
            "program": model.program,
            "name": model.name,
            "path": str(model.path),
            "size_bytes": model.size_bytes,
            "family": model.family,
            "problem": model.problem,
        }
        for model in found
    ]


def print_list(place: "Place", models: Sequence[dict[str, Any]], found: "Sequence[FoundModel]") -> None:
    """Print the catalogue, and the files of other programs that can be used."""
    from rich.console import Console
    from rich.table import Table

    used = in_use_fields(place)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS)
    table = Table("model", "here", "in use", "memory", "licence", "note", box=None)
    for row in models:
        tier = ", ".join(tier for tier in TIERS if used[tier] == row["id"])
        licence = row["licence"] or "—"
        table.add_row(row["id"], _here(row["presence"]), tier, size_text(row["memory_bytes"]), licence, _remark(row))
    for column in table.columns:
        column.no_wrap = True
    console.print(table)
    pairs = ", ".join(f"{pair.id} ({pair.small.id} + {pair.large.id})" for pair in place.catalogue.pairs.values())
    console.print(f"\nPairs: {pairs}", soft_wrap=True)
    if used["problem"]:
        console.print(f"\n{used['problem']}", soft_wrap=True)
    for model in found:
        if model.family is None:
            continue
        how = f"jouline models use {model.path} --tier small|large"
        console.print(
            f"\n{model.name} of {model.program}, {size_text(model.size_bytes)}: {how}", soft_wrap=True, markup=False
        )


def advice_fields(advice: "Recommendation", machine: "Machine", place: "Place") -> dict[str, Any]:
    """Return a recommendation with everything that it rests on."""
    return {
        "pair": advice.pair.id,
        "small": advice.pair.small.id,
        "large": advice.pair.large.id,
        "present": place.store.pair_complete(advice.pair),
        "reason": advice.reason,
        "languages": None if advice.pair.small.languages is None else list(advice.pair.small.languages),
        "languages_note": _languages_note(place),
        "machine": asdict(machine),
        "candidates": [_candidate_fields(candidate) for candidate in advice.candidates],
    }


def _candidate_fields(candidate: "Candidate") -> dict[str, Any]:
    return {
        "pair": candidate.pair.id,
        "memory_bytes": candidate.memory_bytes,
        "small_line_ms": candidate.small_line_ms,
        "large_line_ms": candidate.large_line_ms,
        "method": candidate.method,
        "on_gpu": candidate.on_gpu,
        "objection": candidate.objection,
    }


def print_advice(advice: "Recommendation", machine: "Machine", place: "Place") -> None:
    """Print a recommendation in a few sentences."""
    power = {True: "on battery", False: "on mains", None: "power source unknown"}[machine.on_battery]
    gpu = (
        "no usable GPU" if machine.gpu_free_bytes is None else f"{size_text(machine.gpu_free_bytes)} of GPU memory free"
    )
    print(
        f"This machine: {size_text(machine.memory_bytes)} of memory, {machine.cores or 'unknown'} cores, "
        f"{gpu}, {power}."
    )
    for name, speed in machine.speeds.items():
        writes, reads = f"{speed.tokens_per_s:.0f} tokens/s", f"{speed.prompt_tokens_per_s:.0f} tokens/s"
        print(f"Measured: {name} writes {writes}, reads {reads}.")
    print(f"Recommended: {advice.pair.id} ({advice.pair.small.id} + {advice.pair.large.id}). {advice.reason}")
    print(_languages_note(place))
    if not place.store.pair_complete(advice.pair):
        print(f"Get it: jouline models pull {advice.pair.id} && jouline models use {advice.pair.id}")


def _languages_note(place: "Place") -> str:
    """Say what the pair that ships has learned."""
    names = [_NAMES.get(language, language) for language in place.catalogue.pair().small.languages or ()]
    known = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"The embedded pair has learned {known or 'nothing'} and nothing else; other languages need a pulled pair."


_NAMES = {"python": "Python", "typescript": "TypeScript", "javascript": "JavaScript"}


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(document, ensure_ascii=False), flush=True)


def print_rows(args: argparse.Namespace, rows: Sequence[dict[str, Any]], line: Callable[[dict[str, Any]], str]) -> None:
    """Print rows as one JSON document or as a line each."""
    if args.json:
        print_json({"models": list(rows)})
        return
    for row in rows:
        print(line(row))


def _here(presence: str) -> str:
    return {"bundled": "bundled", "local": "pulled", "own": "own file", "absent": "—"}[presence]


def _remark(row: dict[str, Any]) -> str:
    languages = f"{', '.join(row['languages'])} only" if row["languages"] else ""
    return "; ".join(part for part in (languages, row["note"] or "") if part)


def size_text(size_bytes: int | None) -> str:
    """Return a size for a person, in decimal units as disks are sold."""
    if size_bytes is None:
        return "—"
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def removed_text(row: dict[str, Any]) -> str:
    """Return what became of a removed model."""
    return (
        f"forgotten, {row['file_kept']} stays"
        if row["file_kept"]
        else f"removed, {size_text(row['freed_bytes'])} freed"
    )


def pulled_fields(stage: "StageCard", place: "Place", seconds: float) -> dict[str, Any]:
    """Return where a pulled model is, and how long that took."""
    path = place.store.path(stage)
    return {
        "id": stage.id,
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": place.store.known_sha256(stage),
        "seconds": round(seconds, 3),
    }


def verified_fields(stage: "StageCard", store: "ModelStore") -> dict[str, Any]:
    """Read a model whole; return its checksum or what is wrong with it."""
    known = store.known_sha256(stage)
    row = {
        "id": stage.id,
        "path": str(store.path(stage)),
        "sha256": None,
        "compared": known is not None,
        "problem": None,
    }
    try:
        return row | {"sha256": store.verify(stage)}
    except CatalogueError as error:
        return row | {"problem": str(error)}


@contextmanager
def transfer_bar(name: str) -> Iterator["tuple[PullProgress, CancelToken]"]:
    """Show a transfer on stderr: bytes, speed, time left; a signal cancels it and keeps what has come."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)

        class Shown:
            def waiting(self) -> None:
                bar.console.print(f"Another pull of {name} is running; waiting for it.")

            def bytes_done(self, done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

        yield Shown(), CancelToken()
