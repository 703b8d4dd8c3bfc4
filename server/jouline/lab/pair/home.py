"""A Jouline home of its own in which two files stand in the place of the shipped pair's."""

import json
from pathlib import Path

from jouline.catalogue.card import StageCard, load_catalogue
from jouline.catalogue.store import OWN_FILE


def lay_out(home: Path, front: Path, back: Path) -> None:
    """Write the catalogue below `home` that `JOULINE_HOME` then names; everything else of the pair stays as it is."""
    pair = load_catalogue().pair("embedded")
    own = home / "data" / "models" / OWN_FILE
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(_entry(pair.small, front) + _entry(pair.large, back), "utf-8")


def _entry(stage: StageCard, file: Path) -> str:
    row = {
        "family": stage.family,
        "file": str(file.resolve()),
        "follows": stage.follows,
        "context_tokens": stage.context_tokens,
        "prompt_tokens": stage.prompt_tokens,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in row.items() if value is not None]
    return "\n".join([f"[stage.{stage.id}]", *lines, "", ""])
