"""`python -m jouline.lab.pair STEP`: from pinned packages to a finished pair; a step that is done is skipped."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from jouline.errors import JoulineError
from jouline.lab.pair import making, measuring
from jouline.lab.pair.names import PRECISIONS

log = logging.getLogger(__name__)

Step = Callable[[argparse.Namespace], None]

MAKING: dict[str, Step] = {
    "corpus": making.corpus,
    "tokenizer": making.tokenizer,
    "rows": making.rows,
    "train": making.train,
}
FINISHING: dict[str, Step] = {
    "export": measuring.export,
    "opening": measuring.opening,
    "precisions": measuring.precisions,
    "evaluate": measuring.evaluate,
    "humaneval": measuring.humaneval,
    "tokens": measuring.tokens,
    "card": measuring.card,
}
APART: dict[str, Step] = {"shapes": making.shapes, "contexts": measuring.contexts, "install": measuring.install}
TOGETHER = {"all": MAKING | FINISHING, "finish": FINISHING}


def default_folder() -> Path:
    """Where corpus, rows, checkpoints and results lie: `JOULINE_TRAIN_DIR`, else a folder in the user's cache."""
    return Path(os.environ.get("JOULINE_TRAIN_DIR") or Path.home() / ".cache" / "jouline-train")


def steps(name: str) -> dict[str, Step]:
    """Return the steps that a name on the command line stands for, in order."""
    return TOGETHER[name] if name in TOGETHER else {name: (MAKING | FINISHING | APART)[name]}


def _shape(text: str) -> tuple[int, int]:
    front, back = map(int, text.split("+"))
    if front < 1 or back < 1:
        raise ValueError(text)
    return front, back


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    found = argparse.ArgumentParser(
        prog="train_models",
        description="make the embedded pair, from pinned packages to GGUF files in the tree",
        epilog=f"all: {', '.join(TOGETHER['all'])}. finish: {', '.join(FINISHING)}.",
    )
    found.add_argument("step", choices=[*TOGETHER, *MAKING, *FINISHING, *APART], nargs="?", default="all")
    found.add_argument("--folder", type=Path, default=default_folder())
    found.add_argument("--run", default="run", help="name of this run's folder below --folder")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--processes", type=int, default=2, help="one-thread processes on a CPU; 1 on a GPU")
    _add_training(found)
    _add_measuring(found)
    return found


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("--minutes", type=float, default=120.0, help="length of a run that has no deadline file yet")
    group.add_argument("--front", type=int, default=3, help="layers before the exit")
    group.add_argument("--back", type=int, default=6, help="layers behind it")
    group.add_argument("--begin", type=Path, nargs=2, metavar=("FRONT", "BACK"), help="GGUF files to begin from")
    group.add_argument("--peak", type=float, default=1.0, help="scales the learning rates")
    group.add_argument(
        "--lattice-below", type=float, default=0.3, help="share of the rates below which weights are rounded as by q4_0"
    )
    group.add_argument("--shapes", type=_shape, nargs="+", metavar="FRONT+BACK", help="shapes to compare: 3+6 2+7")


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("finishing")
    group.add_argument("--checkpoint", default="final.pt", help="what to export, such as last.pt of a run under way")
    group.add_argument("--precision", choices=PRECISIONS, default="q4_0", help="of the files that ship")
    group.add_argument("--pair", type=Path, nargs=2, metavar=("FRONT", "BACK"), help="measure these files instead")
    group.add_argument("--places", type=int, default=2000, help="by language")
    group.add_argument("--contexts", type=int, nargs="+", default=[256, 384, 512, 640], help="prompt tokens to compare")
    group.add_argument(
        "--human-eval", type=Path, nargs="+", metavar="ROWS", help="files of openai/human-eval-infilling, .jsonl or .gz"
    )
    group.add_argument("--rows", type=int, default=10_000, help="most rows of each of them")


def main() -> int:
    """Run one step, or several in order."""
    given = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        for name, step in steps(given.step).items():
            log.info("%s", name)
            step(given)
    except JoulineError as error:
        print(f"train_models: {error}", file=sys.stderr)  # noqa: T201 - the one sentence of the failure
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
