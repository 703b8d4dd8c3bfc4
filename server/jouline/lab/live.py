"""Collection with the real pair: opens it, shows progress, closes it."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jouline.app import open_costs
from jouline.catalogue.card import PairCard, StageCard, load_catalogue
from jouline.completion import Tier
from jouline.config import Folders
from jouline.energy.costbook import CostBook
from jouline.energy.meter import open_meters
from jouline.engine.pair import Pair
from jouline.errors import ConfigError
from jouline.lab import calibrate
from jouline.lab.asks import is_problems, of_places, of_problems
from jouline.lab.collect import MAX_TOKENS, Collector, plan
from jouline.lab.entrants import entrants
from jouline.lab.excerpts import measure
from jouline.lab.gather import Candidate, Gatherer
from jouline.lab.places import sources
from jouline.lab.retype import Policy, blocks, policies, retype
from jouline.opening import open_pair
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.router.features import FeatureExtractor
from jouline.router.learned import open_router

_NO_PLACES = "There is no code with places to complete at in what was named."


def collect_with_pair(paths: Sequence[Path], out: Path, *, places: int, per_line: int, seed: int) -> int:
    """Complete places below `paths` with the default pair and add their rows to `out`; returns how many.

    Raises `ConfigError` where the paths hold no places or the table cannot grow.
    """
    _check_grows(out)
    drawn = list(plan(sources(paths), places=places, per_line=per_line, seed=seed))
    total = sum(len(walk.offsets) for _, _, walks in drawn for walk in walks)
    if not total:
        raise ConfigError(_NO_PLACES)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _collector() as collector, progress_bar() as progress:
        bar = progress.add_task("places", total=total)
        return collector.collect(drawn, out, tell=lambda count: progress.advance(bar, count))


def collect_with_models(
    names: Sequence[str], paths: Sequence[Path], out: Path, *, places: int, per_line: int, seed: int
) -> int:
    """Ask any models at places below `paths`, or the problems in files of them; add to `out`, return how many outcomes.

    Raises a JoulineError where a model cannot be used, or the paths hold nothing to ask.
    """
    _check_grows(out)
    folders = Folders.find()
    found = entrants(list(names), folders)
    code = [path for path in paths if not is_problems(path)]
    asks = of_places(list(plan(sources(code), places=places, per_line=per_line, seed=seed)))
    for path in paths:
        if is_problems(path):
            asks += of_problems(path)[:places]
    total = len(found) * sum(map(len, asks))
    if not total:
        raise ConfigError(_NO_PLACES)
    out.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = load_catalogue().pair().tokenizer
    with open_meters() as meters, progress_bar() as progress:
        bar = progress.add_task("answers", total=total)
        gatherer = Gatherer(
            extractor=FeatureExtractor(tokenizer) if tokenizer else None,
            meters=meters,
            tell=lambda count: progress.advance(bar, count),
        )
        candidates = [Candidate(name=each.name, tier=each.tier, opened=partial(each.opened, folders)) for each in found]
        return gatherer.gather(candidates, asks, out)


def _check_grows(out: Path) -> None:
    if out.suffix == ".parquet":
        raise ConfigError("A Parquet table cannot grow while it is collected: name a .jsonl or .jsonl.gz file.")


def retype_with_pair(
    paths: Sequence[Path], folder: Path, *, per_group: int, savings: Sequence[int], seed: int
) -> list[dict[str, Any]]:
    """Type blocks of the code below `paths` again under the router in `folder`, a coin and both fixed policies."""
    drawn = blocks(sources(paths), per_group=per_group, seed=seed)
    if not drawn:
        raise ConfigError("There is no Python file long enough to type a block of again in what was named.")
    with _completer() as (completer, pair, card, tokenizer), progress_bar() as progress, open_meters() as meters:
        routers = [open_router(folder, tokenizer=tokenizer, pair=card.id) for _ in savings]
        costs = open_costs(card, pair, completer, meters, CostBook(None))
        bar = progress.add_task("blocks", total=len(drawn))
        return retype(
            calibrate.Priced(completer, meters, costs),
            drawn,
            [
                *policies(routers[0], savings, seed=seed)[: -len(savings)],
                *(  # each with a pace of its own
                    Policy(name="router", router=router, energy_saving=saving)
                    for router, saving in zip(routers, savings, strict=True)
                ),
            ],
            prices=lambda request: costs.marginal(completer.behind(request, MAX_TOKENS)),
            forget=partial(_forget, pair),
            seed=seed,
            tell=lambda count: progress.advance(bar, count),
        )


def _forget(pair: Pair) -> None:
    """Free both models' memory: what one policy typed is kept for going back to, and another must not profit by it."""
    pair.unload("large")
    pair.unload("small")


def excerpts_with_pair(paths: Sequence[Path], *, places: int, tokens: int, seed: int) -> list[dict[str, Any]]:
    """Complete places below `paths` with and without pieces of other files in the prompt."""
    found = sources(paths)
    drawn = list(plan(found, places=places, per_line=1, seed=seed))
    total = sum(len(walk.offsets) for _, _, walks in drawn for walk in walks)
    if not total:
        raise ConfigError("There is no Python code with places to complete at in what was named.")
    card = load_catalogue().pair()
    pair, context_tokens = open_pair(card, Folders.find())
    cards: dict[Tier, StageCard] = {"small": card.small, "large": card.large}
    with contextlib.closing(pair), progress_bar() as progress:
        bar = progress.add_task("places", total=total)
        return measure(
            pair,
            cards,
            context_tokens,
            drawn,
            found,
            tokens=tokens,
            seed=seed,
            tell=lambda count: progress.advance(bar, count),
        )


@contextmanager
def _completer() -> Iterator[tuple[Completer, Pair, PairCard, Path]]:
    card = load_catalogue().pair()
    if card.tokenizer is None:
        raise ConfigError(f"The pair {card.id} names no tokeniser, so that features cannot be computed.")
    pair, context_tokens = open_pair(card, Folders.find())
    try:
        tiers: dict[Tier, StageCard] = {"small": card.small, "large": card.large}
        yield Completer(pair, tiers, PipelineOptions(), context_tokens), pair, card, card.tokenizer
    finally:
        pair.close()


@contextmanager
def _collector() -> Iterator[Collector]:
    with _completer() as (completer, _, _, tokenizer), open_meters() as meters:
        extractor = FeatureExtractor(tokenizer)
        yield Collector(completer=completer, extractor=extractor, meters=meters, small="small", large="large")


def progress_bar() -> Progress:
    """Return a bar on stderr that counts and tells the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
