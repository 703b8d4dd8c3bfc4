"""`python -m jouline.lab.pair STEP`: from pinned packages to a finished pair; a step that is done is skipped."""

# ruff: noqa: PLC0415, T201 - torch is heavy and stays out until a step needs it; stdout is for results

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from jouline.errors import JoulineError
from jouline.lab.pair.corpus import Document

PRECISIONS = ("f16", "q8_0", "q4_0")


def default_folder() -> Path:
    """Where corpus, rows, checkpoints and results lie: `JOULINE_TRAIN_DIR`, else a folder in the user's cache."""
    return Path(os.environ.get("JOULINE_TRAIN_DIR") or Path.home() / ".cache" / "jouline-train")


def corpus(given: argparse.Namespace) -> None:
    """Download the pinned packages and filter them."""
    from jouline.lab.pair import corpus as step

    if not (given.folder / "train.jsonl").exists():
        step.build(given.folder, seed=given.seed)


def tokenizer(given: argparse.Namespace) -> None:
    """Fit a tokenizer to the corpus; a pair to begin from (`--begin`) keeps its own, which lies beside its files."""
    from jouline.lab.pair import corpus as texts
    from jouline.lab.pair import tokenizer as step

    target = given.folder / "tokenizer.json"
    if target.exists():
        return
    if given.begin:
        shutil.copyfile(given.begin[0].with_name("tokenizer.json"), target)
    else:
        documents = texts.read(given.folder / "train.jsonl")
        step.train(step.balanced((d.package, d.text) for d in documents)).save(str(target))


def rows(given: argparse.Namespace) -> None:
    """Pack the corpus into rows of tokens."""
    from jouline.lab.pair import corpus as texts
    from jouline.lab.pair import rows as step
    from jouline.lab.pair import tokenizer as vocabulary

    documents = texts.read(given.folder / "train.jsonl")
    run = _run(given)
    step.prepare(
        [d.text for d in documents], vocabulary.load(given.folder / "tokenizer.json"), run, epochs=2, seed=given.seed
    )


def train(given: argparse.Namespace) -> None:
    """Train until the deadline, going on from the last checkpoint."""
    from jouline.lab.pair import schedule
    from jouline.lab.pair import train as step

    run = _run(given)
    if not (run / step.DEADLINE).exists():
        end = datetime.now() + timedelta(minutes=given.minutes)  # noqa: DTZ005 - local time of day
        schedule.write(schedule.Deadline(end=end, cooldown_minutes=0.42 * given.minutes), run / step.DEADLINE)
    arguments = [f"--folder={run}", f"--processes={given.processes}", f"--peak={given.peak}"]
    arguments += [f"--front={given.front}", f"--back={given.back}"]
    arguments += ["--begin", *map(str, given.begin)] if given.begin else []
    if step.main(arguments):
        raise JoulineError(
            f"the training run failed; what it said stands above; run it again to go on from {run / step.LAST}"
        )


def export(given: argparse.Namespace) -> None:
    """Write the trained network as GGUF files at every precision."""
    from jouline.lab.pair import card as card_text
    from jouline.lab.pair import checkpoint, quantise
    from jouline.lab.pair import export as step

    run = _run(given)
    pair, progress = checkpoint.network(run / "final.pt")
    for path in step.write(pair, given.folder / "tokenizer.json", run):
        for kind in PRECISIONS[1:]:
            quantise.quantise(path, path.with_name(path.name.replace("f16", kind)), kind)
    begun_from = " and ".join(path.name for path in given.begin) if given.begin else None
    description = card_text.describe(pair.shape, progress, begun_from)
    (run / "description.json").write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    print(f"{run}: front and back after {progress.tokens / 1e6:.2f} M tokens")


def evaluate(given: argparse.Namespace) -> None:
    """Evaluate the run's files of every precision, if it has any, and those of `--begin`; write `evaluation.json`."""
    from jouline.lab.pair import corpus as texts
    from jouline.lab.pair import export as names

    run = _run(given)
    held_out = texts.read(given.folder / "held_out.jsonl")
    parts = {kind: tuple(run / names.file_name(part, kind) for part in names.PARTS) for kind in PRECISIONS}
    parts = {kind: files for kind, files in parts.items() if all(path.exists() for path in files)}
    parts |= {"begun from": tuple(given.begin)} if given.begin else {}
    found = {}
    for kind, (front, back) in parts.items():
        found[kind] = _figures(front, back, held_out, given)
        (run / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


def _figures(front: Path, back: Path, held_out: list[Document], given: argparse.Namespace) -> dict[str, object]:
    from jouline.lab.pair import bits, export
    from jouline.lab.pair import evaluate as step
    from jouline.lab.pair import tokenizer as vocabulary

    coding = vocabulary.load(given.folder / "tokenizer.json")
    found = bits.bits_per_byte(export.read(front, back), coding, held_out)
    rest = step.figures(front, back, held_out, count=given.places)
    return {"bits_per_byte": {tier: asdict(value) for tier, value in found.items()}, **rest}


def shapes(given: argparse.Namespace) -> None:
    """Train the `--shapes` that have no result yet side by side, then compare them; writes `shapes.json`."""
    from jouline.lab.pair import corpus as texts
    from jouline.lab.pair import places, trials
    from jouline.lab.pair import shapes as step

    trials.train(given.folder, given.shapes, minutes=given.minutes, rows=_run(given))
    held_out = [d for d in texts.read(given.folder / "held_out.jsonl") if d.language == "python"]
    files = {shape: trials.exported(given.folder, shape) for shape in given.shapes}
    outcomes = step.measure(files, places.draw(held_out, given.places, seed=11))
    found = {
        shape: trials.losses(given.folder, shape, held_out) | step.figures(outcomes[shape]) for shape in given.shapes
    }
    (given.folder / "shapes.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(step.table(found))


def card(given: argparse.Namespace) -> None:
    """Write the model card, `CARD.md`, beside the files."""
    from jouline.lab.pair import card as step

    run = _run(given)
    (run / "CARD.md").write_text(step.render(run), "utf-8")


STEPS: dict[str, Callable[[argparse.Namespace], None]] = {
    "corpus": corpus, "tokenizer": tokenizer, "rows": rows, "train": train, "export": export, "evaluate": evaluate,
    "card": card,
}  # fmt: skip


def _run(given: argparse.Namespace) -> Path:
    folder: Path = given.folder / given.run
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train_models", description="make the embedded pair: from pinned packages to GGUF"
    )
    parser.add_argument("step", choices=[*STEPS, "all", "shapes"], nargs="?", default="all")
    parser.add_argument("--folder", type=Path, default=default_folder())
    parser.add_argument("--run", default="run", help="name of this run's folder below --folder")
    parser.add_argument(
        "--minutes", type=float, default=120.0, help="length of the run, if no deadline file is there yet"
    )
    parser.add_argument("--processes", type=int, default=2, help="one-thread processes on a CPU; 1 on a GPU")
    parser.add_argument("--front", type=int, default=3, help="layers before the exit")
    parser.add_argument("--back", type=int, default=6, help="layers behind it")
    parser.add_argument("--begin", type=Path, nargs=2, metavar=("FRONT", "BACK"), help="GGUF files to begin from")
    parser.add_argument("--peak", type=float, default=1.0, help="scales the learning rates")
    parser.add_argument("--places", type=int, default=2000)
    parser.add_argument("--shapes", nargs="+", metavar="FRONT+BACK", help="layers of the shapes to compare")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> int:
    """Run one step, or all in order."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        for name, step in (STEPS | {"shapes": shapes}).items():
            if given.step == name or (given.step == "all" and name in STEPS):
                step(given)
    except JoulineError as error:
        print(f"train_models: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
