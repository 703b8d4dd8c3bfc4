"""`jouline calibrate` with the real pair: asks both its models at places of the user's code, fits, keeps."""

from collections.abc import Sequence
from pathlib import Path

from jouline.app import open_costs
from jouline.catalogue.card import PairCard
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.store import ModelStore
from jouline.config import Config, Folders
from jouline.energy.costbook import FILE_NAME as COSTS_FILE
from jouline.energy.costbook import CostBook
from jouline.energy.meter import Meters, open_meters
from jouline.errors import ConfigError
from jouline.lab import calibrate
from jouline.lab.live import progress_bar
from jouline.lab.table import Table
from jouline.opening import open_pair
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.router.calibration import Calibration
from jouline.router.features import FeatureExtractor
from jouline.steering import tokenizer


def calibrate_with_pair(
    paths: Sequence[Path], config: Config, *, places: int, limit_s: float, seed: int, on_battery: bool
) -> tuple[Calibration, Path]:
    """Fit the pair that the settings name to the code below `paths`; returns what was kept, and where.

    Raises `ConfigError` on battery power unless that is allowed, and where there are too few places.
    """
    folders = Folders.find()
    card = choose_pair(ModelStore.under(folders.data).catalogue(), config.model_small, config.model_large)
    chosen = calibrate.planned(paths, folders, card, places=places, seed=seed)
    with open_meters() as meters:
        if meters.power == "battery" and not on_battery:
            raise ConfigError("The machine runs on its battery: connect it, or allow that with --on-battery.")
        whole = _ask_both(chosen, folders, card, meters, limit_s)
    made = calibrate.fitted(whole, card)
    folder = calibrate.keep(made, folders, card)
    chosen.table.unlink(missing_ok=True)
    return made, folder


def _ask_both(chosen: calibrate.Plan, folders: Folders, card: PairCard, meters: Meters, limit_s: float) -> Table:
    pair, context_tokens = open_pair(card, folders)
    try:
        completer = Completer(pair, {"small": card.small, "large": card.large}, PipelineOptions(), context_tokens)
        costs = open_costs(card, pair, completer, meters, CostBook(folders.data / COSTS_FILE))
        with progress_bar() as progress:
            bar = progress.add_task("places", total=chosen.places)
            whole = calibrate.collect(
                chosen,
                calibrate.Priced(completer, meters, costs),
                extractor=FeatureExtractor(tokenizer(card)),
                meters=meters,
                limit_s=limit_s,
                tell=lambda count: progress.advance(bar, count),
            )
        costs.save()
        return whole
    finally:
        pair.close()
