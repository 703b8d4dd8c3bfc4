"""What models have cost on this machine, kept between sessions.

One cost model for each model file, device, power source and unit: a battery's clock or another counter gives other
coefficients, and mixing them would spoil both. The file holds sums of regressions, never a word of source.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jouline.energy.savings import CostModel

log = logging.getLogger(__name__)

FILE_NAME = "costs.json"
FORMAT = 1
KEPT = 64  # models, the latest used; a person has a handful


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a cost model was fitted under; costs under others are not comparable.

    `model` names the very file, `device` what it runs on, `power` mains or battery, `unit` what its costs count.
    """

    model: str
    device: str
    power: str
    unit: str


class CostBook:
    """The cost models of this machine, read once and written on `save`; `path` None keeps them in memory.

    Several processes may share a file: of the same circumstances the one saved last is kept.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False, wall: Callable[[], float] = time.time) -> None:
        self.path = path
        self.problem: str | None = None
        self._read_only = read_only
        self._wall = wall
        self._known = self._read()
        self._own: dict[Circumstances, CostModel] = {}

    @property
    def keeps(self) -> bool:
        """Whether what is learned here is written to its file."""
        return self.path is not None and not self._read_only

    def recall(self, circumstances: Circumstances) -> CostModel | None:
        """Return the model fitted under these circumstances, None where there is none; use one object for each."""
        if circumstances not in self._own and circumstances in self._known:
            try:
                self._own[circumstances] = CostModel.from_state(self._known[circumstances][1])
            except ValueError:
                self.problem = self._sentence("one entry is damaged")
                del self._known[circumstances]
        return self._own.get(circumstances)

    def keep(self, circumstances: Circumstances, model: CostModel) -> None:
        """Take in a model; `save` writes what it has become by then."""
        self._own[circumstances] = model

    def save(self) -> None:
        """Write all that is kept, beside what other processes wrote; never raises."""
        if self.path is None or self._read_only or not self._own:
            return
        now = self._wall()
        known = self._read() | {each: (now, model.state()) for each, model in self._own.items()}
        latest = sorted(known.items(), key=lambda item: item[1][0])[-KEPT:]
        models = [asdict(each) | {"at": at, "state": state} for each, (at, state) in latest]
        try:
            _write(self.path, json.dumps({"format": FORMAT, "models": models}))
        except OSError as error:
            log.warning("energy: what the models cost here is not kept: %s: %s", self.path, error.strerror)

    def _read(self) -> dict[Circumstances, tuple[float, dict[str, Any]]]:
        if self.path is None:
            return {}
        try:
            return dict(map(_entry, _models(json.loads(self.path.read_text(encoding="utf-8")))))
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.problem = self._sentence(error.strerror or type(error).__name__)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.problem = self._sentence("it is damaged or of another version")
        return {}

    def _sentence(self, why: str) -> str:
        sentence = f"What the models cost here is learnt anew, as {self.path} cannot be used: {why}."
        log.warning("energy: %s", sentence)
        return sentence


def _models(document: Any) -> list[dict[str, Any]]:
    if document["format"] != FORMAT:
        raise ValueError("another format")
    return list(document["models"])


def _entry(fields: dict[str, Any]) -> tuple[Circumstances, tuple[float, dict[str, Any]]]:
    named = {name: fields[name] for name in Circumstances.__dataclass_fields__}
    if not all(isinstance(value, str) for value in named.values()) or not isinstance(fields["state"], dict):
        raise TypeError("not an entry")
    return Circumstances(**named), (float(fields["at"]), fields["state"])


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole: who reads meanwhile sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
