"""A meter that replays recorded readings: for tests, and for trying things out without counters.

The file is CSV with the columns `seconds,joules`: time since the recording began, and the counter then. An empty
`joules` is a moment at which the counter could not be read.
"""

import bisect
import csv
from pathlib import Path

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.reading import Domain, Reading, Sharing
from jouline.errors import MeterError


class ReplayMeter:
    """Replays one counter on the given clock; between two rows it stands at the earlier one, as a counter does."""

    method: Method = "measured"
    domain: Domain = "cpu"
    counted = True
    overhead_s = 0.0
    sample_every_s: float | None = None

    def __init__(
        self, path: Path, *, clock: Clock, name: str = "replay", sharing: Sharing = "cpu", resolution_s: float = 0.0
    ) -> None:
        """Load the recording; raises MeterError where it is none."""
        self.name = name
        self.covers = f"what was recorded in {path.name}"
        self.sharing = sharing
        self.resolution_s = resolution_s
        self._rows = _load(path)
        self._clock = clock
        self._began_s = clock.now()

    def read(self) -> Reading:
        """Return the recorded counter at this time; what comes after the last row is the last row."""
        now_s = self._clock.now()
        index = bisect.bisect_right(self._rows, now_s - self._began_s, key=lambda row: row[0]) - 1
        seen = self._rows[: index + 1]
        breaks = sum(joules is None for _, joules in seen)
        joules = seen[-1][1] if seen else None
        return Reading(joules, now_s, breaks, "" if joules is not None else "the recording has a gap here")

    def close(self) -> None:
        """Nothing is open."""


def _load(path: Path) -> list[tuple[float, float | None]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [_row(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MeterError(f"{path} is no recording; it needs the columns seconds,joules ({error}).") from error
    return sorted(rows, key=lambda row: row[0])


def _row(row: dict[str, str]) -> tuple[float, float | None]:
    return float(row["seconds"]), float(row["joules"]) if row["joules"] else None
