"""`jouline lab gate …`: train the gate on logs of replays, say what it is worth, hold it against recorded choices."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jouline.cli import lab_gate_points


def register(actions: Any, needs_libraries: Callable[..., Any]) -> None:
    """Add the action's parsers."""
    gate = actions.add_parser("gate", help="train and test what decides whether to ask a model at all")
    steps = gate.add_subparsers(dest="step", required=True, metavar="STEP")
    train = steps.add_parser("train", help="train the gate on logs of `jouline replay --log`")
    train.add_argument("--log", type=Path, nargs="+", required=True, metavar="L.jsonl.gz")
    train.add_argument("--validate", type=Path, nargs="+", required=True, metavar="L", help="thresholds are fixed here")
    train.add_argument("--test", type=Path, nargs="+", default=(), metavar="L", help="packages that decided nothing")
    train.add_argument("--out", type=Path, required=True, metavar="DIR")
    train.set_defaults(run=needs_libraries(_train))
    lab_gate_points.register(steps, needs_libraries)
    telemetry = steps.add_parser("telemetry", help="hold both stages against choices of real people")
    telemetry.add_argument("path", type=Path, metavar="T.jsonl.gz")
    telemetry.set_defaults(run=needs_libraries(_telemetry))


def _train(args: argparse.Namespace) -> int:
    from jouline.catalogue.card import load_catalogue
    from jouline.lab.gate_evaluation import evaluate_gate
    from jouline.lab.gate_training import card, fit, points, read_log, requests, save

    pair = load_catalogue().pair()
    learned = requests(read_log(args.log))
    stages = fit(learned)
    found = points(stages, requests(read_log(args.validate)))
    weights = {"small": pair.small.sha256, "large": pair.large.sha256}
    save(stages, card(learned, stages, found, pair=pair.id, weights=weights), args.out)
    report = {"gate": str(args.out), "pair": pair.id}
    tested = {"test": evaluate_gate(stages, found, requests(read_log(args.test)))} if args.test else {}
    print(json.dumps(report | tested, indent=1))
    return 0


def _telemetry(args: argparse.Namespace) -> int:
    from jouline.lab.gate_telemetry import evaluate_telemetry

    print(json.dumps(evaluate_telemetry(args.path), indent=1))
    return 0
