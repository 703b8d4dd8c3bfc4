"""`jouline demo [FILE]`: watch a real file being typed: ghost text, the model that gave it and why, joules."""

import argparse
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jouline
from jouline.cli.opening import open_app, settings
from jouline.cli.replay import add_typing_options, plan_all, read
from jouline.replay.events import Event
from jouline.replay.run import Options, Typing, play
from jouline.replay.session import Wishes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from jouline.replay.tally import Tally

_SPEED_CPS = 6.0  # brisk, yet slow enough for the eye and for a busy machine
_CHARS = 130
_READING = 3.0  # times as long as a person alone would look at a suggestion
_LONGEST_S = 40.0
_OWN_FILE = Path("catalogue", "store.py")


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("demo", help="watch a file being typed, with ghost text and joules")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="code to type; else one of ours")
    add_typing_options(parser, speed_cps=_SPEED_CPS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the typing live on a terminal, or tell it in plain lines."""
    from rich.console import Console

    source = read(args.file or Path(jouline.__file__).parent / _OWN_FILE)
    config = settings(energy_saving=args.energy_saving)
    wishes = Wishes(route=args.route, energy_saving=config.energy_saving)
    options = Options(seed=args.seed, speed_cps=args.speed, chars=_CHARS, reading=_READING, wishes=wishes)
    typing = plan_all([source], options)[0]
    console = Console(highlight=False)
    with console.status("opening the models"):
        opened = open_app(config, keep_ledger=False)
    with opened as app:
        events = play(typing, app, options)
        tally = _perform(typing, events, console) if _has_room(console) else _recount(typing, events, console)
    _conclude(tally, console)
    return 0


def _has_room(console: "Console") -> bool:
    """Whether the output is a terminal that can draw, and large enough."""
    from jouline.replay.stage import LEAST_COLUMNS, LEAST_ROWS

    able = console.is_terminal and not console.is_dumb_terminal
    return able and console.width >= LEAST_COLUMNS and console.height >= LEAST_ROWS


def _perform(typing: Typing, events: Iterator[Event], console: "Console") -> "Tally":
    """Draw every event when its time comes; Ctrl+C ends the show early and leaves the terminal as it was."""
    from rich.live import Live

    from jouline.replay.stage import Stage

    stage = Stage(
        typing.source, title=_name(typing.source.path), passages=len(typing.passages), seed=typing.rhythm.seed
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the terminal is put back then too
    try:
        with Live(stage, console=console, screen=True, auto_refresh=False) as live:
            for event in _paced(events):
                stage.show(event)
                live.refresh()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
    return stage.tally


def _paced(events: Iterator[Event]) -> Iterator[Event]:
    """Yield each event at its own time, until the show has lasted long enough."""
    began = time.monotonic()
    for event in events:
        time.sleep(max(0.0, began + event.at_ms / 1e3 - time.monotonic()))
        yield event
        if time.monotonic() - began > _LONGEST_S:
            return


def _recount(typing: Typing, events: Iterator[Event], console: "Console") -> "Tally":
    """Print what happens in plain lines, without waiting."""
    from jouline.replay.narration import Narrator
    from jouline.replay.tally import Tally

    narrator, tally = Narrator(), Tally()
    parts = f"{len(typing.passages)} parts of {_name(typing.source.path)}, drawn by seed {typing.rhythm.seed}"
    _print(console, f"Typing again: {parts}.")
    for event in events:
        tally.add(event)
        _print(console, *narrator.tell(event))
    _print(console, *narrator.finish(), "")
    return tally


def _conclude(tally: "Tally", console: "Console") -> None:
    from jouline.replay.wording import totals

    _print(console, *totals(tally))
    _print(console, "`jouline replay FILE` reports in full; `jouline energy` tells how joules are known here.")


def _print(console: "Console", *lines: "str | Text") -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _name(path: Path) -> str:
    """Return the path as one would type it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
