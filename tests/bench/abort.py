"""How long a cancelled request keeps the engine: given up at random moments of a long cold prefill, from outside.

Another thread sets the token; the time is from there to the engine being free. Where other programs want all cores the
waking of threads is in it too, so the gap a sleeping thread sees (`waking`) is told beside it.
"""

import argparse
import contextlib
import random
import statistics
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Prompt
from jouline.engine.generate import Limits
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles

PROMPT = 3_500


def free_after_ms(pair: Pair, chance: random.Random, longest_s: float) -> float | None:
    """Return the milliseconds from the cancel to the end of the request; None where it had ended before."""
    prompt = Prompt(tokens=tuple(chance.randrange(10, 300) for _ in range(PROMPT)))
    token, cancelled_at = CancelToken(), [0.0]

    def cancel() -> None:
        time.sleep(chance.uniform(0.0, longest_s))
        cancelled_at[0] = time.perf_counter()
        token.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        pair.generate("small", prompt, Limits(max_tokens=1), token)
    except Cancelled:
        return (time.perf_counter() - cancelled_at[0]) * 1e3
    finally:
        canceller.join()
    return None


def waking_ms(chance: random.Random) -> float:
    """Return how much longer than asked for a thread slept."""
    wanted, began = chance.uniform(0.001, 0.005), time.perf_counter()
    time.sleep(wanted)
    return (time.perf_counter() - began - wanted) * 1e3


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    table = Table("model", "cancels", "median ms", "p95 ms", "max ms", title=f"cold prompts of {PROMPT} tokens")
    chance = random.Random(1)
    for path in given.models:
        options = EngineOptions(context_tokens=4_096, shelf_bytes=0)
        files = PairFiles(
            kind="separate", small=path, large=path, small_options=options, large_options=options, drafts=False
        )
        with contextlib.closing(Pair(files)) as pair:
            began = time.perf_counter()
            pair.generate("small", Prompt(tokens=(7,) * PROMPT), Limits(max_tokens=1), CancelToken())
            longest_s = (time.perf_counter() - began) * 0.9
            found = [free_after_ms(pair, chance, longest_s) for _ in range(given.times)]
        _add(table, path.name, [each for each in found if each is not None])
    _add(table, "waking", [waking_ms(chance) for _ in range(given.times)])
    Console().print(table)


def _add(table: Table, name: str, times: list[float]) -> None:
    ordered = sorted(times)
    p95 = ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
    figures = (statistics.median(ordered), p95, ordered[-1])
    table.add_row(name, str(len(ordered)), *(f"{each:.1f}" for each in figures))


if __name__ == "__main__":
    main()
