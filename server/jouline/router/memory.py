"""What a router learned in use, kept between sessions: one small versioned file for each pair."""

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jouline.router.experience import Experience
from jouline.router.floor import QualityQueue

VERSION = 1


@dataclass(slots=True, kw_only=True)
class Memory:
    """All that is learned for one pair. `problem` says what could not be read or written, None if nothing."""

    path: Path | None
    made_for: str
    experience: Experience = field(default_factory=Experience)
    floors: dict[str, QualityQueue] = field(default_factory=dict)
    problem: str | None = None

    def floor(self, language: str) -> QualityQueue:
        """Return a language's queue."""
        return self.floors.setdefault(language, QualityQueue())

    def save(self) -> None:
        """Write the file, whole or not at all; a memory without a path is kept in memory alone."""
        if self.path is None:
            return
        state = {
            "version": VERSION,
            "made_for": self.made_for,
            "languages": self.experience.state(),
            "floors": {language: [queue.behind, queue.shadows] for language, queue in self.floors.items()},
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(state, file)
            Path(name).replace(self.path)
        except OSError as error:
            self.problem = f"What the router learned cannot be kept in {self.path} ({error.strerror})."


def recall(path: Path | None, *, made_for: str) -> Memory:
    """Return what was learned for the router named by `made_for`; a fresh memory where there is none of it.

    A damaged file, or one of another version, gives a fresh memory and one sentence in `problem`; one made for
    another router gives a fresh memory without a word.
    """
    fresh = Memory(path=path, made_for=made_for)
    if path is None:
        return fresh
    try:
        return _from_state(json.loads(path.read_text(encoding="utf-8")), fresh)
    except (FileNotFoundError, NotADirectoryError):
        return fresh
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        fresh.problem = f"What the router learned in {path.name} cannot be read: it starts from its calibration again."
        return fresh


def _from_state(state: dict[str, Any], fresh: Memory) -> Memory:
    if state["version"] != VERSION:
        raise ValueError(f"version {state['version']}, not {VERSION}")
    if state["made_for"] != fresh.made_for:
        return fresh
    floors = {
        str(language): QualityQueue(behind=float(behind), shadows=int(shadows))
        for language, (behind, shadows) in state["floors"].items()
    }
    experience = Experience.from_state(state["languages"])
    return Memory(path=fresh.path, made_for=fresh.made_for, experience=experience, floors=floors)


def forget(path: Path) -> bool:
    """Delete what was learned; return whether there was anything. Raises OSError where that is not allowed."""
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed
