"""What a person's own accepts and rejects add to the gate's prior: a shift of its log-odds, in all and by language.

Each shift is a normal posterior around 0 updated one outcome at a time (the step of an online Laplace approximation of
logistic regression with one weight); its memory is bounded, so that a change of habits is followed.
"""

import contextlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

FILE_NAME = "personal.json"
_PRIOR_PRECISION = 10.0  # a few dozen outcomes outweigh the prior
_MOST_PRECISION = 60.0
_MOST_SHIFT = 2.0
_EVERYWHERE = "*"


@dataclass(slots=True)
class Shift:
    """A shift of log-odds and how surely it is known."""

    mean: float = 0.0
    precision: float = _PRIOR_PRECISION

    def learn(self, chance: float, *, taken: bool) -> None:
        """Move towards an outcome that was expected with `chance`."""
        self.precision = min(_MOST_PRECISION, self.precision + chance * (1.0 - chance))
        step = (float(taken) - chance) / self.precision
        self.mean = max(-_MOST_SHIFT, min(_MOST_SHIFT, self.mean + step))


@dataclass(slots=True)
class Personal:
    """One person's shifts by language; `outcomes` is how many were learned from. It keeps numbers alone, no text."""

    shifts: dict[str, Shift] = field(default_factory=dict)
    outcomes: int = 0
    path: Path | None = None

    def adjusted(self, language: str, chance: float) -> float:
        """Return the chance moved by what is known of this person."""
        shift = sum(known.mean for name in (_EVERYWHERE, language) if (known := self.shifts.get(name)))
        return chance if shift == 0.0 else _chance(log_odds(chance) + shift)

    def learn(self, language: str, chance: float, *, taken: bool) -> None:
        """Learn from one outcome, expected with the (adjusted) `chance`."""
        self.outcomes += 1
        for name in dict.fromkeys((_EVERYWHERE, language)):
            self.shifts.setdefault(name, Shift()).learn(chance, taken=taken)

    def forget(self) -> None:
        """Go back to the prior."""
        self.shifts.clear()
        self.outcomes = 0

    def save(self) -> None:
        """Write what was learned, as JSON; where there is no place for it, it is lost and nothing else."""
        if self.path is None or not self.outcomes:
            return
        shifts = {name: [shift.mean, shift.precision] for name, shift in self.shifts.items()}
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps({"outcomes": self.outcomes, "shifts": shifts}), encoding="utf-8")


def load_personal(path: Path | None) -> Personal:
    """Return what was learned so far, to be kept in `path`; None keeps nothing.

    A file that is missing or damaged is a person of whom nothing is known.
    """
    if path is None:
        return Personal()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        shifts = {str(name): Shift(_finite(mean), _finite(sure)) for name, (mean, sure) in data["shifts"].items()}
        return Personal(shifts=shifts, outcomes=int(data["outcomes"]), path=path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Personal(path=path)


def _finite(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def log_odds(chance: float) -> float:
    """Return the log-odds of a probability, kept finite."""
    inside = min(1.0 - 1e-9, max(1e-9, chance))
    return math.log(inside / (1.0 - inside))


def _chance(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))
