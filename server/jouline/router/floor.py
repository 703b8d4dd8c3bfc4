"""Keeps a quality floor by what shadow evaluations show: a virtual queue (MESS+, arXiv 2505.19947).

The queue grows by what the answers given fall short of the floor, and shrinks by what they are better; the longer it
is, the less energy saving is allowed.
"""

from dataclasses import dataclass

SHADOW_EVERY = 100  # answers of the small model for one shadow evaluation
LONGEST = 1_000.0  # right suggestions short of the floor at which nothing is saved any more


@dataclass(slots=True)
class QualityQueue:
    """How many right suggestions the answers given are behind the floor."""

    behind: float = 0.0
    shadows: int = 0

    def compared(self, *, floor: float, served: float, large: float) -> None:
        """Take a shadow evaluation: whether the answer given, and the large model's, was right. `floor` is 0..1."""
        self.shadows += 1
        self._add(SHADOW_EVERY * (floor * large - served))

    def large_served(self, *, floor: float, p_large_ok: float) -> None:
        """Take an answer of the large model, which is as good as the large model's."""
        self._add((floor - 1.0) * p_large_ok)

    def allowed(self, energy_saving: float) -> float:
        """Return how much of an energy saving may be used."""
        return energy_saving * (1.0 - self.behind / LONGEST)

    def _add(self, shortfall: float) -> None:
        self.behind = min(LONGEST, max(0.0, self.behind + shortfall))
