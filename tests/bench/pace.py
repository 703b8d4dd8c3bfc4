"""What reading and writing a token take either model of the embedded pair: what `EMBEDDED_PACE` stands for.

Each round, for either model, reads a prompt that no model has seen, then two tokens more, as a keystroke brings, then
writes behind them; drafts are as the product has them. Processor time is of the one thread at work, which what else
runs changes little; the time that passed is longer on a busy machine.
"""

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jouline.cancel import CancelToken
from jouline.catalogue.card import load_catalogue
from jouline.completion import Prompt, Tier
from jouline.config import Folders
from jouline.engine.generate import Limits
from jouline.engine.pair import Pair
from jouline.opening import open_pair
from jouline.replay.asking import EMBEDDED_PACE

TIERS: tuple[Tier, Tier] = ("small", "large")
KEY, WRITTEN = 2, 16
LIMITS = Limits(max_tokens=WRITTEN, single_line=False)
Spent = tuple[float, float]  # milliseconds of processor time and of the clock, a token


def spent(work: Callable[[], float]) -> Spent:
    """Return what some work took, for each of the tokens that it says it has done."""
    cpu, began = time.thread_time(), time.perf_counter()
    tokens = work()
    return (time.thread_time() - cpu) * 1e3 / tokens, (time.perf_counter() - began) * 1e3 / tokens


def round_of(pair: Pair, tier: Tier, tokens: list[int]) -> dict[str, Spent]:
    """Return what a token takes that is read among all but the last, with one more, and that is written."""
    cancel = CancelToken()

    def read(upto: int, count: int) -> float:
        pair.prepare(tier, tokens[:upto], cancel)
        return count

    def write() -> float:
        return pair.generate(tier, Prompt(tokens=tuple(tokens)), LIMITS, cancel).generated_tokens

    bulk = len(tokens) - KEY
    return {
        "read at once": spent(lambda: read(bulk, bulk)),
        f"read, {KEY} a key": spent(lambda: read(len(tokens), KEY)),
        "written": spent(write),
    }


def main() -> None:
    """Print a table of medians beside the constants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--context", type=int, default=400, help="tokens of a prompt")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    pair, _ = open_pair(load_catalogue().pair("embedded"), Folders.find())
    with contextlib.closing(pair):
        tokens = pair.tokenise("large", Path(statistics.__file__).read_text("utf-8"))
        parts = [tokens[start : start + given.context] for start in range(0, len(tokens), given.context)]
        rounds: dict[Tier, list[dict[str, Spent]]] = {"small": [], "large": []}
        for number in range(given.rounds + 1):  # the first warms up
            for place, tier in enumerate(TIERS):
                rounds[tier].append(round_of(pair, tier, parts[2 * number + place]))
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    title = f"ms a token, {given.context} of context, medians of {given.rounds}; {load}"
    table = Table("model", "a token", "processor", "clock", "EMBEDDED_PACE", title=title)
    for tier in TIERS:
        pace = {"written": EMBEDDED_PACE.token[tier]}
        for kind in rounds[tier][0]:
            cpu, clock = (statistics.median(each[kind][n] for each in rounds[tier][1:]) for n in (0, 1))
            counted = pace.get(kind, EMBEDDED_PACE.prompt_token[tier])
            table.add_row(tier, kind, f"{cpu:.3f}", f"{clock:.3f}", f"{counted:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
