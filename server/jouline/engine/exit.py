"""Early exit, token by token: whether the small half's choice stands, or the large half is asked (pure, and a file).

The rule is an additive table: each signal falls into a bin, each bin has a weight, and the token ends at the small half
where the weights sum to more than nothing. That is a logistic policy whose evaluation costs a few microseconds. It is
trained by reinforcement learning in the lab (`jouline.lab.exits`), after Ilager et al. 2025, "GREEN-CODE", whose agent
reads hidden states instead and costs 11 to 21 % of the energy.
"""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jouline.errors import EngineError

VERSION = 1
FILE_NAME = "exit.json"
EDGES: dict[str, tuple[float, ...]] = {
    "lead": (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),  # of the small half's logits, nats
    "logprob": (-12.0, -8.0, -6.0, -5.0, -4.0, -3.0, -2.5, -2.0, -1.5, -1.0, -0.6, -0.3, -0.1),  # of the text so far
    "decoded": (1, 2, 3, 4, 6, 9, 14, 24),  # tokens so far: the place in the line
    "behind": (1, 2, 3, 5, 9, 17),  # positions that the large half would have to catch up besides this one
    "lookup": (0, 1),  # -1 where the same tokens went on otherwise before, 0 new, 1 as now
    "last": (1, 2),  # what the large half said last: never asked, agreed, differed
    "spelling": (1,),  # 1 while what was typed is spelled again
    "kind": tuple(range(1, 11)),  # of the token, see `kind_of`
}
SIGNALS = tuple(EDGES)
_PUNCTUATION = (
    dict.fromkeys(b"([{", 6) | dict.fromkeys(b")]}", 7) | dict.fromkeys(b"'\"`", 8) | dict.fromkeys(b".,:;", 9)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known when the small half has made its choice; see `EDGES` for units."""

    lead: float
    logprob: float
    decoded: int
    behind: int
    lookup: int
    last: int
    spelling: int
    kind: int

    def bins(self) -> tuple[int, ...]:
        """Return the bin of each signal, in the order of `SIGNALS`."""
        return tuple(bisect_right(EDGES[name], getattr(self, name)) for name in SIGNALS)


def kind_of(piece: bytes) -> int:
    """Return the kind of a token, 0..10: an end, a line break, blanks, a word's rest, a word, a digit, punctuation."""
    if not piece:
        return 0
    if b"\n" in piece:
        return 1
    body = piece.strip()
    if not body:
        return 2
    if body[:1].isalpha() or body[:1] == b"_" or body[0] >= 0x80:
        return 4 if piece[0] == 0x20 else 3
    if body[:1].isdigit():
        return 5
    return _PUNCTUATION.get(body[0], 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPoint:
    """The rule at one energy saving: a bias, and for each signal the weight of each of its bins.

    `cost` (against the best lossless decoding) and `quality_lost` (points of exact match) are those of the validation.
    """

    energy_saving: int
    bias: float
    weights: Mapping[str, Sequence[float]]
    cost: float | None = None
    quality_lost: float | None = None


class ExitRule:
    """One operating point, ready to be asked for every token."""

    def __init__(self, point: ExitPoint) -> None:
        self._bias = point.bias
        used = [name for name in SIGNALS if name in point.weights]
        self._tables = tuple((name, EDGES[name], tuple(point.weights[name])) for name in used)

    def exits(self, signals: Signals) -> bool:
        """Whether the small half's choice stands."""
        score = self._bias
        for name, edges, weights in self._tables:
            score += weights[bisect_right(edges, getattr(signals, name))]
        return score > 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitAgent:
    """The rules of one pair by energy saving; where none fits, every token goes through the whole network."""

    weights: Mapping[str, str | None]
    points: tuple[ExitPoint, ...]
    made_from: Mapping[str, Any]
    version: int = VERSION

    def at(self, energy_saving: int) -> ExitRule | None:
        """Return the rule of the highest calibrated energy saving that is not above this one, None below all."""
        fitting = [point for point in self.points if point.energy_saving <= energy_saving]
        return ExitRule(max(fitting, key=lambda point: point.energy_saving)) if fitting else None

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load_agent(path: Path, weights: Mapping[str, str | None]) -> ExitAgent | None:
    """Read the agent; None where there is none. Raises EngineError where it is damaged or made for other weights."""
    if not path.is_file():
        return None
    try:
        agent = _from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"The exit rule {path.name} cannot be used ({error}); `scripts/train_exit` makes another."
        raise EngineError(message) from error
    if dict(agent.weights) != dict(weights):
        raise EngineError(f"The exit rule {path.name} was made for other weights; `scripts/train_exit` makes another.")
    return agent


def _from_json(data: dict[str, Any]) -> ExitAgent:
    points = tuple(ExitPoint(**point) for point in data["points"])
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']}, not {VERSION}")
    if any(len(table) != len(EDGES[name]) + 1 for point in points for name, table in point.weights.items()):
        raise ValueError("its tables have other sizes")
    return ExitAgent(weights=data["weights"], points=points, made_from=data["made_from"])
