"""The user's own model files: cards made from what a file says of itself, kept in a small catalogue of their own."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jouline.catalogue.card import ESTIMATE_CONTEXT_TOKENS, FamilyCard, StageCard
from jouline.catalogue.families import fim_of
from jouline.catalogue.gguf_header import GgufHeader
from jouline.errors import CatalogueError

_NOT_IN_IDS = re.compile(r"[^a-z0-9._-]+")
ID_CHARS = 100  # the longest that a setting may name
_KEPT = ("family", "file", "size_bytes", "quantisation", "licence", "context_tokens", "memory_bytes")


def own_card(header: GgufHeader, family: FamilyCard) -> StageCard:
    """Return the card of a file of the user's own; its id is the file's name in small letters."""
    return StageCard(
        id=_NOT_IN_IDS.sub("-", header.path.stem.lower()).strip("-._")[:ID_CHARS] or "model",
        file=str(header.path.resolve()),
        family=family.id,
        fim=fim_of(header, family),
        healing=family.healing,
        size_bytes=header.size_bytes,
        quantisation=header.quantisation,
        licence=header.licence,
        context_tokens=header.context_tokens,
        memory_bytes=_memory(header),
    )


def remember(own_file: Path, card: StageCard) -> None:
    """Add a card to the user's own catalogue, in the place of one with its id; the file is replaced at once."""
    row = {key: value for key in _KEPT if (value := getattr(card, key)) is not None}
    markers = {key: value for key in ("prefix", "suffix", "middle") if (value := asdict(card.fim)[key]) is not None}
    _write(own_file, _read(own_file) | {card.id: row | {"fim": markers}})


def forget(own_file: Path, stage_id: str) -> None:
    """Take a card out of the user's own catalogue; the model file stays."""
    _write(own_file, {key: row for key, row in _read(own_file).items() if key != stage_id})


def _memory(header: GgufHeader) -> int | None:
    tokens = min(ESTIMATE_CONTEXT_TOKENS, header.context_tokens or ESTIMATE_CONTEXT_TOKENS)
    per_token = header.kv_bytes_per_token
    return None if per_token is None else header.size_bytes + per_token * tokens


def _read(own_file: Path) -> dict[str, dict[str, Any]]:
    try:
        return dict(tomllib.loads(own_file.read_text(encoding="utf-8")).get("stage", {}))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"The list of your own models {own_file} cannot be read ({error}); delete it.") from error


def _write(own_file: Path, stages: Mapping[str, Mapping[str, Any]]) -> None:
    lines = ["# Model files of your own, written by `jouline models use`.\n"]
    for stage_id, row in stages.items():
        lines.append(f"\n[stage.{_toml(stage_id)}]\n")
        lines += [f"{key} = {_toml(value)}\n" for key, value in row.items()]
    replace_text(own_file, "".join(lines))


def replace_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all; raises `CatalogueError` where that is not allowed or possible."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CatalogueError(f"{path} cannot be written ({error.strerror}); check its folder's permissions.") from error


def _toml(value: Any) -> str:
    """Return a TOML value: strings as JSON writes them, which TOML reads alike, and inline tables."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
