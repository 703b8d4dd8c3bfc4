"""`jouline router show|reset`: the router in use, and back to its calibrated start."""

import argparse
import json
from typing import Any

from jouline.cli.opening import settings
from jouline.config import Config
from jouline.errors import RouterError


def register(commands: Any) -> None:
    """Add the command's parsers."""
    group = commands.add_parser("router", help="the router in use, the pair it was made for")
    actions = group.add_subparsers(dest="action", required=True, metavar="show|reset")
    show = actions.add_parser("show", help="what the router is, its operating points, what it learned since")
    show.add_argument("--json", action="store_true", help="print one JSON document")
    show.set_defaults(run=_show)
    reset = actions.add_parser("reset", help="back to the calibrated start")
    reset.set_defaults(run=_reset)


def _show(args: argparse.Namespace) -> int:
    facts = _facts(settings())
    print(json.dumps(facts) if args.json else _plain(facts))
    return 0


def _facts(config: Config) -> dict[str, Any]:
    """Return what is known of the router of the pair in use; `problem` says why it cannot be used."""
    from jouline.catalogue.card import load_catalogue
    from jouline.catalogue.choice import choose_pair
    from jouline.router.calibration import load

    card = choose_pair(load_catalogue(), config.model_small, config.model_large)
    facts: dict[str, Any] = {"pair": card.id, "router": "confidence", "made_for": None, "points": None, "learned": 0}
    if card.router is None:
        return facts | {"problem": f"No router was made for the pair {card.id}: the small model's confidence decides."}
    try:
        calibration = load(card.router / "calibration.json")
    except RouterError as error:
        return facts | {"problem": str(error)}
    weights = {"small": card.small.sha256, "large": card.large.sha256}
    if calibration.pair != card.id or calibration.weights != weights:
        problem = f"The router was made for the pair {calibration.pair} as it was, not for these weights."
        return facts | {"made_for": calibration.pair, "problem": problem}
    points = [
        {"energy_saving": point.energy_saving, "cost": point.cost, "quality": point.quality}
        for point in (calibration.at(wanted) for wanted in (0, 25, 50, 75, 100))
    ]
    made = {"cost_unit": calibration.cost_unit, "made_from": calibration.made_from}
    return facts | {"router": "learned", "made_for": calibration.pair, "points": points, "problem": None} | made


def _plain(facts: dict[str, Any]) -> str:
    if facts["problem"]:
        return f"pair {facts['pair']}: cascade on the models' own confidence. {facts['problem']}"
    lines = [f"pair {facts['pair']}: trained router; nothing has been learned since its calibration."]
    lines += [
        f"energy saving {point['energy_saving']:3.0f}: {point['cost']:.4g} {facts['cost_unit']} a request, "
        f"{100 * point['quality']:.1f} % right (validation packages)"
        for point in facts["points"]
        if point["cost"] is not None
    ]
    return "\n".join(lines)


def _reset(args: argparse.Namespace) -> int:  # noqa: ARG001  every command takes them
    print("The router stands at its calibrated start: it does not learn from use yet.")
    return 0
