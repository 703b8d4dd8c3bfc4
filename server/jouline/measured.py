"""What was measured of a model file when it was opened on this machine, kept so that it is asked once."""

import importlib.metadata
import json
import logging
from pathlib import Path

from jouline.catalogue.own import replace_text
from jouline.engine.options import EngineOptions
from jouline.errors import CatalogueError
from jouline.hardware import probe

log = logging.getLogger(__name__)

FILE_NAME = "measured.json"
FORMAT = 1
KEPT = 64  # files, the latest measured; a person has a handful


class Measured:
    """Whether flash attention was quicker, by model file and what it runs on.

    A file that is missing, damaged or of another version holds nothing; one that cannot be written is measured again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def flash_attention(self, file: Path, options: EngineOptions) -> bool | None:
        """Return what was measured for a model file opened so, None where nothing was."""
        return self._read().get(_circumstances(file, options))

    def note(self, file: Path, options: EngineOptions, *, flash_attention: bool) -> None:
        """Keep what was measured; never raises."""
        known = self._read()
        name = _circumstances(file, options)
        known.pop(name, None)
        kept = dict([*known.items(), (name, flash_attention)][-KEPT:])
        text = json.dumps({"format": FORMAT, "flash_attention": kept}, indent=1)
        try:
            replace_text(self._path, text)
        except (CatalogueError, OSError) as error:
            log.warning("opening: what was measured is not kept: %s", error)

    def _read(self) -> dict[str, bool]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            known = document["flash_attention"] if document["format"] == FORMAT else {}
            return {str(name): flash for name, flash in known.items() if isinstance(flash, bool)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}


def _circumstances(file: Path, options: EngineOptions) -> str:
    """Name all that what was measured depends on: the file, its room, what it runs on, the engine's kernels."""
    machine = probe()
    version = importlib.metadata.version("llama-cpp-python")
    runs_on = f"{machine.cpu_name}, {options.threads} threads, {options.gpu_layers} layers on a GPU"
    return f"{file.name}, {file.stat().st_size} bytes, {options.context_tokens} tokens, {runs_on}, {version}"
