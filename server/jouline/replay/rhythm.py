"""When a person presses the next key: seeded gaps, thinking pauses and reading times.

Every value depends on the seed and on the place in the text alone, never on what happened before, so a suggestion
that is accepted does not change how the rest is typed, and runs with and without suggestions can be compared.
Medians follow what is known of copy typing (Dhakal et al., "Observations on Typing from 136 Million Keystrokes",
CHI 2018: about 240 ms between keys, log-normal, longer where a word begins); the rest is chosen, not measured.
"""

import math
import random
from dataclasses import dataclass

DEFAULT_SPEED_CPS = 5.0

_SPREAD = 0.35  # sigma of the logarithm of a gap
_WORD_START = 1.5  # times the usual gap
_LINE_START = 3.0
_CORRECTION = 0.7
_THINKING_CHANCE = 0.15  # at the beginning of a line
_THINKING_MS = (800.0, 2500.0)
_NOTICING_MS = 250.0
_READING_MS_PER_CHAR = 12.0
_READING_LIMIT_MS = 1500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A person's pace. `speed_cps` is the median speed inside words, in characters a second.

    `reading` multiplies the time taken to read a suggestion: a show gives its spectators more of it.
    """

    seed: int
    speed_cps: float = DEFAULT_SPEED_CPS
    salt: str = ""
    reading: float = 1.0

    def draw(self, position: int, purpose: str) -> random.Random:
        """Return the source of chance for one place in the text and one purpose."""
        return random.Random(f"{self.seed}:{self.salt}:{position}:{purpose}")

    def gap_ms(self, position: int, before: str, char: str) -> float:
        """Return the time from the key before to the one that types `char` after `before`."""
        chance = self.draw(position, "gap")
        gap = 1000.0 / self.speed_cps * math.exp(chance.gauss(0.0, _SPREAD))
        if before.endswith("\n"):
            return gap * _LINE_START + self._thinking_ms(chance)
        starts_word = char.isalnum() and not before[-1:].isalnum()
        return gap * (_WORD_START if starts_word else 1.0)

    def correction_ms(self, position: int) -> float:
        """Return the time before a key that takes something away."""
        chance = self.draw(position, "correction")
        return _CORRECTION * 1000.0 / self.speed_cps * math.exp(chance.gauss(0.0, _SPREAD))

    def reading_ms(self, text: str) -> float:
        """Return how long it takes to see a suggestion and judge it."""
        reading_ms = min(_NOTICING_MS + _READING_MS_PER_CHAR * len(text.strip()), _READING_LIMIT_MS)
        return self.reading * reading_ms

    @staticmethod
    def _thinking_ms(chance: random.Random) -> float:
        return chance.uniform(*_THINKING_MS) if chance.random() < _THINKING_CHANCE else 0.0
