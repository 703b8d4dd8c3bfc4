"""The steps from pinned packages to a trained network; a step that is done is skipped."""

# ruff: noqa: PLC0415, T201 - torch is heavy and stays out until a step needs it; stdout is for results

import argparse
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from jouline.errors import JoulineError


def run_folder(given: argparse.Namespace) -> Path:
    """Return the run's folder, made where it is missing."""
    folder: Path = given.folder / given.run
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
    run = run_folder(given)
    step.prepare(
        [d.text for d in documents], vocabulary.load(given.folder / "tokenizer.json"), run, epochs=2, seed=given.seed
    )


def train(given: argparse.Namespace) -> None:
    """Train until the deadline, going on from the last checkpoint."""
    from jouline.lab.pair import schedule
    from jouline.lab.pair import train as step

    run = run_folder(given)
    if not (run / step.DEADLINE).exists():
        end = datetime.now() + timedelta(minutes=given.minutes)  # noqa: DTZ005 - local time of day
        schedule.write(schedule.Deadline(end=end, cooldown_minutes=0.42 * given.minutes), run / step.DEADLINE)
    arguments = [f"--folder={run}", f"--processes={given.processes}", f"--peak={given.peak}"]
    arguments += [f"--front={given.front}", f"--back={given.back}", f"--lattice-below={given.lattice_below}"]
    arguments += ["--begin", *map(str, given.begin)] if given.begin else []
    if step.main(arguments):
        raise JoulineError(
            f"the training run failed; what it said stands above; run it again to go on from {run / step.LAST}"
        )


def shapes(given: argparse.Namespace) -> None:
    """Train the `--shapes` that have no result yet side by side, then compare them; writes `shapes.json`."""
    from jouline.lab.pair import comparison, places, trials
    from jouline.lab.pair import corpus as texts

    if not given.shapes:
        raise JoulineError("say which shapes to compare, such as --shapes 3+6 2+7")
    trials.train(given.folder, given.shapes, minutes=given.minutes, rows=run_folder(given))
    held_out = places.by_group(texts.read(given.folder / "held_out.jsonl"))["Python"]
    names = {f"{front}+{back}": (front, back) for front, back in given.shapes}
    files = {name: trials.exported(given.folder, shape) for name, shape in names.items()}
    ways = {name: comparison.Way(front=front, back=back) for name, (front, back) in files.items()}
    outcomes = comparison.measure(ways, places.draw(held_out, given.places, seed=given.seed))
    found = {
        name: trials.losses(given.folder, shape, held_out) | comparison.figures(outcomes[name])
        for name, shape in names.items()
    }
    (given.folder / "shapes.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(comparison.table(found))
