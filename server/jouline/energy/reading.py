"""Readings of energy counters: the words of this pillar.

A **meter** reads one counter: joules that only grow. A **reading** is the counter at one moment. A **break** is a
moment across which a counter says nothing (it was reset, the machine slept, permission was lost): between two
readings with different `breaks` the energy is unknown, never zero and never negative.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from jouline.completion import Method

Domain = Literal["cpu", "memory", "gpu", "machine"]
# What a counter covers: us alone, every program on the processors, or every program on the GPU.
Sharing = Literal["own", "cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter at one moment; `joules_total` is None where it could not be read, and `why` then says so.

    `share` is our part, 0..1, of what a board computed lately: 1 where nobody else did, None where that is not known.
    """

    joules_total: float | None
    at_s: float
    breaks: int = 0
    why: str = ""
    share: float | None = None


class Meter(Protocol):
    """One energy counter.

    `covers` is one plain phrase. `resolution_s` is the time between two steps of the counter, `overhead_s` what one
    read takes. `counted` says whether it is part of the total or only shown, because another one covers the same.
    """

    @property
    def name(self) -> str:
        """The counter's short name, as in a `source`."""

    @property
    def covers(self) -> str:
        """What the number includes, in one phrase."""

    @property
    def method(self) -> Method:
        """The class of what it reads before attribution: measured or estimated."""

    @property
    def domain(self) -> Domain:
        """The part of the machine."""

    @property
    def sharing(self) -> Sharing:
        """Who else is in the number."""

    @property
    def counted(self) -> bool:
        """Whether the total includes it."""

    @property
    def resolution_s(self) -> float:
        """Time between two steps of the counter."""

    @property
    def overhead_s(self) -> float:
        """Time that one read takes on this machine."""

    @property
    def sample_every_s(self) -> float | None:
        """How often it must be read so that nothing is lost; None where that does not matter."""

    def read(self) -> Reading:
        """Return the counter now; never raises and never blocks for longer than `overhead_s`."""

    def close(self) -> None:
        """Let go of the device; a later read gives None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A counter that cannot be read, why, and what a person may do about it ("" where nothing helps)."""

    name: str
    reason: str
    remedy: str = ""
