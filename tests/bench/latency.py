"""Latency of the real language server over real pipes, on a 500-line Python file with the key-value state warm.

Two hundred characters in the middle of the file are taken out and typed again one by one; each is an edit and a
request, timed from sending the request to having its answer. Requests for which no model ran (the gate, the cache)
are told apart. `explicit` requests pass the gate and decode to their natural end, `automatic` ones are those of
typing. The time to free the engine after a cancel is what the next request, sent right after it, waited in the queue.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types
from rich.console import Console
from rich.table import Table
from tests.e2e.server_process import ServerProcess, server_process
from tests.lsp.editor import URI

LINES = 500
TYPED_CHARS = 200
CANCELS = 20
SOURCE = Path(statistics.__file__)
BUDGETS_MS = {"small": 60.0, "large": 250.0, "cancel": 100.0}
SAVING = {"small": 100, "large": 0}
KINDS = {
    "explicit": types.InlineCompletionTriggerKind.Invoked,
    "automatic": types.InlineCompletionTriggerKind.Automatic,
}
PASSAGES = {"explicit": LINES // 2, "automatic": LINES // 4}  # apart, so that neither finds the other's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request as the editor saw it, and what the server says it did."""

    elapsed_ms: float
    action: str
    models_run: tuple[str, ...]
    queue_ms: float
    cpu_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Times in milliseconds; None where there was no such request.

    `cpu_median_ms` is the server's processor time, which a busy machine hardly changes: on an idle one a request takes
    little longer than that.
    """

    requests: int
    cpu_median_ms: float | None
    median_ms: float | None
    p95_ms: float | None
    max_ms: float | None


def summary(times_ms: list[float], cpu_ms: list[float]) -> Summary:
    """Return median, 95th percentile (nearest rank) and maximum."""
    if not times_ms:
        return Summary(requests=0, cpu_median_ms=None, median_ms=None, p95_ms=None, max_ms=None)
    ordered = sorted(times_ms)
    p95 = ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
    return Summary(
        requests=len(ordered),
        cpu_median_ms=round(statistics.median(cpu_ms), 1) if cpu_ms else None,
        median_ms=round(statistics.median(ordered), 1),
        p95_ms=round(p95, 1),
        max_ms=round(ordered[-1], 1),
    )


class Bench:
    """One server and the file in it."""

    def __init__(self, editor: ServerProcess) -> None:
        self._editor = editor
        self._lines = SOURCE.read_text("utf-8").split("\n")[:LINES]
        self._version = 1

    def _passage(self, kind: str) -> tuple[int, str]:
        """Return a line that begins a function, and the 200 characters from there."""
        line = next(n for n in range(PASSAGES[kind], LINES) if self._lines[n].startswith("def "))
        return line, "\n".join(self._lines[line:])[:TYPED_CHARS]

    async def type_again(self, kind: str) -> list[Answer]:
        """Type the passage again, with a request after each character; the first warms the key-value state."""
        line, passage = self._passage(kind)
        rest = "\n".join(self._lines[line:])[TYPED_CHARS:]
        self._editor.open("\n".join(self._lines[:line]) + "\n" + rest.partition("\n")[2])
        self._insert(line, 0, "\n")
        await self._ask(line, 0, "explicit")
        answers, column = [], 0
        for character in passage:
            self._insert(line, column, character)
            line, column = (line + 1, 0) if character == "\n" else (line, column + 1)
            answers.append(await self._ask(line, column, kind))
        self._editor.client.text_document_did_close(
            types.DidCloseTextDocumentParams(text_document=types.TextDocumentIdentifier(uri=URI))
        )
        return answers

    async def cancel(self, number: int) -> float | None:
        """Cancel a long request once it runs; return what the next one waited for the engine, None if it was late."""
        uri = f"file:///cancel/{number}.py"
        turned = self._lines[number * 20 :] + self._lines[: number * 20]
        self._editor.open("\n".join(turned), uri=uri)
        name = f"cancel-{number}"
        waiting = self._send(uri, LINES - 3, 0, "explicit", name)
        await asyncio.sleep(0.03)
        self._editor.client.cancel_request(types.CancelParams(id=name))
        follower = asyncio.ensure_future(self._ask(LINES - 3, 0, "explicit", uri=uri))
        first, answer = await asyncio.gather(waiting, follower, return_exceptions=True)
        if isinstance(answer, BaseException):
            raise answer
        return answer.queue_ms if isinstance(first, Exception) else None

    def _insert(self, line: int, column: int, text: str) -> None:
        self._version += 1
        here = types.Position(line=line, character=column)
        change = types.TextDocumentContentChangePartial(range=types.Range(start=here, end=here), text=text)
        named = types.VersionedTextDocumentIdentifier(uri=URI, version=self._version)
        self._editor.client.text_document_did_change(
            types.DidChangeTextDocumentParams(text_document=named, content_changes=[change])
        )

    async def _ask(self, line: int, column: int, kind: str, uri: str = URI) -> Answer:
        began = time.perf_counter()
        await self._send(uri, line, column, kind)
        elapsed_ms = (time.perf_counter() - began) * 1e3
        place = {"uri": uri, "position": {"line": line, "character": column}}
        told: dict[str, Any] = (await self._editor.request("jouline/explain", place))["completion"]
        return Answer(
            elapsed_ms=elapsed_ms,
            action=told["action"],
            models_run=tuple(told["models_run"]),
            queue_ms=told["timings_ms"]["queue"],
            cpu_ms=None if told["cpu_seconds"] is None else told["cpu_seconds"] * 1e3,
        )

    def _send(self, uri: str, line: int, column: int, kind: str, name: str | None = None) -> "asyncio.Future[Any]":
        params = types.InlineCompletionParams(
            context=types.InlineCompletionContext(trigger_kind=KINDS[kind]),
            text_document=types.TextDocumentIdentifier(uri=uri),
            position=types.Position(line=line, character=column),
        )
        protocol = self._editor.client.protocol
        return asyncio.ensure_future(protocol.send_request_async("textDocument/inlineCompletion", params, msg_id=name))


async def measure() -> dict[str, Any]:
    """Run the whole benchmark; returns the report."""
    typing: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        async with server_process(Path(home)) as editor:
            began = time.perf_counter()
            await editor.initialize({"jouline": {"energySaving": 50}})
            initialize_ms = (time.perf_counter() - began) * 1e3
            await editor.until(lambda: editor.statuses and editor.statuses[-1]["state"] in {"ready", "trouble"})
            if editor.statuses[-1]["state"] == "trouble":
                raise SystemExit(editor.statuses[-1]["message"])
            ready_ms = (time.perf_counter() - began) * 1e3
            bench = Bench(editor)
            for tier, saving in SAVING.items():
                settings = types.DidChangeConfigurationParams(settings={"jouline": {"energySaving": saving}})
                editor.client.workspace_did_change_configuration(settings)
                typing[tier] = {kind: _by_work(tier, await bench.type_again(kind)) for kind in KINDS}
            cancels = [await bench.cancel(number) for number in range(CANCELS)]
            await editor.leave()
    waits_ms = [wait for wait in cancels if wait is not None]
    return {
        "machine": {"cpu": _cpu_name(), "threads": os.cpu_count(), "load_1_min": os.getloadavg()[0]},
        "file": f"first {LINES} lines of {SOURCE.name} of Python {platform.python_version()}",
        "typed_chars": TYPED_CHARS,
        "initialize_ms": round(initialize_ms, 1),
        "ready_ms": round(ready_ms, 1),
        "typing": typing,
        "cancel": asdict(summary(waits_ms, [])) | {"too_late": len(cancels) - len(waits_ms)},
    }


def _by_work(tier: str, answers: list[Answer]) -> dict[str, Any]:
    works = {
        "model": [answer for answer in answers if answer.models_run == (tier,)],
        "both_models": [answer for answer in answers if len(answer.models_run) > 1],
        "cache": [answer for answer in answers if answer.action == "cache"],
        "skip": [answer for answer in answers if answer.action == "skip"],
        "all": answers,
    }
    return {name: asdict(_of_answers(group)) for name, group in works.items()}


def _of_answers(answers: list[Answer]) -> Summary:
    cpu_ms = [answer.cpu_ms for answer in answers if answer.cpu_ms is not None]
    return summary([answer.elapsed_ms for answer in answers], cpu_ms)


def _cpu_name() -> str:
    from jouline.hardware import probe

    return probe().cpu_name


def _print_table(report: dict[str, Any]) -> None:
    table = Table(title=f"Milliseconds from request to answer over stdio, {report['file']}")
    for heading in ("what", "requests", "CPU", "median", "p95", "max", "budget"):
        table.add_column(heading, justify="left" if heading == "what" else "right", no_wrap=True)
    rows = [
        (f"{tier}, {kind}, {work}", found, BUDGETS_MS[tier] if work == "model" else None)
        for tier, kinds in report["typing"].items()
        for kind, works in kinds.items()
        for work, found in works.items()
    ]
    rows.append(("free after a cancel", report["cancel"], BUDGETS_MS["cancel"]))
    for what, found, budget in rows:
        if found["requests"]:
            names = ("cpu_median_ms", "median_ms", "p95_ms", "max_ms")
            times = ("" if found[name] is None else f"{found[name]:.1f}" for name in names)
            table.add_row(what, str(found["requests"]), *times, "" if budget is None else f"{budget:.0f}")
    console = Console()
    console.print(table)
    machine = report["machine"]
    console.print(f"{machine['cpu']}, {machine['threads']} threads, load {machine['load_1_min']:.1f}.", highlight=False)
    console.print(f"initialize {report['initialize_ms']} ms, ready {report['ready_ms']} ms.", highlight=False)


def within_budget(report: dict[str, Any]) -> bool:
    """Return whether every median, and every wait after a cancel, keeps its budget."""
    medians = [
        (report["typing"][tier][kind]["model"]["median_ms"], BUDGETS_MS[tier]) for tier in SAVING for kind in KINDS
    ]
    waits = (report["cancel"]["max_ms"], BUDGETS_MS["cancel"])
    return all(found is not None and found < budget for found, budget in (*medians, waits))


def main() -> int:
    """Print the report; returns 1 where a budget is not kept."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Latency of the language server over stdio.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args()
    report = asyncio.run(measure())
    if args.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print_table(report)
    return 0 if within_budget(report) else 1


if __name__ == "__main__":
    sys.exit(main())
