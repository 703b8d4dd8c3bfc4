"""What a request costs beside the models: processor time of the engine's thread outside llama.cpp's decoding.

A typist types passages of files again, every key a request to the whole application. `beside` is what the pipeline,
the router, the gate and the books take, `engine` the engine's own Python (prompts kept, sampling, healing), `waiting`
what the caller's thread takes to find out how long the request waits. The median is what a quiet machine gives; the
mean holds what others do to it.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from jouline.app import App
from jouline.cancel import CancelToken
from jouline.cli.opening import open_app, settings
from jouline.completion import CompletionRequest
from jouline.engine.llama import Context
from jouline.engine.pair import Pair
from jouline.replay.passages import Passage, choose_passages
from jouline.replay.rhythm import Rhythm
from jouline.replay.session import take_out
from jouline.replay.sources import SourceFile
from jouline.replay.typist import Typist

SOURCES = ("statistics", "textwrap", "shlex")
MODEL = "model"
PARTS = ("beside", "engine", "waiting")
Took = dict[str, float]
Keyed = tuple[str, Took]


class Stopwatch:
    """Adds up the processor time of the thread that calls a method, by the method's name here."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that does the same and is timed."""

        def timed(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*given, **named)
            finally:
                self.seconds[name] += time.thread_time() - began

        return timed

    def take(self) -> Took:
        """Return what one request took of each part, in milliseconds, and begin anew."""
        told, self.seconds = self.seconds, Counter()
        beside = {"beside": told["serve"] - told["generate"], "engine": told["generate"] - told["decode"]}
        return {name: 1e3 * seconds for name, seconds in (beside | {"waiting": told["wait"]}).items()}


def type_again(app: App, watch: Stopwatch, source: SourceFile, passage: Passage, wishes: Any) -> Iterator[Keyed]:
    """Type one passage of a file; yield for each key what the answer was and what it took."""
    editor = take_out(source, passage)
    typist = Typist(goal=source.text, passage=passage, rhythm=Rhythm(seed=0))
    while press := typist.next(editor):
        editor.press(press.key)
        typist.pressed(editor, press.key)
        request = CompletionRequest(
            uri=source.uri, language=source.language, text=editor.text, offset=len(editor.before), **wishes
        )
        app.wait_ms(request)
        action = app.complete(request, CancelToken()).action
        yield (action if action in ("cache", "skip") else MODEL), watch.take()


def measure(*, chars: int, seed: int, wishes: Any) -> dict[str, Any]:
    """Type parts of each source again; returns counts, medians and means in milliseconds by action."""
    watch, rows = Stopwatch(), defaultdict(list)
    with ExitStack() as stack:
        for owner, name, label in (
            (App, "_serve", "serve"),
            (App, "wait_ms", "wait"),
            (Pair, "generate", "generate"),
            (Context, "_decode", "decode"),
        ):
            stack.enter_context(patch.object(owner, name, watch.timed(label, getattr(owner, name))))
        app = stack.enter_context(open_app(settings(), keep_ledger=False))
        for module in SOURCES:
            path = Path(os.__file__).with_name(f"{module}.py")
            source = SourceFile(path=path, language="python", text=path.read_text("utf-8"))
            for passage in choose_passages(source.text, language="python", seed=seed, chars=chars):
                watch.take()
                for action, took in type_again(app, watch, source, passage, wishes):
                    rows[action].append(took)
    rows["all"] = [took for each in tuple(rows.values()) for took in each]
    return {action: summarise(each) for action, each in rows.items()} | {"load_1_min": os.getloadavg()[0]}


def summarise(rows: list[Took]) -> dict[str, Any]:
    """Return how many requests there were, and of each part the median and the mean."""
    median = {part: statistics.median(row[part] for row in rows) for part in PARTS}
    return {
        "requests": len(rows),
        "median_ms": median,
        "mean_ms": {part: statistics.fmean(row[part] for row in rows) for part in PARTS},
    }


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="scripts/bench --request", description="A request beside the models.")
    parser.add_argument("--chars", type=int, default=200, help="characters to type again, a file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--route", default="auto")
    parser.add_argument("--energy-saving", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    wishes = {"route": given.route, "energy_saving": given.energy_saving}
    report = measure(chars=given.chars, seed=given.seed, wishes=wishes)
    if given.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    table = Table("answered by", "requests", *PARTS, title="ms of processor time a request, median (mean)")
    for action in sorted(report.keys() - {"load_1_min"}):
        row = report[action]
        times = (f"{row['median_ms'][part]:.2f} ({row['mean_ms'][part]:.2f})" for part in PARTS)
        table.add_row(action, str(row["requests"]), *times)
    Console().print(table)


if __name__ == "__main__":
    main()
