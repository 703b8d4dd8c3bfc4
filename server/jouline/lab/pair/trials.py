"""Short runs of several exit shapes, side by side on the same rows, each with one process."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jouline.errors import JoulineError
from jouline.lab.pair import bits, checkpoint, export, places, quantise
from jouline.lab.pair import tokenizer as vocabulary
from jouline.lab.pair.corpus import Document
from jouline.lab.pair.names import files

KIND = "q8_0"
ROWS = ("rows-1.npz", "rows-2.npz", "validation.npz")
BITS_BYTES = 150_000

Layers = tuple[int, int]  # before the exit and behind it


def run_of(folder: Path, shape: Layers) -> Path:
    """Return the folder of a shape's run."""
    return folder / f"s{shape[0]}{shape[1]}"


def train(folder: Path, shapes: Sequence[Layers], *, minutes: float, rows: Path) -> None:
    """Train the shapes that have no result yet, all at once, on rows that are there already."""
    started = [_start(folder, shape, minutes, rows) for shape in shapes if not _finished(folder, shape)]
    if any([process.wait() for process in started]):  # noqa: C419 - all are waited for
        raise JoulineError("a trial failed; what it said stands above; run the command again to go on")


def _finished(folder: Path, shape: Layers) -> bool:
    return (run_of(folder, shape) / "final.pt").exists()


def _start(folder: Path, shape: Layers, minutes: float, rows: Path) -> subprocess.Popen[bytes]:
    run = run_of(folder, shape)
    run.mkdir(parents=True, exist_ok=True)
    for name in ROWS:
        if not (run / name).exists():
            (run / name).symlink_to(rows.resolve() / name)
    front, back = shape
    arguments = ["train", f"--folder={folder}", f"--run={run.name}", f"--minutes={minutes}", "--processes=1"]
    arguments += [f"--front={front}", f"--back={back}"]
    return subprocess.Popen([sys.executable, "-m", "jouline.lab.pair", *arguments])


def exported(folder: Path, shape: Layers) -> tuple[Path, Path]:
    """Return front and back of a finished run at q8_0, made where they are missing."""
    run = run_of(folder, shape)
    front, back = files(run, KIND)
    if not (front.exists() and back.exists()):
        pair, _ = checkpoint.network(run / "final.pt")
        for path in export.write(pair, folder / "tokenizer.json", run):
            quantise.quantise(path, path.with_name(path.name.replace("f16", KIND)), KIND)
    return front, back


def losses(folder: Path, shape: Layers, held_out: Sequence[Document]) -> dict[str, object]:
    """Return tokens seen, last validation losses in nats per token, bits per byte on 150 kB of held-out text."""
    run = run_of(folder, shape)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    last = next(entry for entry in reversed(log) if "validation" in entry)
    pair = export.read(*files(run, "f16"))
    found = bits.bits_per_byte(pair, vocabulary.load(folder / "tokenizer.json"), places.sample(held_out, BITS_BYTES))
    return {
        "million tokens seen": last["tokens_millions"],
        **{f"validation, {name.replace('_', ', ')}": value for name, value in last["validation"].items()},
        **{f"bits per byte, {tier}": asdict(value) for tier, value in found.items()},
    }
