"""`jouline doctor`: checks the installation part by part and says what to do."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from jouline import __version__
from jouline.config import Config, Folders, by_cause, can_write, load
from jouline.errors import JoulineError

Verdict = Literal["ok", "warning", "broken"]
MARKS = {"ok": "✓", "warning": "!", "broken": "✗"}
OLDEST_PYTHON = (3, 11)
DAY_S = 86_400.0
PLACE = "def mean(values):\n    return sum(values) / len("


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found, in sentences that say what to do. A warning costs something, but completions are given."""

    part: str
    verdict: Verdict
    message: str


Check = Callable[[Config, Folders], tuple[Verdict, str]]


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("doctor", help="check the whole installation and say what to do")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 where something is broken."""
    folders = Folders.find()
    config, problems = load(folders.user_file)
    findings = [Finding(part="settings", verdict="warning", message=problem) for problem in problems]
    findings += [_examine(part, check, config, folders) for part, check in CHECKS.items()]
    whole = all(finding.verdict != "broken" for finding in findings)
    if args.json:
        print(json.dumps({"version": __version__, "ok": whole, "checks": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            print(f"{MARKS[finding.verdict]} {finding.part}: {finding.message}")
    return 0 if whole else 1


def _examine(part: str, check: Check, config: Config, folders: Folders) -> Finding:
    try:
        verdict, message = check(config, folders)
    except JoulineError as error:
        verdict, message = "broken", str(error)
    except (ImportError, OSError) as error:
        verdict, message = "broken", f"{error}; install Jouline again."
    return Finding(part=part, verdict=verdict, message=message)


def check_python(_config: Config, _folders: Folders) -> tuple[Verdict, str]:
    """Look whether Python is new enough."""
    where = f"Python {platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return "broken", f"{where}; install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer."
    return "ok", f"{where}."


def check_engine(_config: Config, _folders: Folders) -> tuple[Verdict, str]:
    """Load the libraries that run models."""
    from jouline.engine.llama import supports_gpu

    importlib.import_module("onnxruntime")
    importlib.import_module("tokenizers")
    names = ("llama-cpp-python", "onnxruntime", "tokenizers", "pygls")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return "ok", f"{versions}; the engine {'can' if supports_gpu() else 'cannot'} use a GPU in this build."


def check_folders(_config: Config, folders: Folders) -> tuple[Verdict, str]:
    """Look whether what is kept can be written."""
    places = {"data": folders.data, "cache": folders.cache, "log": folders.log}
    closed = [f"{name} ({place})" for name, place in places.items() if not can_write(place)]
    if closed:
        return "warning", f"Cannot write in the folders {', '.join(closed)}; make them writable or set JOULINE_HOME."
    return "ok", f"Settings in {folders.user_file}, data in {folders.data}, log in {folders.log}."


def check_models(config: Config, folders: Folders) -> tuple[Verdict, str]:
    """Read both models, which must be whole, to the last byte where their checksum is known."""
    from jouline.catalogue.card import bundled_folder, load_catalogue
    from jouline.catalogue.choice import choose_pair
    from jouline.catalogue.store import ModelStore

    pair = choose_pair(load_catalogue(), config.model_small, config.model_large)
    store = ModelStore(data_dir=folders.data / "models", bundled_dir=bundled_folder())
    for stage in (pair.small, pair.large):
        store.verify(stage)
    return "ok", f"Pair {pair.id}: {pair.small.id} and {pair.large.id} are whole."


def check_completion(config: Config, folders: Folders) -> tuple[Verdict, str]:
    """Complete with both models, and tell what had to be done without."""
    from jouline.app import build
    from jouline.cancel import CancelToken
    from jouline.completion import CompletionRequest

    request = CompletionRequest(
        uri="doctor:", language="python", text=PLACE, offset=len(PLACE), trigger="invoked", cache=False
    )
    with build(config, folders, keep_ledger=False) as app:
        answers = {tier: app.complete(replace(request, route=tier), CancelToken()) for tier in ("small", "large")}
        problems = (
            *(each for each in app.problems if by_cause(each, folders) == each),
            *(switch.sentence for switch in app.session_energy().switches),
        )
    answered = ", ".join(f"{tier} in {answer.timings.total_ms:.0f} ms" for tier, answer in answers.items())
    return ("warning" if problems else "ok"), " ".join((f"Both models answer ({answered}).", *problems))


def check_meters(_config: Config, folders: Folders) -> tuple[Verdict, str]:
    """Tell whether joules are counted, or why they are only estimated, and whether that changed of late."""
    from jouline.energy.meter import open_meters

    with open_meters() as meters:
        names = ", ".join(meter.name for meter in meters.all)
        if meters.counts_joules:
            return "ok", f"Joules are counted by {names}.{_mixed(folders)}"
        reasons = " ".join(f"{each.name}: {each.reason}. {each.remedy or ''}".strip() for each in meters.unavailable)
    return "warning", f"Joules are estimated by {names}, as no counter can be read. {reasons}{_mixed(folders)}"


def check_ledger(_config: Config, folders: Folders) -> tuple[Verdict, str]:
    """Look whether the ledger can be read and written; a damaged one is put aside."""
    from jouline.energy.ledger import FILE_NAME, Ledger

    path = folders.data / FILE_NAME
    if not os.path.exists(path):  # noqa: PTH110  Path.exists raises where one may not look
        return "ok", "Nothing has been recorded yet."
    with Ledger(path) as ledger:
        requests = ledger.totals().requests
        return ("warning", ledger.problem) if ledger.problem else ("ok", f"{requests} requests are recorded in {path}.")


def _mixed(folders: Folders) -> str:
    """Tell of the last day's requests by how their joules are known, where that changed; else nothing."""
    from jouline.energy.ledger import FILE_NAME, Ledger

    path = folders.data / FILE_NAME
    if not os.path.exists(path):  # noqa: PTH110  Path.exists raises where one may not look
        return ""
    with Ledger(path) as ledger:
        totals = ledger.totals(since=time.time() - DAY_S)
    classes = {"measured": totals.measured, "attributed": totals.attributed, "estimated": totals.estimated}
    used = [f"{count} {name}" for name, count in classes.items() if count]
    return f" In the last day the method changed: {', '.join(used)}; the log says when." if len(used) > 1 else ""


CHECKS: dict[str, Check] = {
    "python": check_python,
    "engine": check_engine,
    "folders": check_folders,
    "models": check_models,
    "completion": check_completion,
    "ledger": check_ledger,
    "energy": check_meters,
}
