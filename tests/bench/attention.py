"""Flash attention against none, token by token and by batches of several, behind so many tokens of one model file."""

import argparse
import contextlib
import statistics
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jouline.engine.attention import behind
from jouline.engine.llama import AbortFlag, Context, Weights
from jouline.engine.options import EngineOptions

_SIZES = (1, 2, 4, 8, 16)
_STEPS = 8  # single tokens one after the other, as an answer is written


def taken_ms(context: Context, size: int) -> float:
    """Return the milliseconds of CPU of one batch, or of a token among several, behind what is there."""
    steps = _STEPS if size == 1 else 1
    context.decode_tokens([1] * 2, 1)  # as a prompt before them; its graph is not theirs
    began = time.thread_time()
    for step in range(steps):
        context.decode_tokens([2] * size, 3 + step)
    used = time.thread_time() - began
    context.trim(1)
    return used / steps * 1e3


def main() -> None:
    """Print a table: medians, and the median ratio of rounds in which both take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--depth", type=int, default=1024, help="tokens to attend to, a power of two")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    title = f"{given.model.name} behind {given.depth}"
    table = Table("tokens at once", "without, ms", "with, ms", "ratio", title=title)
    options, abort = EngineOptions(), AbortFlag()
    with contextlib.closing(Weights(given.model)) as weights, contextlib.ExitStack() as undo:
        ways = [behind(weights, options, abort, given.depth, undo, flash=flash) for flash in (False, True)]
        for size in _SIZES:
            rounds = []
            for number in range(given.rounds):
                order = (0, 1) if number % 2 else (1, 0)
                taken = {place: taken_ms(way, size) for place in order if (way := ways[place])}
                rounds.append((taken[0], taken[1]))
            without, with_it = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratio = statistics.median(second / first for first, second in rounds)
            table.add_row(str(size), f"{without:.2f}", f"{with_it:.2f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
