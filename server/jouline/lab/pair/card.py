"""The model card: every figure comes from the run's own files, so that the card cannot say what was not measured."""

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jouline.lab.pair import corpus

if TYPE_CHECKING:  # both need torch, which a card does not
    from jouline.lab.pair.checkpoint import Progress
    from jouline.lab.pair.network import Shape

METHOD = """\
batches of 6,400, bfloat16. Loss: cross-entropy of the whole network, plus half that of the front, of whose
target half is the whole network's distribution; on a CPU the front's on every other chunk of tokens. Muon for
matrices, AdamW for the rest, constant rate, then linear to 0. A third of the text is laid out for infilling,
lines and blocks."""
TEMPLATE = Path(__file__).with_name("card_template.md")
Rows = Sequence[tuple[str, tuple[str, ...]]]  # what a row of a table says, and where in the figures it stands
WIDTH = 118
UNMEASURED = "Not measured for these files."


def describe(shape: "Shape", progress: "Progress", begun_from: str | None) -> dict[str, str]:
    """Return what the card says of a network's shape and of its training, as sentences."""
    layers = f"{shape.front} layers in the front and {shape.back} in the back"
    sizes = f"width {shape.width}, feed-forward {shape.hidden}, {shape.heads} heads of {shape.head}"
    start = (
        f"It began from {begun_from}, whose own card names the corpus it had seen by then."
        if begun_from
        else "It began from random weights."
    )
    vocabulary = f"byte-level BPE of {shape.vocabulary:,} ids, pre-tokeniser `qwen2`"
    spent = f"{progress.tokens / 1e6:.2f} million tokens in {progress.seconds / 60:.0f} minutes"
    last = progress.lattice_tokens / 1e6
    rounded = f" The last {last:.2f} million tokens went through weights rounded as q4_0 rounds them." if last else ""
    return {
        "shape": f"Llama architecture, {layers}, {sizes}; {vocabulary}.",
        "training": f"{start} {spent}, {METHOD}{rounded}",
    }


def render(run: Path, precision: str) -> str:
    """Return the card of a finished run at a precision from the JSON files that its measurements left."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    recorded = corpus.recorded() | corpus.recorded(corpus.NPM_RECORD)
    return TEMPLATE.read_text("utf-8").format(
        **{name: _wrapped(text) for name, text in json.loads((run / "description.json").read_text("utf-8")).items()},
        precision=precision,
        curve="\n".join(_point(entry) for entry in log if "validation" in entry),
        quality=_section(run / "evaluation.json", _quality),
        humaneval=_section(run / "humaneval.json", _humaneval),
        precisions=_section(run / "precisions.json", _precisions),
        opening=_section(run / "opening.json", _opening),
        tokens=_section(run / "tokens.json", _tokens),
        held_out=", ".join(sorted(corpus.HELD_OUT)),
        npm_held_out=", ".join(sorted(corpus.NPM_HELD_OUT)),
        cap=f"{corpus.CAP_CHARS / 1e6:.1f} MB of a Python package and {corpus.NPM_CAP_CHARS / 1e6:.2f} MB of another",
        licences="\n".join(_licence(*pair) for pair in sorted(recorded.items())),
    )


def _section(file: Path, text: Callable[[Mapping[str, Any]], str]) -> str:
    return text(json.loads(file.read_text("utf-8"))) if file.exists() else UNMEASURED


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _licence(package: str, stated: str) -> str:
    name = package.split("==", maxsplit=1)[0] if "==" in package else package.rpartition("@")[0]
    held_out = " (held out)" if name in corpus.HELD_OUT | corpus.NPM_HELD_OUT else ""
    return f"| {package.replace('==', ' ')}{held_out} | {stated} |"


def _point(entry: Mapping[str, Any]) -> str:
    losses = entry["validation"]
    cells = [losses[name] for name in ("front", "whole", "front_middle", "whole_middle")]
    rate = "0" if entry.get("final") else entry.get("rate", "")
    return f"| {entry['tokens_millions']:.2f} | {rate} | " + " | ".join(f"{value:.3f}" for value in cells) + " |"


VALUES = {
    "small_right": "small exactly right", "large_right": "large exactly right", "only_large": "only large right",
    "only_small": "only small right", "neither": "neither right", "small_similarity": "small, edit similarity",
    "large_similarity": "large, edit similarity",
}  # fmt: skip
QUALITY = [
    ("bits per byte, small", ("bits_per_byte", "small")),
    ("bits per byte, large", ("bits_per_byte", "large")),
    ("rest of line: places", ("rest_of_line", "places")),
    *((f"rest of line: {name}", ("rest_of_line", key)) for key, name in VALUES.items()),
    ("block: places", ("block", "places")),
    *((f"block: {name}", ("block", key)) for key, name in VALUES.items()),
]
PRECISION = [
    ("MB, both files", ("bytes",)),
    ("places", ("places",)),
    ("bits per byte, small", ("bits_per_byte", "small")),
    ("bits per byte, large", ("bits_per_byte", "large")),
    *((name, (name,)) for name in ("small right", "large right", "only large right")),
    *((name, (name,)) for name in ("CPU-seconds a place, small", "CPU-seconds a place, large")),
    *((name, (name,)) for name in ("CPU-seconds, small / large", "oracle at parity: saving")),
    *((f"{name} than q8_0 at the same place", (name,)) for name in ("small right, more", "large right, more")),
]


def _quality(found: Mapping[str, Any]) -> str:
    return _table(found, QUALITY)


def _precisions(found: Mapping[str, Any]) -> str:
    return _table({kind: {**values, "bytes": values["bytes"] / 1e6} for kind, values in found.items()}, PRECISION)


def _humaneval(found: Mapping[str, Any]) -> str:
    return _table(found, [("rows", ("rows",)), ("pass@1, small", ("small",)), ("pass@1, large", ("large",))])


def _opening(found: Mapping[str, Any]) -> str:
    def time(name: str) -> str:
        return f"{found[name]['median']:.0f} ms ({found[f'{name[:-3]}_cpu_ms']['median']:.0f} ms of CPU)"

    memory = {tier: f"{size / 1e6:.0f} MB" for tier, size in found["memory_bytes"].items()}
    return _wrapped(" ".join([
        f"In a new process, nothing warmed up, median of {found['processes']}: loading takes {time('load_ms')},",
        f"the small model's first answer to a full prompt {time('first_answer_ms')} more.",
        f"The small model adds {memory['small']} to the process, the large one {memory['large']} more.",
        "Command: `scripts/train_models opening`.",
    ]))  # fmt: skip


def _tokens(found: Mapping[str, Any]) -> str:
    equal = found["files"] - len(found["different"])
    return _wrapped(" ".join([
        f"llama.cpp gives the ids of `tokenizer.json` on {equal:,} of {found['files']:,} files of the corpus, held-out",
        f"ones included ({found['left_out']} that spell a control token are left out).",
        "Command: `scripts/train_models tokens`.",
    ]))  # fmt: skip


def _table(found: Mapping[str, Any], rows: Rows) -> str:
    names = list(found)
    head = "| | " + " | ".join(names) + " |\n| --- |" + " ---: |" * len(names)
    lines = (f"| {name} | " + " | ".join(_cell(found[n], *path) for n in names) + " |" for name, path in rows)
    return "\n".join([head, *lines])


def _cell(figures: Mapping[str, Any], *path: str) -> str:
    value: Any = figures
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return f"{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"
