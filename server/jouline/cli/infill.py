"""`jouline infill`: complete rows of prompt and suffix from a file, for benchmarks."""

import argparse
import json
import os
import sys
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from jouline.cancel import CancelToken
from jouline.cli.complete import add_route_options
from jouline.cli.form import completion_fields
from jouline.cli.opening import open_app, settings
from jouline.completion import CompletionRequest
from jouline.errors import ConfigError, JoulineError


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("infill", help="complete the rows of a JSON Lines file")
    parser.add_argument("--in", dest="source", type=Path, required=True, metavar="F.jsonl")
    parser.add_argument("--out", dest="target", type=Path, required=True, metavar="G.jsonl")
    parser.add_argument("--multiline", choices=("auto", "never", "always"), default="auto")
    add_route_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer every row in order, going on after those that are in the output already."""
    from rich.console import Console
    from rich.progress import track

    lines = _read_lines(args.source)
    if os.path.exists(args.target) and args.target.samefile(args.source):  # noqa: PTH110  Path.exists may raise
        raise ConfigError(f"{args.target} is the input itself; name another output file.")
    config = settings(energy_saving=args.energy_saving)
    wishes = {"route": args.route, "energy_saving": config.energy_saving, "multiline": args.multiline}
    done = _count_done(args.target, lines, wishes)
    console = Console(stderr=True)
    with open_app(config, keep_ledger=False) as app, _open_for_append(args.target) as out:
        for line in track(lines[done:], "infill", console=console, disable=not sys.stderr.isatty()):
            row = {**_answer(app, line, wishes), "asked": wishes}
            out.write(json.dumps(row) + "\n")  # in ASCII: a row may hold what no UTF-8 can
            out.flush()
    return 0


def _answer(app: Any, line: bytes, wishes: dict[str, Any]) -> dict[str, Any]:
    row = _row(line)
    if row is None:
        if not _is_utf8(line):
            return {"error": "This line is not UTF-8 text."}
        return {"error": "This line is not a JSON object."}
    if not isinstance(row.get("prompt"), str):
        return {**row, "error": "The row has no text under `prompt`."}
    suffix = row.get("suffix", "")
    if not isinstance(suffix, str):
        return {**row, "error": "The row's `suffix` is not text."}
    try:
        language = row.get("language")
        known = language if isinstance(language, str) else "python"
        return {**row, **_complete(app, row["prompt"], suffix, wishes, language=known)}
    except JoulineError as error:
        return {**row, "error": str(error)}


def _complete(
    app: Any, prompt: str, suffix: str, wishes: dict[str, Any], *, language: str = "python"
) -> dict[str, Any]:
    """Return the fields of one completion that fits between `prompt` and `suffix` as they are.

    At the start of a line with text behind it whole lines are wanted, so the text ends with a line break.
    """
    whole_lines = prompt.endswith("\n") and not suffix.startswith(("\n", "\r"))
    request = CompletionRequest(
        uri="infill:row",
        language=language,
        text=prompt + ("\n" if whole_lines else "") + suffix,
        offset=len(prompt),
        trigger="invoked",
        gate=False,
        cache=False,
        show_all=True,
        **wishes,
    )
    completion = app.complete(request, CancelToken())
    fields = completion_fields(completion)
    rest = request.rest_of_line[: completion.replace]
    fields["completion"] = completion.text.removesuffix(rest) + ("\n" if whole_lines else "")
    return fields


def _read_lines(path: Path) -> list[bytes]:
    """Return the lines that hold anything. Only a line feed ends one: a row's text may hold other breaks."""
    try:
        return [line for line in path.read_bytes().removeprefix(BOM_UTF8).split(b"\n") if line.strip()]
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).") from None


def _count_done(target: Path, lines: list[bytes], wishes: dict[str, Any]) -> int:
    """Return how many rows the output already holds, and cut off a torn last line.

    Raises ConfigError, leaving the file as it is, where it holds anything but answers to these rows and wishes.
    """
    if not os.path.exists(target):  # noqa: PTH110  Path.exists raises where one may not look
        return 0
    try:
        written = target.read_bytes()
    except OSError:
        raise ConfigError(f"{target} cannot be added to; name another output file.") from None
    end = written.rfind(b"\n") + 1
    whole = written[:end].split(b"\n")[:-1]
    if len(whole) > len(lines):
        raise ConfigError(f"{target} holds more rows than the input; name another output file.")
    answers = [_row(line) for line in whole]
    if None in answers or _ids(answers) != _ids([_row(line) for line in lines[: len(whole)]]):
        raise ConfigError(f"{target} holds something else than answers to these rows; name another output file.")
    if any(row and row.get("asked") != wishes for row in answers):
        raise ConfigError(f"{target} holds answers asked for with other settings; name another output file.")
    if end < len(written):
        os.truncate(target, end)
    return len(whole)


def _ids(rows: Sequence[dict[str, Any] | None]) -> list[Any]:
    return [row.get("task_id") if row else None for row in rows]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _row(line: bytes) -> dict[str, Any] | None:
    """Return a line's JSON object, None if it holds none."""
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _open_for_append(target: Path) -> TextIO:
    try:
        return target.open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror}).") from None
