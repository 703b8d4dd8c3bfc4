"""What each counter shows while we do nothing: a rolling low percentile, mains and battery apart."""

from collections import deque
from collections.abc import Hashable

AGE_LIMIT_S = 600.0
PERCENTILE = 0.10  # other programs' bursts are not idling
SAMPLES_KEPT = 120


class IdlePower:
    """Idle watts by key (meter and power source). Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._samples: dict[Hashable, deque[tuple[float, float]]] = {}

    def add(self, key: Hashable, at_s: float, watts: float) -> None:
        """Note the mean power over a window of a second or more in which we did nothing."""
        self._samples.setdefault(key, deque(maxlen=SAMPLES_KEPT)).append((at_s, watts))

    def watts(self, key: Hashable, now_s: float) -> float | None:
        """Return the 10th percentile of the last ten minutes; None where nothing was seen in them."""
        recent = sorted(watts for at_s, watts in self._samples.get(key, ()) if now_s - at_s <= AGE_LIMIT_S)
        return recent[int(PERCENTILE * (len(recent) - 1))] if recent else None
