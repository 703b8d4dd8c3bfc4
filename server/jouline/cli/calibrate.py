"""`jouline calibrate PATH…`: the router and the costs of the pair in use, fitted to the user's code and machine."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jouline.cli.opening import settings
from jouline.errors import ConfigError

if TYPE_CHECKING:
    from jouline.router.calibration import Calibration

_PLACES, _MINUTES = 400, 5.0
_SHOWN_AT = (0, 25, 50, 75, 100)


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("calibrate", help="fit the router and the costs of the models in use to your code")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a folder or file of your own Python code")
    parser.add_argument("--places", type=_count, default=_PLACES, help=f"cursor places to try (default {_PLACES})")
    parser.add_argument("--minutes", type=_minutes, default=_MINUTES, help=f"at most (default {_MINUTES:.0f})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on-battery", action="store_true", help="also while the machine runs on its battery")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_run)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes")
    return minutes


def _run(args: argparse.Namespace) -> int:
    from jouline.lab.fit_pair import calibrate_with_pair

    if missing := [str(path) for path in args.paths if not path.exists()]:
        raise ConfigError(f"There is no {', '.join(missing)}.")
    try:
        made, folder = calibrate_with_pair(
            args.paths,
            settings(),
            places=args.places,
            limit_s=args.minutes * 60,
            seed=args.seed,
            on_battery=args.on_battery,
        )
    except KeyboardInterrupt:
        print("jouline: stopped; the places that were done are kept, the same command goes on.", file=sys.stderr)
        return 1
    facts = _facts(made, folder)
    print(json.dumps(facts) if args.json else _plain(facts))
    return 0


def _facts(made: "Calibration", folder: Path) -> dict[str, Any]:
    points = [made.at(wanted) for wanted in _SHOWN_AT]
    return {
        "pair": made.pair,
        "router": str(folder),
        "places": made.made_from["validate"]["places"],
        "small_right": made.made_from["validate"]["small_right"],
        "large_right": made.made_from["validate"]["large_right"],
        "cost_unit": made.cost_unit,
        "points": [{"energy_saving": p.energy_saving, "cost": p.cost, "quality": p.quality} for p in points],
    }


def _plain(facts: dict[str, Any]) -> str:
    first = (
        f"pair {facts['pair']}: at {facts['places']} places of this code the small model was right in "
        f"{100 * facts['small_right']:.0f} %, the large one in {100 * facts['large_right']:.0f} %."
    )
    lines = [
        f"energy saving {point['energy_saving']:3.0f}: {point['cost']:.4g} {facts['cost_unit']} a request, "
        f"{100 * point['quality']:.1f} % expected right and shown"
        for point in facts["points"]
    ]
    return "\n".join([first, *lines, f"Kept in {facts['router']}; `jouline router reset --calibration` goes back."])
