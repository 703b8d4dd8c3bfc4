"""What use has taught about a pair: how often the suggestions of either model are taken beside what was expected.

Thompson sampling over the two models with Gamma posteriors, one for each language: the calibrated chances are the
prior, and what is learned moves them no further than `DRIFT`.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Any

from jouline.completion import Tier
from jouline.router.classifier import Chances

BELIEF = 200.0  # expected takings that the calibration weighs as much as
FORGET_AT = 2_000.0  # expected takings at which the older half of the experience is let go
DRIFT = 0.05  # how far a gain may move from the calibrated one
TRUST = 1.5  # a model's chances are multiplied by no more than this, nor divided
TIERS: tuple[Tier, Tier] = ("small", "large")


@dataclass(slots=True)
class Tally:
    """Of one model's suggestions: how many were expected to be taken, how many were (parts count as parts)."""

    expected: float = 0.0
    taken: float = 0.0

    @property
    def trust(self) -> float:
        """How often suggestions are taken beside what was expected; 1 at the start."""
        return (BELIEF + self.taken) / (BELIEF + self.expected)

    def sample(self, rng: random.Random) -> float:
        """Draw a trust from its posterior."""
        return rng.gammavariate(BELIEF + self.taken, 1.0) / (BELIEF + self.expected)


@dataclass(slots=True)
class Experience:
    """Tallies by language and tier. One thread at a time."""

    languages: dict[str, dict[Tier, Tally]] = field(default_factory=dict)

    @property
    def suggestions(self) -> float:
        """How many takings were expected in all: how much has been learned."""
        return sum(tally.expected for tallies in self.languages.values() for tally in tallies.values())

    def learn(self, language: str, tier: Tier, *, expected: float, taken: float) -> None:
        """Take what became of one suggestion: the chance that was expected, and the part, 0..1, that was kept."""
        tallies = self.languages.setdefault(language, {each: Tally() for each in TIERS})
        tallies[tier].expected += expected
        tallies[tier].taken += taken
        if sum(tally.expected for tally in tallies.values()) > FORGET_AT:
            for tally in tallies.values():
                tally.expected, tally.taken = tally.expected / 2, tally.taken / 2

    def gain(self, language: str, chances: Chances, rng: random.Random) -> float:
        """Return the net gain of asking the large model, as drawn from what is believed for this language."""
        tallies = self.languages.get(language)
        if tallies is None:
            return chances.net_gain
        small, large = (tallies[tier].sample(rng) for tier in TIERS)
        usual = _usual(tallies)
        gain = _bounded(large / usual) * chances.p_large_ok - _bounded(small / usual) * chances.p_small_ok
        return max(chances.net_gain - DRIFT, min(chances.net_gain + DRIFT, gain))

    def state(self) -> dict[str, Any]:
        """Return all of it as plain JSON values."""
        return {
            language: {tier: [tally.expected, tally.taken] for tier, tally in tallies.items()}
            for language, tallies in self.languages.items()
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Experience":
        """Restore `state()`; raises ValueError, TypeError or KeyError where it is not one."""
        return cls({str(language): {tier: _tally(found[tier]) for tier in TIERS} for language, found in state.items()})


def _tally(numbers: Any) -> Tally:
    expected, taken = (float(number) for number in numbers)
    if not (0 <= expected < math.inf and 0 <= taken < math.inf):
        raise ValueError("not a tally")
    return Tally(expected=expected, taken=taken)


def _usual(tallies: dict[Tier, Tally]) -> float:
    """Return the trust in both models together: people take less than what is right, whoever wrote it."""
    taken, expected = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("taken", "expected"))
    return float((2 * BELIEF + taken) / (2 * BELIEF + expected))


def _bounded(factor: float) -> float:
    return max(1.0 / TRUST, min(TRUST, factor))
