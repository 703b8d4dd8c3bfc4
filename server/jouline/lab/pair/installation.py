"""Puts a finished run into the tree: files, tokenizer and card under `models/`, and what the catalogue says of them."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jouline.catalogue.card import CATALOGUE_FILE, load_catalogue
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.store import sha256_of
from jouline.errors import JoulineError
from jouline.lab.pair.evaluate import CONTEXT_TOKENS
from jouline.lab.pair.names import PARTS, file_name

MOST_BYTES = 30_000_000  # of all weights in the tree: they travel with every extension and every checkout
STAGES = {"front": "embedded-small", "back": "embedded-large"}
TIERS = {"front": "small", "back": "large"}
NEXT = """\
The pair is in {models}. What was made for the old one has to be made anew:
  scripts/train_router               the router, which names the weights it was made for
  tests/browser/run --screenshots    the pictures in docs/images
  scripts/bench                      latency
  scripts/test                       everything"""


def install(run: Path, kind: str, models: Path) -> str:
    """Copy the run's files of one precision into `models`, write their facts into its catalogue; return what is next.

    Raises JoulineError, nothing changed, where a file is missing or the weights would be over 30 MB.
    """
    sources = {part: run / file_name(part, kind) for part in PARTS}
    beside = {"tokenizer.json": run.parent / "tokenizer.json", "CARD.md": run / "CARD.md"}
    opening = run / "opening.json"
    for path in (*sources.values(), *beside.values(), opening):
        if not path.exists():
            raise JoulineError(f"{path} is missing; run `scripts/train_models finish` first")
    targets = {part: models / _file_of(models, part) for part in PARTS}
    check_size(models, sources, targets)
    memory = json.loads(opening.read_text("utf-8"))["memory_bytes"]
    catalogue = (models / CATALOGUE_FILE).read_text("utf-8")
    for part in PARTS:
        catalogue = rewritten(catalogue, STAGES[part], facts(sources[part], kind, memory[TIERS[part]]))
    for part in PARTS:
        _copy(sources[part], targets[part])
    for name, source in beside.items():
        _copy(source, models / name)
    (models / CATALOGUE_FILE).write_text(catalogue, "utf-8")
    load_catalogue([models / CATALOGUE_FILE])
    return NEXT.format(models=models)


def _copy(source: Path, target: Path) -> None:
    """Put a file in another's place at once: a process that has the old one mapped would die of one that shrinks."""
    beside = target.with_name(f"{target.name}.new")
    shutil.copyfile(source, beside)
    beside.replace(target)


def _file_of(models: Path, part: str) -> str:
    return load_catalogue([models / CATALOGUE_FILE]).stage(STAGES[part]).file


def check_size(models: Path, sources: Mapping[str, Path], targets: Mapping[str, Path]) -> None:
    """Refuse weights that would take all in `models` over the limit."""
    kept = sum(path.stat().st_size for path in models.glob("*.gguf") if path not in targets.values())
    total = kept + sum(path.stat().st_size for path in sources.values())
    if total > MOST_BYTES:
        raise JoulineError(
            f"the weights would take {total:,} bytes, more than {MOST_BYTES:,}; choose a lower precision"
        )


def facts(file: Path, kind: str, memory_bytes: int) -> dict[str, Any]:
    """Return what the catalogue says of a file, by key."""
    return {
        "sha256": sha256_of(file),
        "size_bytes": file.stat().st_size,
        "quantisation": kind,
        "context_tokens": read_header(file, remedy="export it again").context_tokens,
        "prompt_tokens": CONTEXT_TOKENS,
        "memory_bytes": memory_bytes,
        "languages": ["python", "typescript", "javascript"],
    }


def rewritten(catalogue: str, stage: str, values: Mapping[str, Any]) -> str:
    """Return the catalogue with a stage's values put in the place of the old ones, comments behind them kept."""
    head, table, rest = catalogue.partition(f"[stage.{stage}]\n")
    body, gap, tail = rest.partition("\n\n")
    for key, value in values.items():
        body, count = re.subn(
            rf"^{key} = [^#\n]*?(?=\s*(#.*)?$)", f"{key} = {json.dumps(value)}", body, count=1, flags=re.MULTILINE
        )
        if not (table and count):
            raise JoulineError(f"the catalogue has no `{key}` under [stage.{stage}] to write to; add it by hand")
    return f"{head}{table}{body}{gap}{tail}"
