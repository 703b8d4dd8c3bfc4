"""`jouline lab …`: the research bench (extra `lab`), each command a thin front of a module of `jouline.lab`."""

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jouline.cli import lab_gate
from jouline.cli.complete import percent
from jouline.errors import ConfigError

_LIBRARIES = ("sklearn", "skl2onnx", "pyarrow", "matplotlib")
_TIERS = ("small", "large")
_SAVINGS = (25, 50, 75)


def register(commands: Any) -> None:
    """Add the command's parsers."""
    group = commands.add_parser("lab", help="the research bench: outcome tables, routers, evaluation")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_packages(actions)
    _add_collect(actions)
    _add_train(actions)
    _add_calibrate(actions)
    _add_evaluate(actions)
    _add_retype(actions)
    _add_excerpts(actions)
    _add_simulate(actions)
    _add_floor(actions)
    _add_report(actions)
    lab_gate.register(actions, _needs_libraries)


def _add_packages(actions: Any) -> None:
    parser = actions.add_parser("packages", help="fetch the pinned packages that the embedded pair has never seen")
    parser.add_argument("part", choices=("train", "validate", "test"))
    parser.add_argument("--folder", type=Path, required=True, help="where they are kept")
    parser.set_defaults(run=_packages)


def _add_collect(actions: Any) -> None:
    parser = actions.add_parser("collect", help="complete places in real code with any models, into a table")
    what = "a package's folder, a file of code, or a .jsonl file of problems with unit tests"
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=what)
    which = "catalogue ids, GGUF files, or small,large: the pair in use, with what escalating costs"
    parser.add_argument("--models", required=True, metavar="A,B,…", help=which)
    parser.add_argument("--out", type=Path, required=True, metavar="T.jsonl.gz")
    parser.add_argument("--places", type=_count, default=1000, help="over all packages (default 1000)")
    parser.add_argument("--per-line", type=_count, default=4, help="at most so many in one line (default 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_collect)


def _add_train(actions: Any) -> None:
    parser = actions.add_parser("train", help="train a router on outcome tables")
    _tables(parser, "--outcomes")
    parser.add_argument("--router", required=True, metavar="R", help="classifier (the product's), or another by name")
    _models(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.set_defaults(run=_needs_libraries(_train))


def _add_calibrate(actions: Any) -> None:
    parser = actions.add_parser("calibrate", help="fix a router's operating points on tables it was not trained on")
    parser.add_argument("--router", type=Path, required=True, metavar="DIR")
    _tables(parser, "--outcomes")
    _models(parser)
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--quality-floor", type=float, metavar="Q", help="percent of the large model's quality to keep")
    wanted.add_argument("--large-share", type=float, metavar="S", help="share of requests for the large model, 0..1")
    wanted.add_argument("--energy-saving", type=percent, metavar="N")
    parser.set_defaults(run=_needs_libraries(_calibrate))


def _add_evaluate(actions: Any) -> None:
    parser = actions.add_parser("evaluate", help="hold routers against each other and the line between the models")
    _tables(parser, "--train")
    _tables(parser, "--validate", required=False)
    _tables(parser, "--test", required=False)
    parser.add_argument("--routers", default="", metavar="R1,R2,…", help="by name; random and oracle are always there")
    parser.add_argument("--router", type=Path, metavar="DIR", help="a trained router's folder, evaluated as `shipped`")
    parser.add_argument("--models", default="", metavar="A,B,C,…", help="choose among these; else --small and --large")
    parser.add_argument("--small", metavar="A", help="the small end (default small; of --models the cheapest)")
    parser.add_argument("--large", metavar="B", help="the large end (default large; of --models the best)")
    parser.add_argument("--quality", choices=("exact", "shown"), default="exact", help="right, or right and shown")
    parser.add_argument(
        "--folds", type=_count, default=0, metavar="K", help="test on every K-th part of --train in turn"
    )
    parser.add_argument("--hashed", action="store_true", help="hash texts though a sentence encoder is installed")
    parser.add_argument("--resamples", type=_count, default=1000, help="bootstrap draws of whole packages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_needs_libraries(_evaluate))


def _add_retype(actions: Any) -> None:
    parser = actions.add_parser("retype", help="type blocks of code again: what routing costs request after request")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a package's folder, or a file")
    parser.add_argument("--router", type=Path, required=True, metavar="DIR")
    parser.add_argument("--blocks", type=_count, default=6, help="of every package (default 6)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_needs_libraries(_retype))


def _add_excerpts(actions: Any) -> None:
    parser = actions.add_parser("excerpts", help="what pieces of other files are worth in the prompt")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a package's folder")
    parser.add_argument("--places", type=_count, default=500, help="over all packages (default 500)")
    parser.add_argument("--tokens", type=_count, default=128, help="of the prompt for other files (default 128)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_needs_libraries(_excerpts))


def _add_simulate(actions: Any) -> None:
    parser = actions.add_parser("simulate", help="what other policies would have earned, from a bandit's log")
    parser.add_argument("--log", type=Path, required=True, metavar="L.jsonl.gz")
    parser.add_argument("--contexts", type=Path, nargs="+", default=(), metavar="T", help="tables with the texts")
    parser.add_argument("--policies", default="", metavar="P1,P2,…", help="by name (default all)")
    parser.add_argument("--replays", type=_count, default=40, help="passes through the log in random order")
    parser.add_argument("--resamples", type=_count, default=1000, help="bootstrap draws of whole queries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_needs_libraries(_simulate))


def _add_floor(actions: Any) -> None:
    parser = actions.add_parser("floor", help="whether the quality floor holds, on streams that change half-way")
    _tables(parser, "--train")
    _tables(parser, "--test", required=False)
    _models(parser)
    parser.add_argument("--runs", type=_count, default=200)
    parser.add_argument("--requests", type=_count, default=5000)
    parser.add_argument("--percent", type=float, default=90.0, help="of the large model's quality to keep (default 90)")
    parser.add_argument("--harder", type=float, default=1.5, help="how much likelier the small model's failures become")
    parser.add_argument("--seen", type=_share, default=1.0, help="share of answers whose quality is seen (default 1)")
    parser.add_argument("--caution", type=float, default=1.0, help="V of the virtual queue (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_needs_libraries(_floor))


def _add_report(actions: Any) -> None:
    parser = actions.add_parser("report", help="one HTML page with plots, and PNG files, of runs printed with --json")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="what evaluate, simulate or floor printed")
    parser.add_argument("--out", type=Path, default=Path("report"), metavar="DIR", help="default ./report")
    parser.set_defaults(run=_needs_libraries(_report))


def _tables(parser: argparse.ArgumentParser, name: str, *, required: bool = True) -> None:
    parser.add_argument(name, type=Path, nargs="+", required=required, metavar="T", help="outcome tables")


def _models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--small", default="small", metavar="A", help="the small model's name in the tables")
    parser.add_argument("--large", default="large", metavar="B", help="the large model's name in the tables")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0 and at most 1")
    return value


def _needs_libraries(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Say in one sentence what to install where the extra `lab` is not."""

    def checked(args: argparse.Namespace) -> int:
        missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
        if missing:
            names = ", ".join(missing)
            raise ConfigError(f"The lab needs {names}: install the extra with `pip install 'jouline[lab]'`.")
        return run(args)

    return checked


def _packages(args: argparse.Namespace) -> int:
    from jouline.lab.packages import fetch

    for root in fetch(args.part, args.folder):
        print(root)
    return 0


def _collect(args: argparse.Namespace) -> int:
    from jouline.lab.asks import is_problems
    from jouline.lab.live import collect_with_models, collect_with_pair

    models = tuple(_names(args.models))
    _check_paths(args.paths)
    drawn = {"places": args.places, "per_line": args.per_line, "seed": args.seed}
    if models == _TIERS and not any(map(is_problems, args.paths)):
        print(json.dumps({"out": str(args.out), "rows_added": collect_with_pair(args.paths, args.out, **drawn)}))
        return 0
    added = collect_with_models(models, args.paths, args.out, **drawn)
    print(json.dumps({"out": str(args.out), "outcomes_added": added}))
    return 0


def _check_paths(paths: list[Path]) -> None:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ConfigError(f"There is no {', '.join(missing)}.")


def _retype(args: argparse.Namespace) -> int:
    from jouline.lab.live import retype_with_pair
    from jouline.lab.report import sequence_text

    _check_paths(args.paths)
    rows = retype_with_pair(args.paths, args.router, per_group=args.blocks, savings=_SAVINGS, seed=args.seed)
    print(json.dumps({"policies": rows}) if args.json else sequence_text(rows))
    return 0


def _excerpts(args: argparse.Namespace) -> int:
    from jouline.lab.live import excerpts_with_pair
    from jouline.lab.report import excerpts_text

    _check_paths(args.paths)
    rows = excerpts_with_pair(args.paths, places=args.places, tokens=args.tokens, seed=args.seed)
    print(json.dumps({"choices": rows}) if args.json else excerpts_text(rows))
    return 0


def _train(args: argparse.Namespace) -> int:
    from jouline.catalogue.card import load_catalogue
    from jouline.lab.kept import keep
    from jouline.lab.outcomes import read_all
    from jouline.lab.product import train_router
    from jouline.lab.table import table

    outcomes = table(read_all(args.outcomes), args.small, args.large)
    if args.router != "classifier":
        print(json.dumps({"out": str(args.out)} | keep(args.router, outcomes, args.out)))
        return 0
    pair = load_catalogue().pair()
    weights = {"small": pair.small.sha256, "large": pair.large.sha256}
    trained = train_router(outcomes, args.out, pair=pair.id, weights=weights)
    print(json.dumps({"router": str(args.out), "pair": pair.id, "log_loss": trained.scores}))
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from jouline.lab.kept import fix_point, is_kept
    from jouline.lab.outcomes import read_all
    from jouline.lab.product import calibrate_router, pick_point, point_of_share
    from jouline.lab.table import table

    outcomes = table(read_all(args.outcomes), args.small, args.large)
    if is_kept(args.router):
        wanted = {name: getattr(args, name) for name in ("large_share", "quality_floor", "energy_saving")}
        print(json.dumps(fix_point(args.router, outcomes, **wanted)))
        return 0
    calibration = calibrate_router(args.router, outcomes)
    if args.large_share is not None:
        point = point_of_share(calibration, outcomes, args.router, args.large_share)
    else:
        point = pick_point(
            calibration,
            quality_floor=args.quality_floor,
            energy_saving=args.energy_saving,
        )
    print(json.dumps(asdict(point) | {"cost_unit": calibration.cost_unit}))
    return 0


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    if args.models:
        return {"models": tuple(_names(args.models)), "ends": (args.small, args.large)}
    ends = (args.small or "small", args.large or "large")
    return {"models": ends, "ends": ends}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _evaluate(args: argparse.Namespace) -> int:
    from jouline.lab.evaluate import evaluate_tables
    from jouline.lab.report import as_text

    report = evaluate_tables(
        train=args.train,
        validate=args.validate,
        test=args.test,
        **_chosen(args),
        routers=_names(args.routers),
        folder=args.router,
        shown=args.quality == "shown",
        hashed=args.hashed,
        folds=args.folds,
        seed=args.seed,
        times=args.resamples,
    )
    for reason in report["routers_left_out"].values():
        print(f"jouline: {reason}", file=sys.stderr)
    if absent := report["rows_left_out"]:
        print(f"jouline: Rows without an outcome of both models are left out: {absent}.", file=sys.stderr)
    print(json.dumps(report) if args.json else as_text(report))
    return 0


def _simulate(args: argparse.Namespace) -> int:
    from jouline.lab.logged import read_log
    from jouline.lab.outcomes import read_all
    from jouline.lab.report import simulation_text
    from jouline.lab.simulate import POLICIES, simulate

    log = read_log(args.log, read_all(args.contexts))
    names = _names(args.policies) or POLICIES
    report = simulate(log, names, replays=args.replays, times=args.resamples, seed=args.seed)
    print(json.dumps(report) if args.json else simulation_text(report))
    return 0


def _floor(args: argparse.Namespace) -> int:
    from jouline.lab.floor import Trial, try_floor
    from jouline.lab.report import floor_text

    names = ("runs", "requests", "percent", "harder", "seen", "caution", "seed")
    trial = Trial(**{name: getattr(args, name) for name in names})
    report = try_floor(args.train, args.test, (args.small, args.large), trial)
    print(json.dumps(report) if args.json else floor_text(report))
    return 0


def _report(args: argparse.Namespace) -> int:
    from jouline.lab.page import write_page

    print(write_page(args.runs, args.out))
    return 0
