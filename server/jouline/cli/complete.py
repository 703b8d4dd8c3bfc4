"""`jouline complete FILE:LINE:COL`: one completion, as on an explicit request."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from jouline.cancel import CancelToken
from jouline.cli.form import completion_fields
from jouline.cli.opening import open_app, settings
from jouline.cli.source import read_source
from jouline.completion import Completion, CompletionRequest
from jouline.errors import ConfigError
from jouline.languages import language_of

_PLACE = re.compile(r"(.+):([1-9][0-9]{0,8}):([1-9][0-9]{0,8})", re.DOTALL)


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("complete", help="complete at one place of a file")
    parser.add_argument("place", type=place, metavar="FILE:LINE:COL", help="lines and columns count from 1")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_route_options(parser)
    parser.set_defaults(run=run)


def add_route_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model answers."""
    parser.add_argument("--route", default="auto", metavar="auto|small|large|MODEL", help="which model answers")
    parser.add_argument("--energy-saving", type=percent, metavar="0..100", help="0 always the large model")


def place(text: str) -> tuple[Path, int, int]:
    """Parse `FILE:LINE:COL`, both numbers from 1."""
    found = _PLACE.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a place; write FILE:LINE:COL with numbers from 1")
    return Path(found[1]), int(found[2]), int(found[3])


def percent(text: str) -> int:
    """Parse a whole number from 0 to 100."""
    if not text.isdecimal() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 100")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print one completion."""
    path, line, column = args.place
    text = read_source(path)
    prefix, suffix = _around(text, line, column, path)
    config = settings(energy_saving=args.energy_saving)
    request = CompletionRequest(
        uri=path.resolve().as_uri(),
        language=language_of(path),
        text=prefix + suffix,
        offset=len(prefix),
        trigger="invoked",
        route=args.route,
        energy_saving=config.energy_saving,
    )
    with open_app(config) as app:
        completion = app.complete(request, CancelToken())
    print(json.dumps(completion_fields(completion), ensure_ascii=False) if args.json else _plain(completion))
    return 0


def _around(text: str, line: int, column: int, path: Path) -> tuple[str, str]:
    """Return the text before the place and, from the line's end on, after it."""
    lines = text.split("\n")
    if line > len(lines):
        raise ConfigError(f"{path} has {_counted(len(lines), 'line')}, so there is no line {line}.")
    here = lines[line - 1].removesuffix("\r")
    if column > len(here) + 1:
        raise ConfigError(
            f"Line {line} of {path} has {_counted(len(here), 'character')}, so there is no column {column}."
        )
    before = "\n".join([*lines[: line - 1], here[: column - 1]])
    after = "".join("\n" + following for following in lines[line:])
    return before, after


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _plain(completion: Completion) -> str:
    if completion.text:
        return completion.text
    return f"(nothing: {completion.reason})"
