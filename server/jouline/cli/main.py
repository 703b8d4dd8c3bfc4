"""The `jouline` command: parse, run, and turn every expected failure into one sentence."""

import argparse
import importlib
import io
import logging
import sys
from collections.abc import Sequence

from jouline import __version__
from jouline.errors import JoulineError

_GROUPS = (
    "complete",
    "infill",
    "replay",
    "demo",
    "serve",
    "models",
    "energy",
    "stats",
    "router",
    "calibrate",
    "lab",
    "doctor",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 done, 1 could not (one sentence on stderr), 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character is no reason to fail
    if not logging.root.handlers:
        logging.root.addHandler(logging.NullHandler())  # else Python prints what libraries warn of
    parser = build_parser()
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except JoulineError as error:
        print(f"jouline: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("jouline: stopped.", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; say nothing more
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="jouline", description="Code completion on your own machine that counts its joules."
    )
    parser.add_argument("--version", action="version", version=f"jouline {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in _GROUPS:
        importlib.import_module(f"jouline.cli.{group}").register(commands)
    return parser
