"""What a keystroke makes the engine evaluate: a replayed typist in the middle of files, every key a request.

Counts, not times, so a busy machine changes nothing but the CPU column. Three kinds of keys are told apart: typing
(Enter, brackets that the editor closes, slips and their correction included), mending (a word put into or taken out
of a line above), and jumps, which are the first request after the caret went elsewhere; a jump back to a place that
was left a moment ago is told apart again. `--plain` switches off what makes typing append: each prompt then depends
on its request alone and nothing is put aside.
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jouline.cancel import CancelToken
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.store import ModelStore
from jouline.completion import CompletionRequest, Tier
from jouline.config import Folders
from jouline.engine.generate import Limits
from jouline.engine.pair import Pair
from jouline.opening import open_pair
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.replay.editor import Editor
from jouline.replay.passages import Passage, choose_passages
from jouline.replay.rhythm import Rhythm
from jouline.replay.session import take_out
from jouline.replay.sources import SourceFile
from jouline.replay.typist import Typist

SOURCES = ("statistics", "textwrap", "configparser", "argparse", "csv", "shlex")
FLOOR = -1.2  # a display threshold near the shipped ones: most automatic answers stop below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One request: what kind of key came before it, and what it took."""

    kind: str
    evaluated: int
    steps: int  # tokens evaluated in all, those of the answer and of healing included
    cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Prompt tokens evaluated a keystroke; `steps` are all tokens evaluated."""

    keys: int
    median: float
    p95: float
    mean: float
    most: int
    steps: float
    cpu_ms: float
    cpu_p95_ms: float


def summarise(strokes: list[Stroke]) -> Summary:
    """Return median, nearest-rank 95th percentile, mean and maximum."""
    evaluated = sorted(stroke.evaluated for stroke in strokes)
    cpu = sorted(stroke.cpu_ms for stroke in strokes)
    rank = max(0, -(-len(strokes) * 95 // 100) - 1)
    return Summary(
        keys=len(strokes),
        median=statistics.median(evaluated),
        p95=evaluated[rank],
        mean=round(statistics.fmean(evaluated), 2),
        most=evaluated[-1],
        steps=round(statistics.fmean(stroke.steps for stroke in strokes), 2),
        cpu_ms=round(statistics.median(cpu), 2),
        cpu_p95_ms=round(cpu[rank], 2),
    )


class Desk:
    """A pair behind a completer, asked after every key."""

    def __init__(self, pair: Pair, completer: Completer, tier: Tier, *, idle: bool) -> None:
        self._pair, self._completer, self._tier, self._idle = pair, completer, tier, idle
        self._limits = Limits(min_logprob=FLOOR)

    def ask(self, source: SourceFile, text: str, offset: int, kind: str) -> Stroke:
        """Ask once, then use the pause if this desk does."""
        request = CompletionRequest(uri=source.uri, language=source.language, text=text, offset=offset)
        before, began = self._evaluated(), time.thread_time()
        made = self._completer.generate(request, self._tier, CancelToken(), self._limits)
        cpu_ms = (time.thread_time() - began) * 1e3
        stroke = Stroke(
            kind=kind, evaluated=made.prompt_evaluated, steps=self._evaluated() - before, cpu_ms=round(cpu_ms, 3)
        )
        if self._idle and (prompt := self._completer.ahead(request, self._tier, self._limits.max_tokens)):
            self._completer.prepare(prompt, self._tier, CancelToken())
        return stroke

    def _evaluated(self) -> int:
        return sum(context.evaluated for context in self._pair._contexts.values())


def type_again(desk: Desk, source: SourceFile, passages: list[Passage]) -> Iterator[Stroke]:
    """Type passages of a file again, and after each mend a word in a line above, and come back."""
    for number, passage in enumerate(passages):
        rhythm = Rhythm(seed=number)
        editor = take_out(source, passage)
        typist = Typist(goal=source.text, passage=passage, rhythm=rhythm)
        yield desk.ask(source, editor.text, len(editor.before), "jump")
        while press := typist.next(editor):
            editor.press(press.key)
            typist.pressed(editor, press.key)
            yield desk.ask(source, editor.text, len(editor.before), "typing")
        yield from _mend(desk, source, editor)


def _mend(desk: Desk, source: SourceFile, editor: Editor) -> Iterator[Stroke]:
    """Put `_more` behind the first word ten lines above, take it away again, and go back to where typing ended."""
    text, here = editor.text, len(editor.before)
    place = here
    for _ in range(10):
        place = max(0, text.rfind("\n", 0, max(0, place)))
    while place < len(text) and not text[place].isalpha():
        place += 1
    while place < len(text) and text[place].isalnum():
        place += 1
    yield desk.ask(source, text, place, "jump")
    word = "_more"
    for count in (*range(1, len(word) + 1), *range(len(word) - 1, -1, -1)):
        yield desk.ask(source, text[:place] + word[:count] + text[place:], place + count, "mending")
    yield desk.ask(source, text, here, "jump back")


def run(*, tier: Tier, chars: int, plain: bool, idle: bool, healing: bool, seed: int) -> list[Stroke]:
    """Type parts of each source again with the pair of the catalogue."""
    folders = Folders.find()
    card = choose_pair(ModelStore.under(folders.data).catalogue())
    card = replace(card, small=replace(card.small, healing=healing), large=replace(card.large, healing=healing))
    pair, context_tokens = open_pair(card, folders)
    if plain:
        for session in pair._sessions.values():
            session.shelf._most_bytes = 0
    options = replace(PipelineOptions(), anchored=not plain)
    completer = Completer(pair, {"small": card.small, "large": card.large}, options, context_tokens)
    desk = Desk(pair, completer, tier, idle=idle)
    strokes: list[Stroke] = []
    for name in SOURCES:
        path = Path(sys.modules["os"].__file__ or "").with_name(f"{name}.py")
        source = SourceFile(path=path, language="python", text=path.read_text("utf-8"))
        passages = choose_passages(source.text, language="python", seed=seed, chars=chars)
        strokes += type_again(desk, source, passages)
    pair.close()
    return strokes


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=("small", "large"), default="small")
    parser.add_argument("--chars", type=int, default=600, help="characters to type again, a file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="as if each request stood alone")
    parser.add_argument("--idle", action="store_true", help="prepare what comes next in every pause")
    parser.add_argument("--no-healing", action="store_true", help="the whole prefix is the prompt")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    by_kind: dict[str, list[Stroke]] = defaultdict(list)
    strokes = run(
        tier=given.tier,
        chars=given.chars,
        plain=given.plain,
        idle=given.idle,
        healing=not given.no_healing,
        seed=given.seed,
    )
    for stroke in strokes:
        by_kind[stroke.kind].append(stroke)
    summaries = {kind: summarise(strokes) for kind, strokes in by_kind.items()}
    if given.json:
        Console().print_json(json.dumps({kind: asdict(summary) for kind, summary in summaries.items()}))
        return
    columns = ("keys", "median", "p95", "mean", "most", "steps", "cpu_ms", "cpu_p95_ms")
    table = Table("key", *columns, title=f"prompt tokens evaluated a keystroke, {given.tier} model")
    for kind, summary in summaries.items():
        table.add_row(kind, *(str(getattr(summary, column)) for column in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
