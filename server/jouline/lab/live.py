"""Collection with the real pair: opens it, shows progress, closes it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jouline.app import open_pair
from jouline.catalogue.card import load_catalogue
from jouline.config import Folders
from jouline.energy.meter import open_meters
from jouline.errors import ConfigError
from jouline.lab.collect import Collector, plan
from jouline.lab.places import sources
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.router.features import FeatureExtractor


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


@contextmanager
def _collector() -> Iterator[Collector]:
    card = load_catalogue().pair()
    if card.tokenizer is None:
        raise ConfigError(f"The pair {card.id} names no tokeniser, so that features cannot be computed.")
    pair, context_tokens = open_pair(card, Folders.find())
    try:
        completer = Completer(pair, {"small": card.small, "large": card.large}, PipelineOptions(), context_tokens)
        extractor = FeatureExtractor(card.tokenizer)
        with open_meters() as meters:
            yield Collector(completer=completer, extractor=extractor, meters=meters, small="small", large="large")
    finally:
        pair.close()


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
