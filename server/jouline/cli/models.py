"""`jouline models`: pull, verify, remove and choose models."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jouline.cli.models_form import (
    advice_fields,
    found_fields,
    in_use_fields,
    model_fields,
    pair_fields,
    print_advice,
    print_json,
    print_list,
    print_rows,
    pulled_fields,
    removed_text,
    size_text,
    transfer_bar,
    verified_fields,
)
from jouline.errors import CatalogueError, ConfigError

if TYPE_CHECKING:
    from jouline.catalogue.card import Catalogue, PairCard, StageCard
    from jouline.catalogue.gguf_header import GgufHeader
    from jouline.catalogue.store import ModelStore
    from jouline.config import Config, Folders

TIERS = ("small", "large")


def register(commands: Any) -> None:
    """Add the command's parsers."""
    parser = commands.add_parser("models", help="list, pull, verify, remove and choose models")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _verb(verbs, "list", run_list, "show the catalogue and the models on this machine")
    _verb(verbs, "pull", run_pull, "fetch models from the hub").add_argument("ids", nargs="+", metavar="MODEL|PAIR")
    _verb(verbs, "verify", run_verify, "read files whole and compare checksums").add_argument(
        "ids", nargs="*", metavar="MODEL|PAIR", help="all that are here, unless named"
    )
    _verb(verbs, "remove", run_remove, "delete pulled files").add_argument("ids", nargs="+", metavar="MODEL|PAIR")
    use = _verb(verbs, "use", run_use, "choose a pair, or a model for one tier")
    use.add_argument("name", metavar="PAIR|MODEL|PATH.gguf")
    use.add_argument("--tier", choices=TIERS, help="which tier a single model serves")
    use.add_argument("--family", metavar="FAMILY", help="how a file of an unknown family is asked, if you know it")
    advise = _verb(verbs, "recommend", run_recommend, "name the pair that suits this machine, with the reason")
    advise.add_argument("--measure", action="store_true", help="time the other models that are here too")


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What every verb works on."""

    folders: "Folders"
    store: "ModelStore"
    catalogue: "Catalogue"
    config: "Config"

    def stages(self, ids: Sequence[str]) -> "list[StageCard]":
        """Return the models that ids of models and pairs mean, each once."""
        found: dict[str, StageCard] = {}
        for each in ids:
            pair = self.catalogue.pairs.get(each)
            for stage in (pair.small, pair.large) if pair else (self.catalogue.stage(each),):
                found[stage.id] = stage
        return list(found.values())

    def pair_in_use(self) -> "PairCard":
        """Return the pair that the settings mean."""
        from jouline.catalogue.choice import choose_pair

        return choose_pair(self.catalogue, self.config.model_small, self.config.model_large)


def find_place() -> Place:
    """Read settings and catalogue."""
    from jouline.catalogue.store import ModelStore
    from jouline.config import Folders, load

    folders = Folders.find()
    store = ModelStore.under(folders.data)
    return Place(folders=folders, store=store, catalogue=store.catalogue(), config=load(folders.user_file)[0])


def run_list(args: argparse.Namespace) -> int:
    """Print the catalogue, what is here of it, what is in use, and what other programs have."""
    from jouline.catalogue.local_stores import find_models

    place = find_place()
    models = [model_fields(stage, place) for stage in place.catalogue.stages.values()]
    found = find_models(place.catalogue.families)
    if args.json:
        print_json(
            {
                "in_use": in_use_fields(place),
                "models": models,
                "pairs": pair_fields(place),
                "found": found_fields(found),
            }
        )
    else:
        print_list(place, models, found)
    return 0


def run_pull(args: argparse.Namespace) -> int:
    """Fetch models, one after the other."""
    from jouline.catalogue.hub import pull

    place = find_place()
    rows = []
    for stage in place.stages(args.ids):
        if place.store.presence(stage) == "bundled":
            rows.append(pulled_fields(stage, place, 0.0))
            continue
        started = time.monotonic()
        with transfer_bar(stage.id) as (progress, cancel):
            pull(stage, place.store, progress, cancel)
        rows.append(pulled_fields(stage, place, time.monotonic() - started))
    print_rows(args, rows, lambda row: f"{row['id']}: {row['path']} ({size_text(row['size_bytes'])}, checksum right)")
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Read files whole; exit 1 if one is not as it should be."""
    place = find_place()
    stages = place.stages(args.ids) or [s for s in place.catalogue.stages.values() if place.store.path(s).is_file()]
    rows = [verified_fields(stage, place.store) for stage in stages]
    print_rows(args, rows, lambda row: f"{row['id']}: {row['problem'] or 'as it should be'}")
    bad = [row["id"] for row in rows if row["problem"]]
    if bad:
        raise CatalogueError(f"{len(bad)} of {len(rows)} models are not as they should be: {', '.join(bad)}.")
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Delete pulled files; a file of the user's own is only forgotten."""
    from jouline.catalogue.own import forget

    place = find_place()
    stages = place.stages(args.ids)
    for stage in stages:
        if stage.id in (place.config.model_small, place.config.model_large):
            raise CatalogueError(f"{stage.id} is in use; choose another with `jouline models use` first.")
    rows = []
    for stage in stages:
        own = Path(stage.file).is_absolute()
        freed = 0 if own else place.store.remove(stage)
        if own:
            forget(place.store.own_file, stage.id)
        rows.append({"id": stage.id, "freed_bytes": freed, "file_kept": stage.file if own else None})
    print_rows(args, rows, lambda row: f"{row['id']}: {removed_text(row)}")
    return 0


def run_use(args: argparse.Namespace) -> int:
    """Choose a pair or one tier's model and write that to the user's settings."""
    from jouline.catalogue.choice import choose_pair

    place = find_place()
    chosen, catalogue = _choose(args, place)
    pair = choose_pair(catalogue, chosen["model.small"], chosen["model.large"])
    place.store.check_pair(pair)
    _write_settings(place, chosen)
    routed = pair.router is not None
    if args.json:
        print_json({"pair": pair.id, "small": pair.small.id, "large": pair.large.id, "has_router": routed})
        return 0
    print(f"In use: {pair.small.id} (small) and {pair.large.id} (large).")
    if not routed:
        print("No router was made for this pair: the small model's own confidence decides until one is.")
    return 0


def run_recommend(args: argparse.Namespace) -> int:
    """Name the pair that suits this machine."""
    from jouline.catalogue.recommend import recommend
    from jouline.cli.machine import look_at_machine

    place = find_place()
    measured = [place.catalogue.pair()]
    if args.measure:
        measured += [p for p in place.catalogue.pairs.values() if p not in measured and place.store.pair_complete(p)]
    machine = look_at_machine(measured, place.folders)
    advice = recommend(place.catalogue, machine)
    if args.json:
        print_json(advice_fields(advice, machine, place))
    else:
        print_advice(advice, machine, place)
    return 0


def _choose(args: argparse.Namespace, place: Place) -> "tuple[dict[str, str], Catalogue]":
    """Return the two settings that result, and the catalogue that knows them."""
    settings = {"model.small": place.config.model_small, "model.large": place.config.model_large}
    if pair := place.catalogue.pairs.get(args.name):
        if pair.id == place.catalogue.default_pair:
            return dict.fromkeys(settings, ""), place.catalogue
        return {"model.small": pair.small.id, "model.large": pair.large.id}, place.catalogue
    header = None if args.name in place.catalogue.stages else _own_header(args.name, place)
    if args.tier is None:
        raise CatalogueError(f"{args.name} is a single model; say which tier it serves: --tier small or --tier large.")
    if header is None:
        return settings | {f"model.{args.tier}": args.name}, place.catalogue
    own_id = _take_in(header, args.family, place)
    return settings | {f"model.{args.tier}": own_id}, place.store.catalogue()


def _looks_like_path(name: str) -> bool:
    return name.endswith(".gguf") or "/" in name or "\\" in name or Path(name).exists()


def _own_header(name: str, place: Place) -> "GgufHeader":
    """Read the header of a file of the user's own; raise CatalogueError where the name is neither file nor model."""
    from jouline.catalogue.gguf_header import read_header

    if not _looks_like_path(name):
        place.catalogue.stage(name)  # names the nearest ids
    return read_header(Path(name).expanduser())


def _take_in(header: "GgufHeader", family_id: str | None, place: Place) -> str:
    """Enter a file of the user's own in the catalogue, if it is known how it is asked; returns its id."""
    from jouline.catalogue.families import recognise
    from jouline.catalogue.own import own_card, remember

    named = place.catalogue.family(family_id) if family_id else None
    card = own_card(header, recognise(header, place.catalogue.families, named))
    taken = place.catalogue.stages.get(card.id)
    if taken is not None and taken.file != card.file:
        raise CatalogueError(f"The name {card.id} is taken in the catalogue; rename the file and try again.")
    remember(place.store.own_file, card)
    return card.id


def _write_settings(place: Place, settings: dict[str, str]) -> None:
    """Set keys of the user's settings file, every other line kept."""
    from jouline.catalogue.own import replace_text
    from jouline.catalogue.setting_lines import set_text

    path = place.folders.user_file
    text = _settings_text(path)
    for key, value in settings.items():
        text = None if text is None else set_text(text, key, value)
    if text is None:
        lines = " and ".join(f'{key} = "{value}"' for key, value in settings.items())
        raise ConfigError(f"{path} is written in a way that cannot be changed safely; set {lines} there by hand.")
    replace_text(path, text)


def _settings_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except UnicodeDecodeError:
        return None
