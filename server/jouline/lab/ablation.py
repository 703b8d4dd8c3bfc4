"""What each group of features is worth: the classifier of places trained without it, by packages left out.

    python -m jouline.lab.ablation FOLDER ROUTER

FOLDER holds the `train` table (`.jsonl.gz`), ROUTER the trained router's files, whose kind of classifier is taken.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from jouline.errors import JoulineError
from jouline.lab.outcomes import read_all
from jouline.lab.table import Table, as_shown, place_matrix, table
from jouline.lab.training import CANDIDATES, cross_validated, log_loss, net_gain
from jouline.router.calibration import load
from jouline.router.classifier import CLASSES
from jouline.router.learned import CALIBRATION_FILE

GROUPS: dict[str, tuple[str, ...]] = {
    "character before the cursor": ("char_",),
    "first word of the line": ("start_",),
    "line: lengths, brackets, strings": (
        "line_chars",
        "indent",
        "in_string",
        "in_comment",
        "line_depth",
        "open_",
        "after_",
    ),
    "lines around": ("previous_", "next_", "blank_above", "above_chars", "in_docstring"),
    "tokens": ("line_tokens", "chars_per_token", "rank_", "token_chars_"),
    "longest match": ("match_",),
    "line seen before": ("line_again", "line_rest", "line_count"),
    "tokens seen before": ("tail1_", "tail2_", "tail3_"),
    "surprise of the last token": ("surprise",),
    "identifier being written": ("stub_",),
}
"""Groups of features by the beginnings of their names."""


def ablation(given: Table, names: Sequence[str], kind: str) -> list[tuple[str, int, float, float]]:
    """Return, for all features and without each group: how many there are, log loss, area for the gain."""
    rows = [("all", list(names))]
    rows += [(f"less {group}", [n for n in names if not n.startswith(starts)]) for group, starts in GROUPS.items()]
    return [(label, len(kept), *_scores(given, kept, kind)) for label, kept in rows if kept]


def _scores(given: Table, names: Sequence[str], kind: str) -> tuple[float, float]:
    matrix = place_matrix(given.rows, names)
    parts = ("logistic", "trees") if kind == "both" else (kind,)
    told = np.mean([cross_validated(CANDIDATES[part](), matrix, given) for part in parts], axis=0)
    gain = given.classes == CLASSES.index("only_large")
    return log_loss(told, given), float(roc_auc_score(gain, net_gain(told)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m jouline.lab.ablation", description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("router", type=Path)
    args = parser.parse_args(arguments)
    try:
        calibration = load(args.router / CALIBRATION_FILE)
        given = as_shown(table(read_all([args.tables / "train.jsonl.gz"]), "small", "large"), calibration.display)
        rows = ablation(given, calibration.place_features, calibration.made_from["chosen"]["place"])
    except JoulineError as error:
        sys.stderr.write(f"jouline: {error}\n")
        return 1
    sys.stdout.write("| features | count | log loss | area, only large right |\n| --- | --- | --- | --- |\n")
    for label, count, loss, area in rows:
        sys.stdout.write(f"| {label} | {count} | {loss:.4f} | {area:.3f} |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
