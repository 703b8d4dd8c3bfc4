"""`jouline replay PATH…`: type files again through the same pipeline as the editor, and report what it was worth."""

import argparse
import gzip
import json
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from jouline.cli.complete import add_route_options
from jouline.cli.opening import open_app, settings
from jouline.cli.source import read_source
from jouline.config import Config
from jouline.errors import ConfigError
from jouline.languages import language_of
from jouline.replay.asking import EMBEDDED_PACE, Pace
from jouline.replay.events import Event
from jouline.replay.log import rows
from jouline.replay.policy import POLICIES
from jouline.replay.report import report_fields
from jouline.replay.rhythm import DEFAULT_SPEED_CPS
from jouline.replay.run import CHARS_PER_FILE, Options, Typing, plan, replay
from jouline.replay.session import Wishes
from jouline.replay.sources import SourceFile

_MOST_FILES = 20
_NOT_CODE = frozenset({"plaintext", "json", "markdown", "toml", "yaml"})
_LEFT_OUT = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "build", "dist"})


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("replay", help="type files again as a person would and report what was saved")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="complete files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_typing_options(parser)
    parser.add_argument("--policy", choices=POLICIES, default="jouline", help="when requests are made, and cancelled")
    parser.add_argument("--chars", type=_positive_int, default=CHARS_PER_FILE, help="about how much to type of a file")
    parser.add_argument("--files", type=_positive_int, default=_MOST_FILES, help="at most how many, drawn by the seed")
    parser.add_argument("--clock", choices=("fixed", "measured"), help="what decides which answers come in time")
    parser.add_argument("--log", type=Path, metavar="L.jsonl.gz", help="keep a row a request, to train a gate on")
    parser.add_argument("--table", type=Path, metavar="T.jsonl", help="compare ways to ask; goes on where it stopped")
    parser.add_argument("--seeds", type=_positive_int, default=1, help="with --table: how many seeds, from --seed on")
    parser.set_defaults(run=run)


def add_typing_options(parser: argparse.ArgumentParser, speed_cps: float = DEFAULT_SPEED_CPS) -> None:
    """Add the options that say who types how fast, and which model answers."""
    parser.add_argument("--speed", type=_speed, default=speed_cps, metavar="CPS", help="characters typed a second")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same number, same passages and keystrokes")
    add_route_options(parser)


def run(args: argparse.Namespace) -> int:
    """Replay the files and print the report."""
    from rich.console import Console

    sources = draw_files(gather(args.paths), args.files, args.seed)
    if args.table is not None:
        from jouline.cli.replay_table import table

        return table(args, sources)
    config = settings(energy_saving=args.energy_saving)
    options = Options(
        seed=args.seed,
        speed_cps=args.speed,
        chars=args.chars,
        policy=POLICIES[args.policy],
        wishes=Wishes(route=args.route, energy_saving=config.energy_saving),
        pace=_pace(args.clock, config),
    )
    typings = plan_all(sources, options)
    errors = Console(stderr=True)
    with (
        open_app(config, keep_ledger=False, learned_gate=args.log is None) as app,
        errors.status("opening") as status,
        _log(args.log) as log,
    ):
        tally, around = replay(typings, app, options, lambda typing: status.update(f"typing {typing.source.path}"), log)
    report = report_fields(tally, around)
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        from jouline.replay.summary import summary

        Console().print(summary(report))
    return 0


def _pace(clock: str | None, config: Config) -> Pace | None:
    """Return the embedded pair's fixed pace unless times are to be measured; other pairs are always measured."""
    embedded = (config.model_small, config.model_large) == ("", "")
    return EMBEDDED_PACE if embedded and clock != "measured" else None


@contextmanager
def _log(path: Path | None) -> Iterator[Callable[[Typing, Iterable[Event]], None] | None]:
    """Open a log of requests; it appears under its name only once it is whole."""
    if path is None:
        yield None
        return
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(partial, "wt", encoding="utf-8") as lines:

        def keep(typing: Typing, events: Iterable[Event]) -> None:
            source = typing.source
            for row in rows(events, file=source.path.name, group=source.group, seed=typing.rhythm.seed):
                lines.write(json.dumps(row) + "\n")

        yield keep
    partial.replace(path)


def plan_all(sources: Sequence[SourceFile], options: Options) -> list[Typing]:
    """Draw the passages; files that have none are told on stderr. Raises ConfigError where nothing is left."""
    typings = []
    for typing in plan(sources, options):
        if typing.passages:
            typings.append(typing)
        else:
            _tell(f"{typing.source.path} has no line of code to type again.")
    if not typings:
        raise ConfigError("There is nothing to type again; give files with code in them.")
    return typings


def gather(paths: Sequence[Path]) -> list[SourceFile]:
    """Read all files named or found; each that cannot be used costs one sentence on stderr and no more."""
    sources = []
    for path in paths:
        found = sorted(_code_files(path)) if path.is_dir() else [path]
        if not found:
            _tell(f"{path} has no source code in it; give a folder or a file with code.")
        for file in found:
            try:
                sources.append(changed(read(file), group=path.name))
            except ConfigError as error:
                _tell(str(error))
    return sources


def read(path: Path) -> SourceFile:
    """Read a file to be typed again; raises ConfigError with one sentence for what cannot be."""
    text = read_source(path)
    if not text.strip():
        raise ConfigError(f"{path} is empty; give a file with code in it.")
    return SourceFile(path=path, language=language_of(path), text=text)


def draw_files(sources: list[SourceFile], most: int, seed: int) -> list[SourceFile]:
    """Return at most `most` files, drawn evenly, and say so on stderr where some are left out."""
    if len(sources) <= most:
        return sources
    _tell(f"typing {most} of {len(sources)} files, drawn by the seed {seed}; --files takes more.")
    chosen = random.Random(f"{seed}:files").sample(range(len(sources)), most)
    return [sources[index] for index in sorted(chosen)]


def _code_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _LEFT_OUT]
        for name in names:
            path = Path(place, name)
            if language_of(path) not in _NOT_CODE and path.is_file() and path.stat().st_size:
                yield path


def _tell(sentence: str) -> None:
    print(f"jouline: {sentence}", file=sys.stderr)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed from 0.1 to 1000 characters a second")
    return speed


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
