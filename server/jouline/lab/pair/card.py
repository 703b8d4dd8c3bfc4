"""The model card: every figure comes from the run's own files, so that the card cannot say what was not measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jouline.lab.pair import corpus
from jouline.lab.pair.checkpoint import Progress
from jouline.lab.pair.network import Shape

METHOD = """\
batches of 6,400, bfloat16. Loss: cross-entropy of the whole network, plus half that of the front, of whose
target half is the whole network's distribution; on a CPU the front's on every other chunk of tokens. Muon for
matrices, AdamW for the rest, constant rate, then linear to 0. A third of the text is laid out for infilling,
lines and blocks."""
TEMPLATE = Path(__file__).with_name("card_template.md")


def describe(shape: Shape, progress: Progress, begun_from: str | None) -> dict[str, str]:
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
    return {
        "shape": f"Llama architecture, {layers}, {sizes}; {vocabulary}.",
        "training": f"{start} {spent}, {METHOD}",
    }


def render(run: Path) -> str:
    """Return the card of a finished run from its `log.jsonl`, `evaluation.json` and `description.json`."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return TEMPLATE.read_text("utf-8").format(
        **json.loads((run / "description.json").read_text("utf-8")),
        curve="\n".join(_point(entry) for entry in log if "validation" in entry),
        figures=_figures(json.loads((run / "evaluation.json").read_text("utf-8"))),
        held_out=", ".join(sorted(corpus.HELD_OUT)),
        packages=len(corpus.HELD_OUT),
        licences="\n".join(_licence(*pair) for pair in corpus.recorded().items()),
    )


def _licence(package: str, stated: str) -> str:
    held_out = " (held out)" if package.split("==", maxsplit=1)[0] in corpus.HELD_OUT else ""
    return f"| {package.replace('==', ' ')}{held_out} | {stated} |"


def _point(entry: Mapping[str, Any]) -> str:
    losses = entry["validation"]
    cells = [losses[name] for name in ("front", "whole", "front_middle", "whole_middle")]
    rate = "0" if entry.get("final") else entry.get("rate", "")
    return f"| {entry['tokens_millions']:.2f} | {rate} | " + " | ".join(f"{value:.3f}" for value in cells) + " |"


def _figures(evaluation: Mapping[str, Any]) -> str:
    kinds = list(evaluation)
    head = "| | " + " | ".join(kinds) + " |\n| --- |" + " ---: |" * len(kinds)
    return "\n".join(
        [head, *(f"| {name} | " + " | ".join(_cell(evaluation[k], *path) for k in kinds) + " |" for name, path in ROWS)]
    )


PLACES = {
    "rest_of_line": "rest of line, by character",
    "rest_of_line_by_line": "rest of line, by line",
    "block": "block",
}
VALUES = {
    "small_right": "small exact", "large_right": "large exact", "only_large": "only large exact", "neither": "neither",
    "small_similarity": "small edit similarity", "large_similarity": "large edit similarity", "places": "places",
}  # fmt: skip
ROWS = [
    ("bits per byte, small", ("bits_per_byte", "small")),
    ("bits per byte, large", ("bits_per_byte", "large")),
    *((f"{where}: {what}", (place, value)) for place, where in PLACES.items() for value, what in VALUES.items()),
    ("CPU-seconds a place, small", ("cpu_seconds_a_place", "small")),
    ("CPU-seconds a place, large", ("cpu_seconds_a_place", "large")),
    ("bytes, front", ("bytes", "front")),
    ("bytes, back", ("bytes", "back")),
]


def _cell(figures: Mapping[str, Any], *path: str) -> str:
    value: Any = figures
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return f"{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
