"""Model files that other programs keep on this machine: Ollama's and LM Studio's.

Ollama (docs/faq.mdx, docs/modelfile.mdx; server/manifest.go): `MODELS/manifests/HOST/NAMESPACE/MODEL/TAG` is an OCI
manifest whose layer of media type `application/vnd.ollama.image.model` names a blob `MODELS/blobs/sha256-HEX`, which
is a GGUF file. MODELS is `$OLLAMA_MODELS`, else `~/.ollama/models`, else the service's own home on Linux.
LM Studio (docs, "Import models"): `MODELS/PUBLISHER/REPOSITORY/FILE.gguf`, MODELS being `~/.lmstudio/models`, before
version 0.3.6 `~/.cache/lm-studio/models`.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jouline.catalogue.card import FamilyCard
from jouline.catalogue.families import recognise
from jouline.catalogue.gguf_header import read_header
from jouline.errors import CatalogueError

OLLAMA_SERVICE_HOME = Path("/usr/share/ollama/.ollama/models")
OLLAMA_MODEL_LAYER = "application/vnd.ollama.image.model"
OLLAMA_HOST, OLLAMA_NAMESPACE = "registry.ollama.ai", "library"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model file of another program. Exactly one of `family` and `problem` is None."""

    program: Literal["ollama", "lm-studio"]
    name: str
    path: Path
    size_bytes: int
    family: str | None
    problem: str | None


def find_models(
    families: Mapping[str, FamilyCard], home: Path | None = None, environ: Mapping[str, str] = os.environ
) -> list[FoundModel]:
    """Return the models of other programs that lie on this machine, those that cannot be used with the reason."""
    home = home or Path.home()
    found = [_found("ollama", name, path, families) for name, path in _ollama(home, environ)]
    return found + [_found("lm-studio", name, path, families) for name, path in _lm_studio(home)]


def _found(
    program: Literal["ollama", "lm-studio"], name: str, path: Path, families: Mapping[str, FamilyCard]
) -> FoundModel:
    family, problem = None, None
    try:
        family = recognise(read_header(path), families).id
    except CatalogueError as error:
        problem = str(error)
    return FoundModel(
        program=program, name=name, path=path, size_bytes=path.stat().st_size, family=family, problem=problem
    )


def _ollama(home: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    named = environ.get("OLLAMA_MODELS")
    roots = [Path(named).expanduser()] if named else [home / ".ollama/models", OLLAMA_SERVICE_HOME]
    for root in roots:
        for manifest in _files(root / "manifests", "*/*/*/*"):
            blob = _ollama_blob(root, manifest)
            if blob is not None and blob.is_file():
                yield _ollama_name(manifest.relative_to(root / "manifests").parts), blob


def _ollama_blob(root: Path, manifest: Path) -> Path | None:
    try:
        document: Any = json.loads(manifest.read_text(encoding="utf-8"))
        digests = [layer["digest"] for layer in document["layers"] if layer["mediaType"] == OLLAMA_MODEL_LAYER]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # another program's file, half written or of a newer kind: not ours to complain about
    return root / "blobs" / str(digests[0]).replace(":", "-") if digests else None


def _ollama_name(parts: tuple[str, ...]) -> str:
    host, namespace, model, tag = parts
    if (host, namespace) == (OLLAMA_HOST, OLLAMA_NAMESPACE):
        return f"{model}:{tag}"
    return f"{namespace}/{model}:{tag}" if host == OLLAMA_HOST else f"{host}/{namespace}/{model}:{tag}"


def _lm_studio(home: Path) -> Iterator[tuple[str, Path]]:
    for root in (home / ".lmstudio/models", home / ".cache/lm-studio/models"):
        for path in _files(root, "*/*/*.gguf"):
            if not path.name.startswith("mmproj"):  # the eye of a vision model, no model of its own
                yield "/".join(path.relative_to(root).parts[1:]), path


def _files(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in root.glob(pattern) if path.is_file())
    except OSError:
        return []  # no permission to look there
