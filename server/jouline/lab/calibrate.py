"""Fits a pair's router to a user's own code on their own machine: `jouline calibrate`.

Nothing is trained anew: the shipped classifiers are adjusted by a handful of numbers, each held near what is believed
beforehand, so that a few hundred places do. The shipped router is never written to.
"""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jouline.cancel import CancelToken
from jouline.catalogue.card import PairCard, load_catalogue
from jouline.completion import CompletionRequest, Generation, Tier
from jouline.config import Folders
from jouline.energy.meter import Meters
from jouline.engine.generate import Limits
from jouline.errors import ConfigError
from jouline.lab import fitting
from jouline.lab.collect import Collector, Completes, Drawn, plan
from jouline.lab.outcomes import salvage
from jouline.lab.places import sources
from jouline.lab.product import as_rows, fitted_to, points_by_price, told_chances, write_router
from jouline.lab.table import Table, as_shown, table
from jouline.pipeline.account import work_of
from jouline.pipeline.costs import Costs
from jouline.router.calibration import Calibration, Display, OperatingPoint, load
from jouline.router.classifier import CLASSES
from jouline.router.features import FeatureExtractor
from jouline.router.learned import CALIBRATION_FILE, DRAFTS_FILE, PLACES_FILE
from jouline.steering import own_folder, weights

LEAST_PLACES = 40
PER_LINE = 3
_LINES_AT_ONCE = 3  # between two looks at the clock, and lost at most when it is stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done: places in files, within a time; `table` is where they are kept until all is done."""

    drawn: tuple[Drawn, ...]
    places: int
    table: Path


class Priced:
    """Completes as a pair does, and teaches the pair's cost models by every run."""

    def __init__(self, completer: Completes, meters: Meters, costs: Costs) -> None:
        self._completer = completer
        self._meters = meters
        self._costs = costs

    def generate(self, request: CompletionRequest, tier: Tier, cancel: CancelToken, limits: Limits) -> Generation:
        """Return what the tier's model writes."""
        with self._meters.window() as window:
            generation = self._completer.generate(request, tier, cancel, limits)
        self._costs.learn(tier, work_of(generation), window.measurement)
        return generation


def planned(paths: Sequence[Path], folders: Folders, card: PairCard, *, places: int, seed: int) -> Plan:
    """Draw places in the code below `paths`, evenly over what is named; raise `ConfigError` where there are too few."""
    drawn = list(plan(sources(paths), places=places, per_line=PER_LINE, seed=seed))
    found = sum(len(walk.offsets) for _, _, walks in drawn for walk in walks)
    if found < LEAST_PLACES:
        raise ConfigError(
            f"There are {found} places to complete at in the Python code that was named, and at least {LEAST_PLACES} "
            "are needed: name more files."
        )
    order = np.random.default_rng(seed).permutation(len(drawn))
    named = hashlib.sha256("\n".join([*(str(path.absolute()) for path in paths), f"{places} {seed}"]).encode())
    kept = folders.cache / f"calibrate-{card.id}-{named.hexdigest()[:12]}.jsonl.gz"
    return Plan(drawn=tuple(_in_pieces(drawn, order.tolist())), places=found, table=kept)


def _in_pieces(drawn: Sequence[Drawn], order: Sequence[int]) -> Iterator[Drawn]:
    for index in order:
        source, text, walks = drawn[index]
        for at in range(0, len(walks), _LINES_AT_ONCE):
            yield source, text, walks[at : at + _LINES_AT_ONCE]


def collect(
    chosen: Plan,
    completer: Completes,
    *,
    extractor: FeatureExtractor,
    meters: Meters,
    limit_s: float,
    tell: Callable[[int], None],
    now: Callable[[], float] = time.monotonic,
) -> Table:
    """Ask both models at the places until they are done or the time is over; what an earlier run did is not done again.

    Raises `ConfigError` where the time was too short for the fewest places that tell anything.
    """
    chosen.table.parent.mkdir(parents=True, exist_ok=True)
    end = now() + limit_s

    def in_time() -> Iterator[Drawn]:
        for piece in chosen.drawn:
            if now() >= end:
                return
            yield piece

    collector = Collector(completer=completer, extractor=extractor, meters=meters, small="small", large="large")
    collector.collect(in_time(), chosen.table, tell=tell)
    rows = salvage(chosen.table)
    if len(rows) < LEAST_PLACES:
        raise ConfigError(
            f"Only {len(rows)} of at least {LEAST_PLACES} places were done in the time: give more with --minutes; the "
            "same command goes on from there."
        )
    return table(rows, "small", "large")


def fitted(whole: Table, card: PairCard) -> Calibration:
    """Return the calibration of a pair by what its models did; the networks are those of the shipped router."""
    base_folder = shipped_router()
    base = load(base_folder / CALIBRATION_FILE)
    same = (base.pair, base.weights) == (card.id, weights(card))
    tiers: tuple[Tier, Tier] = ("small", "large")
    small, large = (
        fitting.confidence(
            whole.logprobs(tier),
            (quality >= 0.5).astype(float),
            base.display.of(tier) if same else None,
        )
        for tier, quality in zip(tiers, (whole.small_quality, whole.large_quality), strict=True)
    )
    start = replace(base, pair=card.id, weights=weights(card), display=Display(small=small, large=large))
    found = fitted_to(start, base_folder, whole)
    return replace(found, points=_smooth_points(whole, found, base_folder))


def _smooth_points(whole: Table, found: Calibration, networks: Path) -> tuple[OperatingPoint, ...]:
    """Fix the points by what is expected at each place: of few places the outcomes themselves are mostly chance."""
    shown = as_shown(whole, found.display)
    told = told_chances(whole, networks, found)
    before = as_rows(told.before)
    both, only_large, only_small = (before[:, CLASSES.index(name)] for name in ("both", "only_large", "only_small"))
    expected = replace(shown, small_quality=both + only_small, large_quality=both + only_large)
    return points_by_price(expected, told.scores)


def shipped_router() -> Path:
    """Return the folder of the router that is shipped; raise `ConfigError` where it is missing."""
    folder = load_catalogue().pair().router
    if folder is None or not (folder / CALIBRATION_FILE).exists():
        raise ConfigError("The router that comes with Jouline is missing; install Jouline again.")
    return folder


def keep(calibration: Calibration, folders: Folders, card: PairCard) -> Path:
    """Write a pair's own router to the data folder, whole or not at all; returns its folder."""
    target, networks = own_folder(folders, card), shipped_router()
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=".fresh-"))
    try:
        for name in (PLACES_FILE, DRAFTS_FILE):
            shutil.copyfile(networks / name, fresh / name)
        write_router(fresh, calibration)
        old = fresh.with_name(f"{fresh.name}-old")
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target
