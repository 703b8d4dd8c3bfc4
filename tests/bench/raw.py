"""What our decode loop costs beyond llama.cpp: tokens a second beside a bare loop, and one-token answers.

The bare loop feeds the very tokens that ours wrote, chooses nothing and reads nothing: no loop can be faster. Both run
on one thread and are timed in that thread's processor time, in turn, so a busy machine changes little; the ratio is of
pairs of runs, its interval of 2,000 resamples of the pairs. The answers of one token are typed into the middle of a
file, text to text; what llama.cpp itself took is taken off.

`--own` tells how many microseconds a token our loops for the embedded pair take by themselves, llama.cpp left out
and nothing drafted: of the front, of the whole network, and of it with an exit looked for at every token. Behind a
longer context they must not take longer.
"""

import argparse
import contextlib
import statistics
import time
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as ffi
from rich.console import Console
from rich.table import Table
from tests.bench.peer import Counter, interval, ours, trace, unstopped

from jouline.cancel import CancelToken
from jouline.catalogue.card import bundled_folder, load_catalogue
from jouline.completion import Prompt, Tier
from jouline.engine.draft import Worth
from jouline.engine.generate import Limits, generate
from jouline.engine.llama import AbortFlag, Context, Weights
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.engine.session import TokenSession
from jouline.engine.vocabulary import Vocabulary
from jouline.steering import open_exits

TOKENS = 48
CONTEXTS = (500, 2_000)


class Loops:
    """One context that both loops use in turn."""

    def __init__(self, path: Path) -> None:
        self._weights = Weights(path)
        self._context = Context(self._weights, EngineOptions(context_tokens=4_096, threads=1), AbortFlag())
        self._session = TokenSession(self._context)
        self._vocabulary = Vocabulary(self._weights.pieces(), ())
        self._vocabulary.ends = frozenset()
        code = Path(statistics.__file__).read_text("utf-8")
        self._prompts = {size: tuple(self._weights.tokenise(code)[:size]) for size in CONTEXTS}

    def pair_of_runs(self, size: int) -> tuple[float, float, int]:
        """Return the processor seconds of our loop and of the bare one, and how many tokens each wrote."""
        prompt = self._prompts[size]
        self._session.sync(prompt)
        self._session._line.cut(size)
        began = time.thread_time()
        made = generate(
            self._session, self._vocabulary, Prompt(tokens=prompt), Limits(max_tokens=TOKENS, single_line=False),
            CancelToken(),
        )  # fmt: skip
        mine = time.thread_time() - began
        fed = made.tokens[:-1]  # the last one is chosen, not evaluated
        self._context.trim(size)
        bare = self._bare(fed, size)
        self._session._line.cut(size)
        return mine, bare, len(fed)

    def _bare(self, tokens: tuple[int, ...], at: int) -> float:
        batch: Any = ffi.llama_batch_init(1, 0, 1)
        batch.n_tokens, batch.n_seq_id[0], batch.seq_id[0][0], batch.logits[0] = 1, 1, 0, 1
        pointer, decode = self._context._pointer, ffi.llama_decode
        began = time.thread_time()
        for place, token in enumerate(tokens, start=at):
            batch.token[0], batch.pos[0] = token, place
            decode(pointer, batch)
        spent = time.thread_time() - began
        ffi.llama_batch_free(batch)
        return spent

    def close(self) -> None:
        """Free everything."""
        self._context.close()
        self._weights.close()


def own_microseconds(runs: int) -> dict[tuple[str, int], float]:
    """Return the embedded pair's median microseconds a token by way and context, with `llama_decode` left out."""
    card = load_catalogue().pair("embedded")
    front, back = (bundled_folder() / stage.file for stage in (card.small, card.large))
    options = EngineOptions(context_tokens=4_096, threads=1)
    pair = Pair(PairFiles(kind="exit", small=front, large=back, small_options=options, large_options=options))
    ways: dict[str, tuple[Tier, int]] = {"front": ("small", 0), "whole": ("large", 0), "whole, exits": ("large", 100)}
    pair.exits = open_exits(card)
    code = pair.tokenise("small", Path(statistics.__file__).read_text("utf-8"))
    found = {}
    with contextlib.closing(pair), unstopped():
        for size in CONTEXTS:
            for name, (tier, saving) in ways.items():
                pair.forget()
                prompt = Prompt(tokens=tuple(code[:size]))
                limits = Limits(max_tokens=TOKENS, single_line=False, energy_saving=saving)
                pair.generate(tier, prompt, limits, CancelToken())
                found[name, size] = statistics.median(_own(pair, tier, prompt, limits) for _ in range(runs))
    return found


def _own(pair: Pair, tier: Tier, prompt: Prompt, limits: Limits) -> float:
    pair.prepare(tier, (*prompt.tokens[:-1], 0), CancelToken())  # forgets the answer
    pair.prepare(tier, prompt.tokens, CancelToken())
    decode, read, choose = Context._decode, Context.read_logits, Worth.choose
    Context._decode = lambda *_: None  # type: ignore[method-assign]
    Context.read_logits = lambda *_: None  # type: ignore[method-assign]
    Worth.choose = lambda _: False  # type: ignore[method-assign]
    began = time.thread_time()
    try:
        made = pair.generate(tier, prompt, limits, CancelToken())
        return (time.thread_time() - began) / made.generated_tokens * 1e6
    finally:
        Context._decode, Context.read_logits, Worth.choose = decode, read, choose  # type: ignore[method-assign]


def one_token_overheads(path: Path, keys: int) -> list[float]:
    """Return, for each key typed, the milliseconds from text to a one-token answer less those inside llama.cpp."""
    inside = [0.0]
    decode = Context._decode

    def timed(self: Context, batch: Any) -> None:
        began = time.thread_time()
        decode(self, batch)
        inside[0] += time.thread_time() - began

    Context._decode = timed  # type: ignore[method-assign]
    try:
        with ours(path, 1, tokens_out=1, flash=False) as program, contextlib.closing(Counter(path)) as counter:
            places = list(trace(counter.count, keys))
            program.ask(*places[0])
            overheads = []
            for prefix, suffix in places[1:]:
                inside[0], began = 0.0, time.thread_time()
                program.ask(prefix, suffix)
                overheads.append((time.thread_time() - began - inside[0]) * 1e3)
            return overheads
    finally:
        Context._decode = decode  # type: ignore[method-assign]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--own", action="store_true", help="what the embedded pair's loops take without llama_decode")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--keys", type=int, default=60)
    given = parser.parse_args()
    if given.own:
        own = Table("way", "context", "µs a token", title="our loops alone")
        for (name, size), spent in own_microseconds(given.runs).items():
            own.add_row(name, str(size), f"{spent:.1f}")
        Console().print(own)
    if not given.models:
        return
    table = Table(
        "model", "context", "ours, tokens a CPU s", "bare", "ratio, median [95 %]", title="beside llama_decode"
    )
    for path in given.models:
        with contextlib.closing(Loops(path)) as loops:
            for size in CONTEXTS:
                loops.pair_of_runs(size)
                with unstopped():
                    runs = [loops.pair_of_runs(size) for _ in range(given.runs)]
                middle, low, high = interval([bare / mine for mine, bare, _ in runs], 1)
                rates = [
                    statistics.median(count / spent for *spents, count in runs for spent in [spents[n]]) for n in (0, 1)
                ]
                ratio = f"{middle:.3f} [{low:.3f}, {high:.3f}]"
                table.add_row(path.name, str(size), f"{rates[0]:.0f}", f"{rates[1]:.0f}", ratio)
        beyond = sorted(one_token_overheads(path, given.keys))
        p95 = beyond[max(0, -(-len(beyond) * 95 // 100) - 1)]
        table.add_row(path.name, "", f"one token: {statistics.median(beyond):.3f} ms beyond, p95 {p95:.3f}", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
