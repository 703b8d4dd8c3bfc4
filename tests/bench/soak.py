"""Twenty thousand keystrokes on tiny 32-bit models: random edits, files, cancels, unloads; memory must stay flat.

Every answer that is looked at (`--every`) is compared with that of a pair that is made to forget everything first: no
token may differ. Requests are given up at a random number of llama.cpp's own looks at the abort flag, so that every
stage of the work is met; a cancelled request must leave nothing that shows later.
"""

import argparse
import contextlib
import dataclasses
import gc
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.engine import tiny
from tests.engine.timelines import AbortAfter

from jouline.cancel import Cancelled, CancelToken
from jouline.catalogue.card import FimCard, Layout, StageCard
from jouline.completion import CompletionRequest, Generation, Tier
from jouline.engine.generate import Limits
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

OPTIONS = EngineOptions(
    context_tokens=256, batch_tokens=64, ubatch_tokens=16, cache_bits=32, shelf_bytes=2_000_000
)  # fmt: skip
LIMITS = Limits(max_tokens=8)
KEYS = "abcdefxyz_ ().:=,\"'\n\n    "
CANCELLED, UNLOADED, SWITCHED, JUMPED, PREPARED, SEVERAL = 0.06, 0.002, 0.03, 0.02, 0.02, 0.01


@dataclass(slots=True)
class Document:
    """A text with a cursor."""

    uri: str
    text: str
    offset: int

    def request(self) -> CompletionRequest:
        """Return the wish for text at the cursor."""
        return CompletionRequest(uri=self.uri, language="python", text=self.text, offset=self.offset)


@dataclass(slots=True)
class Report:
    """What happened; `megabytes` is the process's memory, taken a hundred times."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    @property
    def grown_mb(self) -> float:
        """The median of the last quarter less that of the second: what leaked once all was warm."""
        quarter = len(self.megabytes) // 4
        middle = sorted(self.megabytes[quarter : 2 * quarter])[quarter // 2]
        return sorted(self.megabytes[-quarter:])[quarter // 2] - middle


class Soak:
    """A pair in use, and one like it that forgets everything before each answer."""

    def __init__(self, files: tiny.TinyFiles, *, kind: str, layout: Layout, seed: int) -> None:
        separate = kind == "separate"
        self._chance = random.Random(f"{seed}:{kind}:{layout}")
        self._abort = AbortAfter()
        described = PairFiles(
            kind="separate" if separate else "exit",
            small=files.whole if separate else files.front,
            large=files.whole if separate else files.back,
            small_options=OPTIONS,
            large_options=OPTIONS,
        )
        self._pair, self._cold = Pair(described), Pair(dataclasses.replace(described))
        for context in self._pair._contexts.values():
            context._abort = self._abort  # type: ignore[assignment]  # one that goes up by itself
            self._abort.install(context._pointer)
        self._completer = _completer(self._pair, layout)
        self._documents = [
            Document(uri=f"file:///{number}.py", text=tiny.SAMPLE * (number + 1), offset=40 * number)
            for number in range(5)
        ]
        self._here = self._documents[0]

    def run(self, keys: int, *, every: int) -> Report:
        """Press so many keys; look at every so many-th answer."""
        report, process = Report(), psutil.Process()
        for key in range(keys):
            self._press(report)
            tier: Tier = self._chance.choice(("small", "large"))
            with self._given_up_at_random(report):
                self._ask(tier, report, compare=key % every == 0)
            self._pause(tier, report)
            if key % max(1, keys // 100) == 0:
                gc.collect()
                report.megabytes.append(process.memory_info().rss / 1e6)
        return report

    def close(self) -> None:
        """Free everything."""
        self._pair.close()
        self._cold.close()

    def _press(self, report: Report) -> None:
        chance, drawn = self._chance, self._chance.random()
        if drawn < SWITCHED:
            self._here = chance.choice(self._documents)
            report.counts["switches"] += 1
        elif drawn < SWITCHED + JUMPED:
            self._here.offset = chance.randrange(len(self._here.text) + 1)
            report.counts["jumps"] += 1
        here = self._here
        if chance.random() < 0.2 and here.offset:
            here.offset -= 1
            here.text = here.text[: here.offset] + here.text[here.offset + 1 :]
            return
        typed = chance.choice(KEYS) if len(here.text) < 3_000 else ""
        here.text = here.text[: here.offset] + typed + here.text[here.offset :]
        here.offset += len(typed)
        if typed == "(" and chance.random() < 0.5:
            here.text = here.text[: here.offset] + "\n)" + here.text[here.offset :]

    def _ask(self, tier: Tier, report: Report, *, compare: bool) -> None:
        request = self._here.request()
        report.counts["keys"] += 1
        if self._chance.random() < SEVERAL:
            made = self._completer.candidates(request, tier, CancelToken(), LIMITS, 3)[0]
            report.counts["several"] += 1
        else:
            made = self._completer.generate(request, tier, CancelToken(), LIMITS)
        report.counts["answers"] += 1
        report.counts["prompt tokens"] += made.prompt_tokens
        report.counts["evaluated"] += made.prompt_evaluated
        if compare:
            self._compare(request, tier, made, report)

    def _compare(self, request: CompletionRequest, tier: Tier, made: Generation, report: Report) -> None:
        for session in self._cold._sessions.values():
            session.shelf.clear()
            session._line.cut(0)
        prompt = self._completer.prompt(request, tier, LIMITS.max_tokens)
        expected = self._cold.generate(tier, prompt, LIMITS, CancelToken())
        report.counts["compared"] += 1
        if (made.tokens, made.text) != (expected.tokens, expected.text):
            report.wrong.append(f"{tier} at key {report.counts['keys']}: {made.tokens} is not {expected.tokens}")

    @contextlib.contextmanager
    def _given_up_at_random(self, report: Report) -> Iterator[None]:
        self._abort.left = self._chance.randrange(400) if self._chance.random() < CANCELLED else None
        try:
            yield
        except Cancelled:
            report.counts["cancelled"] += 1
        finally:
            self._abort.left = None

    def _pause(self, tier: Tier, report: Report) -> None:
        if self._chance.random() < PREPARED:
            prompt = self._completer.ahead(self._here.request(), tier, LIMITS.max_tokens)
            if prompt is not None:
                self._completer.prepare(prompt, tier, CancelToken())
                report.counts["prepared"] += 1
        if self._chance.random() < UNLOADED:
            self._pair.unload(self._chance.choice(("small", "large")))
            report.counts["unloads"] += 1


def _completer(pair: Pair, layout: Layout) -> Completer:
    fim = FimCard(
        layout=layout,
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>" if layout != "suffix-prefix" else None,
        end=("<|endoftext|>",),
        suffix_tokens=40,
    )
    card = StageCard(id="tiny", file="tiny.gguf", family="tiny", fim=fim, healing=True)
    options = PipelineOptions(window_step_chars=120, anchored=True)
    return Completer(pair, {"small": card, "large": card}, options, OPTIONS.context_tokens)


def main() -> None:
    """Run both kinds of pairs and both orders of prompts; exit 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-growth-mb", type=float, default=4.0)
    given = parser.parse_args()
    failed = False
    cases: list[tuple[str, Layout]] = [("exit", "suffix-prefix"), ("separate", "prefix-suffix-middle")]
    with tempfile.TemporaryDirectory() as folder:
        files = tiny.write_files(Path(folder))
        for kind, layout in cases:
            with contextlib.closing(Soak(files, kind=kind, layout=layout, seed=given.seed)) as soak:
                report = soak.run(given.keys // len(cases), every=given.every)
            failed |= bool(report.wrong) or report.grown_mb > given.most_growth_mb
            told = ", ".join(f"{count} {name}" for name, count in report.counts.items())
            sys.stdout.write(f"{kind}, {layout}: {told}; {len(report.wrong)} wrong; grown {report.grown_mb:+.1f} MB\n")
            sys.stdout.writelines(f"  {each}\n" for each in report.wrong[:5])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
