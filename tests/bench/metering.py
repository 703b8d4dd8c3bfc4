"""What measuring itself costs: a share of one core while nothing happens, and processor time a request.

`idle` is the processor time of a process that holds the meters open and does nothing else, its sampler at work, over
some seconds from the sampler's quick beginning on. `request` follows one request as the product does: measuring is two
windows, and the cost model that learns from it and prices it; the session's books and the ledger on disk, its writer's
thread included, stand beside it, as they would be kept without joules too. On a machine without counters the same is
done on files that look like a package with memory, and on a board that is sampled ten times a second; these cost what
the files cost, not what hardware would.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.energy.fakes import FakeNvml, Powercap, board

from jouline.completion import Completion, CompletionRequest, Generation
from jouline.energy.clock import Clock
from jouline.energy.costbook import CostBook
from jouline.energy.entry import new_id
from jouline.energy.ledger import Ledger
from jouline.energy.meter import Meters, open_meters
from jouline.energy.nvml import Nvidia
from jouline.pipeline.account import Account, AlwaysLarge, Run
from jouline.pipeline.books import Books
from jouline.pipeline.costs import Costs

REQUESTS = 500
ROUNDS = 6  # the quickest counts: what others do on the machine only ever adds
PROMPT_TOKENS = 1500
IDLE_S = 20.0
LONGEST_WAIT_S = 0.01
IDLE_PERCENT = 0.5
REQUEST_MS = 0.2
KINDS = {"here": "this machine's meters", "files": "files like RAPL's", "board": "a board at 10 Hz"}


@contextmanager
def meters_of(kind: str) -> Iterator[Meters]:
    """Open the meters of one kind."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "here":
            with open_meters() as meters:
                yield meters
            return
        Powercap(Path(folder)).zone("intel-rapl:0", "package-0")
        Powercap(Path(folder)).zone("intel-rapl:0:0", "dram")
        clock = Clock()
        nvidia = Nvidia(clock, load=lambda: FakeNvml(board(joules=None, pids=[os.getpid()])))
        with open_meters(Path(folder), {}, clock, nvidia) as meters:
            meters.use_gpu(kind == "board")
            yield meters


def idle_percent(kind: str, seconds: float) -> float:
    """Return the processor time of this process while the meters are open and nothing happens, in % of one core."""
    with meters_of(kind):
        began, cpu = time.monotonic(), time.process_time()
        time.sleep(seconds)
        return 100 * (time.process_time() - cpu) / (time.monotonic() - began)


def request_ms(kind: str, requests: int) -> dict[str, float]:
    """Return the processor time that a request's accounts take, all threads, in milliseconds, and its parts."""
    with meters_of(kind) as meters, tempfile.TemporaryDirectory() as folder:
        costs = Costs(meters, CostBook(Path(folder) / "costs.json"), {"small": "s", "large": "l"}, "bench")
        account = Account(meters, costs, AlwaysLarge(8.0), "large")
        with Ledger(Path(folder) / "ledger.sqlite") as ledger:
            books = Books(ledger, session="bench")
            parts = _accounts(meters, account, books, requests)
    return {name: 1e3 * seconds for name, seconds in parts.items()}


def _accounts(meters: Meters, account: Account, books: Books, requests: int) -> dict[str, float]:
    asked = CompletionRequest(uri="bench:", language="python", text="", offset=0)
    runs = [_run(meters, number, wait_s=2 * meters.unit.step_s) for number in range(requests)]
    prompts = [tuple(range(PROMPT_TOKENS + number % 50)) for number in range(requests)]

    def windows() -> None:
        for number in range(requests):
            with meters.window():
                _run(meters, number)

    def prices() -> None:
        for run, prompt in zip(runs, prompts, strict=True):
            account.learn(run)
            energies.append(account.bill(prompt, (run,), run.measurement, 0.1))

    def entries() -> None:
        for energy in energies[-requests:]:
            done = Completion(id=new_id(), text="x", action="generate", reason="bench", model="large", energy=energy)
            books.answered(asked, done)
            books.session()
        books._ledger.flush()

    energies: list[Any] = []
    works = {"windows": windows, "price": prices, "books": entries}
    rounds = [{name: _timed(work) / requests for name, work in works.items()} for _ in range(ROUNDS)]
    quickest = {name: min(each[name] for each in rounds) for name in works}
    return quickest | {"measuring": quickest["windows"] + quickest["price"]}


def _timed(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _run(meters: Meters, number: int, *, wait_s: float = 0.0) -> Run:
    with meters.window() as window:
        if wait_s > 0:  # else it is shorter than a counter's step, and nothing can be learnt from it
            time.sleep(min(wait_s, LONGEST_WAIT_S))
    generation = Generation(
        text="x",
        tokens=(1, 2, 3),
        logprob=-0.1,
        logprobs=(-0.1,),
        margins=(0.9,),
        stop="line",
        prompt_tokens=PROMPT_TOKENS,
        prompt_evaluated=1 + number % 9,
        prompt_work=float(1 + number % 9),
        generated_tokens=3 + number % 5,
        prompt_ms=1.0,
        generate_ms=1.0,
    )
    return Run(tier="large", generation=generation, measurement=window.measurement)


def measure(seconds: float, requests: int) -> dict[str, Any]:
    """Run the whole benchmark; idling is measured in processes of its own, all kinds at once."""
    command = [sys.executable, "-m", "tests.bench.metering", "--seconds", str(seconds), "--idle"]
    idling = {kind: subprocess.Popen([*command, kind], stdout=subprocess.PIPE, text=True) for kind in KINDS}
    idle = {kind: float(process.communicate()[0]) for kind, process in idling.items()}
    return {
        "idle_seconds": seconds,
        "idle_percent_of_core": idle,
        "requests": requests,
        "request_cpu_ms": {kind: request_ms(kind, requests) for kind in KINDS},
        "load_1_min": os.getloadavg()[0],
    }


def within_budget(report: dict[str, Any]) -> bool:
    """Return whether idling and a request's accounts keep their budgets, whatever is read."""
    idle = all(percent < IDLE_PERCENT for percent in report["idle_percent_of_core"].values())
    return idle and all(parts["measuring"] < REQUEST_MS for parts in report["request_cpu_ms"].values())


def _print_table(report: dict[str, Any]) -> None:
    table = Table(title="What measuring costs: processor time")
    for heading in ("what is read", "idle", "a request", "of it windows", "of it price", "beside: books, ledger"):
        table.add_column(heading, justify="left" if heading == "what is read" else "right")
    for kind, name in KINDS.items():
        parts = report["request_cpu_ms"][kind]
        times = (f"{parts[part]:.3f} ms" for part in ("measuring", "windows", "price", "books"))
        table.add_row(name, f"{report['idle_percent_of_core'][kind]:.3f} %", *times)
    table.add_row("budget", f"{IDLE_PERCENT} %", f"{REQUEST_MS} ms", "", "", "")
    Console().print(table)


def main() -> int:
    """Print the report; returns 1 where a budget is not kept."""
    parser = argparse.ArgumentParser(prog="scripts/bench --energy", description="What measuring itself costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seconds", type=float, default=IDLE_S, metavar="S", help="how long to idle")
    parser.add_argument("--requests", type=int, default=REQUESTS, metavar="N", help="how many accounts to keep")
    parser.add_argument("--idle", choices=KINDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.idle:
        sys.stdout.write(f"{idle_percent(args.idle, args.seconds)}\n")
        return 0
    report = measure(args.seconds, args.requests)
    if args.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print_table(report)
    return 0 if within_budget(report) else 1


if __name__ == "__main__":
    sys.exit(main())
