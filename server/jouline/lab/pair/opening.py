"""What opening a pair costs: time to load it, time to the small model's first answer after that, bytes it takes.

Every reading is taken in a process of its own, nothing warmed up but the file system's cache.

    python -m jouline.lab.pair.opening FRONT BACK
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Tier
from jouline.engine.llama import AbortFlag, Context, Weights
from jouline.engine.options import EngineOptions
from jouline.engine.session import TokenSession
from jouline.lab.pair.evaluate import CONTEXT_TOKENS, LINE, completer

RUNS = 7
SOURCE = Path(statistics.__file__)  # a file with more text than a prompt holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One opening: wall and CPU time to load and to the first answer, bytes added by both models after an answer each.

    The request is one the process has not seen: it reads a full prompt.
    """

    load_ms: float
    load_cpu_ms: float
    first_answer_ms: float
    first_answer_cpu_ms: float
    pair_bytes: int


def read(front: Path, back: Path) -> Reading:
    """Take one reading in this process, which must not have opened a model yet."""
    before_bytes = own_bytes()
    clocks = [_clocks()]
    engine, complete = completer(front, back)
    clocks.append(_clocks())
    text = SOURCE.read_text("utf-8")
    request = CompletionRequest(uri="m.py", language="python", text=text, offset=text.index("\n", len(text) // 2) - 10)
    tiers: tuple[Tier, Tier] = ("small", "large")
    for tier in tiers:
        complete.generate(request, tier, CancelToken(), LINE)
        clocks.append(_clocks())
    added = own_bytes() - before_bytes
    engine.close()
    (load_ms, load_cpu_ms), (first_ms, first_cpu_ms), _ = ((b[0] - a[0], b[1] - a[1]) for a, b in pairwise(clocks))
    return Reading(
        load_ms=load_ms,
        load_cpu_ms=load_cpu_ms,
        first_answer_ms=first_ms,
        first_answer_cpu_ms=first_cpu_ms,
        pair_bytes=added,
    )


def front_bytes(front: Path) -> int:
    """Return the bytes that the front alone adds to this process, after a full prompt."""
    before = own_bytes()
    options = EngineOptions(context_tokens=CONTEXT_TOKENS, batch_tokens=128, threads=1)
    weights = Weights(front)
    context = Context(weights, options, AbortFlag(), states=True)
    session = TokenSession(context, keep_states=True)
    session.sync(weights.tokenise(SOURCE.read_text("utf-8"))[: CONTEXT_TOKENS - 1])
    added = own_bytes() - before
    context.close()
    weights.close()
    return added


def own_bytes() -> int:
    """Return the bytes of this process that no other shares."""
    return int(psutil.Process().memory_full_info().uss)


def _clocks() -> tuple[float, float]:
    return 1e3 * time.perf_counter(), 1e3 * time.process_time()


def readings(front: Path, back: Path, runs: int = RUNS) -> list[Reading]:
    """Return readings from as many new processes, after one that fills the file system's cache."""
    return [Reading(**_elsewhere("pair", front, back)) for _ in range(runs + 1)][1:]


def _elsewhere(part: str, front: Path, back: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "jouline.lab.pair.opening", str(front), str(back), f"--take={part}"]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def figures(front: Path, back: Path) -> dict[str, object]:
    """Return medians and least of several readings, and the bytes of the small model and of what the large one adds."""
    taken = readings(front, back)
    small = int(_elsewhere("front", front, back)["bytes"])
    pair = int(statistics.median(reading.pair_bytes for reading in taken))
    times = {
        name: {"median": statistics.median(values), "least": min(values)}
        for name in ("load_ms", "load_cpu_ms", "first_answer_ms", "first_answer_cpu_ms")
        if (values := [getattr(reading, name) for reading in taken])
    }
    return {**times, "processes": len(taken), "memory_bytes": {"small": small, "large": pair - small}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of a pair, or what one process takes, as JSON."""
    parser = argparse.ArgumentParser(prog="opening", description="what it costs to open a pair and get an answer")
    parser.add_argument("front", type=Path)
    parser.add_argument("back", type=Path)
    parser.add_argument("--take", choices=["pair", "front"], help="one reading, in this process")
    given = parser.parse_args(arguments)
    if given.take == "pair":
        found: Mapping[str, object] = asdict(read(given.front, given.back))
    elif given.take == "front":
        found = {"bytes": front_bytes(given.front)}
    else:
        found = figures(given.front, given.back)
    print(json.dumps(found))  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main())
