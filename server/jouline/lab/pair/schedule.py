"""When a run ends and how its learning rate falls towards the end: constant, then straight down to nothing.

The end is a time of day in a file, so that it can be moved while the run goes on, and a slow machine cannot cut the
fall short. (Warm-up, stable, decay: Hu et al. 2024, arXiv 2404.06395.)
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The local time at which the learning rate reaches zero, and the minutes before it in which it falls."""

    end: datetime
    cooldown_minutes: float

    def factor(self, now: datetime) -> float:
        """Return what the learning rates are multiplied with: 1, falling in the cool-down, 0 from the end on."""
        left_minutes = (self.end - now).total_seconds() / 60
        return min(1.0, max(0.0, left_minutes / self.cooldown_minutes))


def write(deadline: Deadline, path: Path) -> None:
    """Write a deadline for `read`."""
    text = json.dumps(
        {"end": deadline.end.isoformat(timespec="seconds"), "cooldown_minutes": deadline.cooldown_minutes}
    )
    path.write_text(text + "\n", "utf-8")


def read(path: Path) -> Deadline | None:
    """Return the deadline in a file, or None where it cannot be read (it may be being written)."""
    try:
        fields = json.loads(path.read_text("utf-8"))
        return Deadline(end=datetime.fromisoformat(fields["end"]), cooldown_minutes=float(fields["cooldown_minutes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
