"""Keystroke to text, beside a running llama-server on the same file: the same typing, the same threads, 16 tokens out.

Start the server on the model file, with as many threads as are given here, once as it is and once with `--spm-infill`:

    llama-server -m FILE -t 1 -np 1 -c 4096 --port 8081
    llama-server -m FILE -t 1 -np 1 -c 4096 --port 8082 --spm-infill
    scripts/bench --peer FILE --threads 1 --url infill=http://127.0.0.1:8081 --url spm=http://127.0.0.1:8082

Each key is answered by every program in turn, in an order drawn anew, so what else the machine does meets all alike.
Ours is asked from text to text as the language server asks it (window, prompt, tokens, decoding), without healing,
which the server does not have; the server is asked over one kept connection with `/infill`, its cache on. Ratios are of
the same key; intervals are of 2,000 resamples of the keys. Where other programs want the cores too, times say little
and processor seconds more: those of all keys are told, the server's where its process may be looked at.
A file trained on a shorter context is served with `--override-kv llama.context_length=int:4096`.
"""

import argparse
import contextlib
import http.client
import json
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

import jouline.engine.generate as decoding
from jouline.cancel import CancelToken
from jouline.catalogue.card import StageCard, load_catalogue
from jouline.completion import CompletionRequest
from jouline.engine.generate import Limits
from jouline.engine.llama import Weights
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

OUT = 16
PREFIX_TOKENS, SUFFIX_TOKENS = 1_440, 490  # what llama-server shows of each at most, less room to type
CONTEXT = 4_096
FLASH = {"on": True, "off": False, "measured": None}
_RESAMPLES = 2_000

Ask = Callable[[str, str], int]  # prefix and suffix; how many tokens came out


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Something that answers, and what tells the processor seconds it has used: this thread's, or its process's."""

    name: str
    ask: Ask
    cpu_s: Callable[[], float]


@contextlib.contextmanager
def unstopped() -> Iterator[None]:
    """Let texts that only repeat themselves go on, as a server with `ignore_eos` does."""
    own = decoding.repeats, decoding.repeats_lines
    decoding.repeats = decoding.repeats_lines = lambda _: False
    try:
        yield
    finally:
        decoding.repeats, decoding.repeats_lines = own


@contextlib.contextmanager
def ours(path: Path, threads: int, tokens_out: int = OUT, *, flash: bool | None = None) -> Iterator[Program]:
    """Open the file as a complete model, asked in the order suffix, prefix; `flash` None is measured at opening."""
    fim = replace(load_catalogue().pair("embedded").small.fim, suffix_tokens=SUFFIX_TOKENS + 8)
    card = StageCard(id="bench", file=str(path), family="embedded", fim=fim, healing=False)
    options = EngineOptions(context_tokens=CONTEXT, threads=threads, flash_attention=flash)
    tiny = replace(options, context_tokens=64)
    files = PairFiles(kind="separate", small=path, large=path, small_options=options, large_options=tiny, drafts=False)
    with contextlib.closing(Pair(files)) as pair:
        pair._vocabularies["small"].ends = frozenset()  # as the server with `ignore_eos`: always 16 tokens
        completer = Completer(pair, {"small": card, "large": card}, PipelineOptions(anchored=True), CONTEXT)
        limits = Limits(max_tokens=tokens_out, single_line=False)

        def ask(prefix: str, suffix: str) -> int:
            request = CompletionRequest(
                uri="file:///bench.py", language="python", text=f"{prefix}\n{suffix}", offset=len(prefix)
            )
            return completer.generate(request, "small", CancelToken(), limits).generated_tokens

        with unstopped():
            yield Program(name="jouline", ask=ask, cpu_s=time.thread_time)


def server(name: str, url: str) -> Program:
    """Return a running llama-server."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port or 8080, timeout=600)
    options = {"n_predict": OUT, "temperature": 0.0, "top_k": 1, "samplers": ["top_k"], "cache_prompt": True}

    def ask(prefix: str, suffix: str) -> int:
        body = {"input_prefix": prefix, "input_suffix": suffix, "ignore_eos": True, **options}
        connection.request("POST", "/infill", json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        return int(answer["tokens_predicted"])

    process = _listening(place.port or 8080)

    def cpu_s() -> float:
        if process is None:
            return math.nan
        used = process.cpu_times()
        return used.user + used.system

    return Program(name=name, ask=ask, cpu_s=cpu_s)


def _listening(port: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid:
                return psutil.Process(found.pid)
    return None


def trace(tokens: Callable[[str], int], keys: int) -> Iterator[tuple[str, str]]:
    """Yield prefix and suffix after each of `keys` keys, typed behind a long prefix and before a long suffix."""
    code = Path(statistics.__file__).read_text("utf-8")
    start = code.index("\ndef ") + 1
    end = start
    while tokens(code[start:end]) < PREFIX_TOKENS:
        end += 400
    end = code.index("\ndef ", end) + 1
    while tokens(code[start:end]) > PREFIX_TOKENS:
        start = code.index("\n", start) + 1
    typed = code[end : end + keys]
    behind = code[code.index("\n", end + keys) + 1 :]
    size = 400
    while tokens(behind[:size]) < SUFFIX_TOKENS:
        size += 40
    for key in range(keys + 1):
        yield code[start:end] + typed[:key], behind[: size - 40]


def measure(
    programs: list[Program], places: list[tuple[str, str]], seed: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the milliseconds of each key by program, and the processor seconds of all keys.

    The first request of all warms and is not counted.
    """
    order, chance = list(programs), random.Random(seed)
    times: dict[str, list[float]] = {program.name: [] for program in programs}
    for program in programs:
        program.ask(*places[0])
    spent = {program.name: 0.0 for program in programs}
    for prefix, suffix in places[1:]:
        chance.shuffle(order)
        taken: dict[str, float] = {}
        for program in order:
            began, used = time.perf_counter(), program.cpu_s()
            came = program.ask(prefix, suffix)
            taken[program.name] = (time.perf_counter() - began) * 1e3
            spent[program.name] += program.cpu_s() - used
            if came != OUT:
                raise SystemExit(f"{program.name} wrote {came} tokens, not {OUT}: nothing to compare.")
        for name, each in taken.items():
            times[name].append(each)
    return times, spent


def interval(values: list[float], seed: int) -> tuple[float, float, float]:
    """Return the median and its 95 % bootstrap interval."""
    drawn = np.random.default_rng(seed).choice(values, (_RESAMPLES, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(np.median(values)), float(low), float(high)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--url", action="append", default=[], metavar="NAME=URL", help="a running llama-server")
    parser.add_argument("--threads", type=int, default=1, help="of ours; start the server with as many")
    parser.add_argument(
        "--flash-attention",
        nargs="?",
        const="on",
        default="measured",
        choices=FLASH,
        help="ours: as the server's default is, or without; else whichever is measured to be quicker",
    )
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with ours(given.model, given.threads, flash=FLASH[given.flash_attention]) as first:
        programs = [first, *(server(*each.split("=", 1)) for each in given.url)]
        with contextlib.closing(Counter(given.model)) as counter:
            places = list(trace(counter.count, given.keys))
            size = counter.count(places[0][0]) + counter.count(places[0][1])
        times, spent = measure(programs, places, given.seed)
    title = f"{given.model.name}, {size} tokens of context, {given.threads} threads, {len(times['jouline'])} keys"
    table = Table("program", "median ms", "p95 ms", "CPU s in all", "jouline / it, median [95 %]", title=title)
    for name, each in times.items():
        ratios = [mine / its for mine, its in zip(times["jouline"], each, strict=True)]
        middle, low, high = interval(ratios, given.seed)
        p95 = sorted(each)[max(0, -(-len(each) * 95 // 100) - 1)]
        told = f"{middle:.3f} [{low:.3f}, {high:.3f}]"
        table.add_row(name, f"{statistics.median(each):.2f}", f"{p95:.2f}", f"{spent[name]:.2f}", told)
    Console().print(table)


class Counter:
    """Counts tokens with the model's own tokeniser."""

    def __init__(self, path: Path) -> None:
        self._weights = Weights(path, vocabulary_only=True)

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self._weights.tokenise(text))

    def close(self) -> None:
        """Free the tokeniser."""
        self._weights.close()


if __name__ == "__main__":
    main()
