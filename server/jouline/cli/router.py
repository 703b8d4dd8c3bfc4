"""`jouline router show|reset`: the router in use, what it learned, and back to its calibrated start."""

import argparse
import json
import shutil
from typing import TYPE_CHECKING, Any

from jouline.cli.opening import settings
from jouline.config import Config, Folders
from jouline.errors import ConfigError

if TYPE_CHECKING:
    from jouline.catalogue.card import PairCard
    from jouline.router.memory import Memory

_SHOWN_AT = (0, 25, 50, 75, 100)


def register(commands: Any) -> None:
    """Add the command's parsers."""
    group = commands.add_parser("router", help="the router in use, the pair it was made for")
    actions = group.add_subparsers(dest="action", required=True, metavar="show|reset")
    show = actions.add_parser("show", help="what the router is, its operating points, what it learned since")
    show.add_argument("--json", action="store_true", help="print one JSON document")
    show.set_defaults(run=_show)
    reset = actions.add_parser("reset", help="back to the calibrated start")
    reset.add_argument("--calibration", action="store_true", help="forget `jouline calibrate` for this pair as well")
    reset.set_defaults(run=_reset)


def _show(args: argparse.Namespace) -> int:
    facts = _facts(Folders.find(), settings())
    print(json.dumps(facts) if args.json else _plain(facts))
    return 0


def _pair(folders: Folders, config: Config) -> "PairCard":
    from jouline.catalogue.choice import choose_pair
    from jouline.catalogue.store import ModelStore

    return choose_pair(ModelStore.under(folders.data).catalogue(), config.model_small, config.model_large)


def _facts(folders: Folders, config: Config) -> dict[str, Any]:
    """Return what is known of the router of the pair in use; `problem` says why there is only the cascade."""
    from jouline.router.calibration import load
    from jouline.router.learned import CALIBRATION_FILE
    from jouline.router.memory import recall
    from jouline.steering import OFFER, fingerprint, memory_file, own_folder, router_folder

    card = _pair(folders, config)
    folder, problems = router_folder(folders, card)
    facts: dict[str, Any] = {"pair": card.id, "router": "confidence", "made_for": None, "points": None, "learned": 0}
    if folder is None:
        why = problems[-1] if problems else f"No router was made for the pair {card.id}; {OFFER}"
        return facts | {"problem": why}
    calibration = load(folder / CALIBRATION_FILE)
    memory = recall(memory_file(folders, card), made_for=fingerprint(folder))
    points = [
        {"energy_saving": point.energy_saving, "cost": point.cost, "quality": point.quality}
        for point in (calibration.at(wanted) for wanted in _SHOWN_AT)
    ]
    return facts | {
        "router": "learned",
        "made_for": calibration.pair,
        "calibrated": "own" if folder == own_folder(folders, card) else "shipped",
        "points": points,
        "problem": memory.problem,
        "cost_unit": calibration.cost_unit,
        "made_from": calibration.made_from,
        "learned": round(memory.experience.suggestions, 1),
        "languages": _learned(memory),
    }


def _learned(memory: "Memory") -> dict[str, Any]:
    from jouline.router.experience import TIERS

    return {
        language: {
            tier: {"expected": round(tallies[tier].expected, 1), "taken": round(tallies[tier].taken, 1)}
            for tier in TIERS
        }
        | {"shadows": memory.floors[language].shadows if language in memory.floors else 0}
        for language, tallies in memory.experience.languages.items()
    }


def _plain(facts: dict[str, Any]) -> str:
    if facts["router"] == "confidence":
        return f"pair {facts['pair']}: cascade on the models' own confidence. {facts['problem']}"
    made = "your own calibration" if facts["calibrated"] == "own" else "as shipped"
    lines = [f"pair {facts['pair']}: trained router, {made}."]
    lines += [
        f"energy saving {point['energy_saving']:3.0f}: {point['cost']:.4g} {facts['cost_unit']} a request, "
        f"{100 * point['quality']:.1f} % right and shown"
        for point in facts["points"]
        if point["cost"] is not None
    ]
    if facts["problem"]:
        lines.append(facts["problem"])
    lines += [_language(name, found) for name, found in facts["languages"].items()]
    return "\n".join(lines if facts["languages"] else [*lines, "Nothing has been learned since its calibration."])


def _language(name: str, found: dict[str, Any]) -> str:
    parts = [
        f"{found[tier]['taken']:.0f} of {found[tier]['expected']:.0f} expected from the {tier} model"
        for tier in ("small", "large")
    ]
    return f"learned in {name}: suggestions kept {', '.join(parts)}; {found['shadows']} shadow evaluations."


def _reset(args: argparse.Namespace) -> int:
    from jouline.router.memory import forget
    from jouline.steering import memory_file, own_folder

    folders = Folders.find()
    card = _pair(folders, settings())
    own = own_folder(folders, card)
    try:
        learned = forget(memory_file(folders, card))
        fitted = args.calibration and own.exists()
        if fitted:
            shutil.rmtree(own)
    except OSError as error:
        raise ConfigError(
            f"What was learned cannot be deleted ({error.strerror}): close the editors, then try again."
        ) from None
    if fitted:
        print(f"The router of {card.id} stands as it was shipped.")
    else:
        state = "again at its calibrated start" if learned else "at its calibrated start: it had learned nothing"
        print(f"The router of {card.id} stands {state}.")
    return 0
