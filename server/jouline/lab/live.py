"""Collection with the real pair: opens it, shows progress, closes it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jouline.app import open_pair
from jouline.catalogue.card import PairCard, StageCard, load_catalogue
from jouline.completion import Tier
from jouline.config import Folders
from jouline.energy.meter import open_meters
from jouline.errors import ConfigError
from jouline.lab.collect import Collector, plan
from jouline.lab.places import sources
from jouline.lab.retype import blocks, policies, retype
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.router.features import FeatureExtractor
from jouline.router.router import open_router


def collect_with_pair(paths: Sequence[Path], out: Path, *, places: int, per_line: int, seed: int) -> int:
    """Complete places below `paths` with the default pair and add their rows to `out`; returns how many.

    Raises `ConfigError` where the paths hold no places or the table cannot grow.
    """
    if out.suffix == ".parquet":
        raise ConfigError("A Parquet table cannot grow while it is collected: name a .jsonl or .jsonl.gz file.")
    drawn = list(plan(sources(paths), places=places, per_line=per_line, seed=seed))
    total = sum(len(walk.offsets) for _, _, walks in drawn for walk in walks)
    if not total:
        raise ConfigError("There is no Python code with places to complete at in what was named.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _collector() as collector, _progress() as progress:
        bar = progress.add_task("places", total=total)
        return collector.collect(drawn, out, tell=lambda count: progress.advance(bar, count))


def retype_with_pair(
    paths: Sequence[Path], folder: Path, *, per_group: int, savings: Sequence[int], seed: int
) -> list[dict[str, Any]]:
    """Type blocks of the code below `paths` again under the router in `folder`, a coin and both fixed policies."""
    drawn = blocks(sources(paths), per_group=per_group, seed=seed)
    if not drawn:
        raise ConfigError("There is no Python file long enough to type a block of again in what was named.")
    with _completer() as (completer, card, tokenizer), _progress() as progress:
        router = open_router(folder, tokenizer=tokenizer, pair=card.id)
        bar = progress.add_task("blocks", total=len(drawn))
        chosen = policies(router, savings, seed=seed)
        return retype(completer, drawn, chosen, seed=seed, tell=lambda count: progress.advance(bar, count))


@contextmanager
def _completer() -> Iterator[tuple[Completer, PairCard, Path]]:
    card = load_catalogue().pair()
    if card.tokenizer is None:
        raise ConfigError(f"The pair {card.id} names no tokeniser, so that features cannot be computed.")
    pair, context_tokens = open_pair(card, Folders.find())
    try:
        tiers: dict[Tier, StageCard] = {"small": card.small, "large": card.large}
        yield Completer(pair, tiers, PipelineOptions(), context_tokens), card, card.tokenizer
    finally:
        pair.close()


@contextmanager
def _collector() -> Iterator[Collector]:
    with _completer() as (completer, _, tokenizer), open_meters() as meters:
        extractor = FeatureExtractor(tokenizer)
        yield Collector(completer=completer, extractor=extractor, meters=meters, small="small", large="large")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
