"""`jouline lab gate points PATH…`: replay every combination of gate and router, and choose one by energy saving."""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jouline.errors import ConfigError

if TYPE_CHECKING:
    from jouline.app import App
    from jouline.replay.sources import SourceFile
    from jouline.replay.table import Row, Variant
    from jouline.router.gate_learned import GateCard, LearnedGate


def register(steps: Any, needs_libraries: Any) -> None:
    """Add the step's parser."""
    points = steps.add_parser("points", help="choose gate and router together, on replays of validation packages")
    points.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="complete files, or folders of them")
    points.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the gate of the pair in use lies")
    points.add_argument("--runs", type=Path, metavar="T.jsonl", help="keep what was typed; goes on where it stopped")
    points.add_argument("--files", type=int, default=16, help="at most how many, drawn by the seed")
    points.add_argument("--chars", type=int, default=300, help="about how much to type of a file")
    points.add_argument("--seed", type=int, default=0)
    points.set_defaults(run=needs_libraries(run))


def run(args: argparse.Namespace) -> int:
    """Fill the missing cells, choose, write the points into the gate's card, and print what each costs and keeps."""
    from jouline.cli.replay import draw_files, gather
    from jouline.lab.gate_points import between, choose, combinations, with_points
    from jouline.router.gate_learned import FILE_NAME

    sources = draw_files(gather(args.paths), args.files, args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        card, rows = _typed_all(args, sources, args.runs or Path(scratch) / "runs.jsonl")
    found = combinations(rows)
    chosen = choose(between(found))
    with_points(card, chosen).save(args.out / FILE_NAME)
    report = {"chosen": {f"{saving:g}": asdict(one) for saving, one in chosen.items()}}
    print(json.dumps(report | {"combinations": [asdict(one) for one in found]}, indent=1))
    return 0


def _typed_all(args: argparse.Namespace, sources: "list[SourceFile]", runs: Path) -> "tuple[GateCard, list[Row]]":
    """Return the gate as it was trained, and the rows of all cells."""
    from jouline.cli import cells
    from jouline.cli.opening import open_app, settings
    from jouline.lab.gate_points import ROUTES, name, routed
    from jouline.lab.gate_training import SAVINGS
    from jouline.replay.asking import EMBEDDED_PACE
    from jouline.replay.policy import POLICIES
    from jouline.replay.session import Wishes
    from jouline.replay.table import Variant, cell

    combined = {name(gate, route): (gate, route) for gate in SAVINGS for route in ROUTES}
    wanted = [
        Variant(name=label, policy=POLICIES["jouline"], wishes=Wishes(energy_saving=int(gate)))
        for label, (gate, _) in combined.items()
    ]
    rows = cells.read(runs)
    with open_app(settings(), keep_ledger=False) as app:
        gate = _trained(app)
        card = gate.card

        def typed(source: "SourceFile", seed: int, variant: "Variant") -> "Row | None":
            gate.card = routed(card, combined[variant.name][1])
            return cell(app, source, variant, seed=seed, chars=args.chars, pace=EMBEDDED_PACE)

        return card, rows + cells.fill(runs, cells.missing(rows, sources, wanted, (args.seed,)), typed)


def _trained(app: "App") -> "LearnedGate":
    """Return the gate in use; raises ConfigError where there is none, or its points are chosen already."""
    from jouline.router.gate_learned import LearnedGate

    if not isinstance(app.gate, LearnedGate):
        raise ConfigError("There is no gate for the pair in use; make one with `jouline lab gate train`.")
    if app.gate.card.made_from.get("points_chosen_together"):
        raise ConfigError("This gate's points are chosen already; train it anew with `jouline lab gate train` first.")
    return app.gate
