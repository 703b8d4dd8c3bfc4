"""A second opinion: pyRAPL reads the same package counters over the same seconds, by its own code.

pyRAPL is not the primary reader because it does not join wraps, fails on processors of several dies, and knows no
permissions, idle power or attribution. Its paths are fixed, so `JOULINE_SYSFS` does not move it.
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jouline.energy.meter import Meters

AGREEMENT_PERCENT = 1.0
MICRO = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Both readings of the processor packages in joules; None is unknown and `reason` says why."""

    seconds: float
    ours_joules: float | None
    pyrapl_joules: float | None
    difference_percent: float | None
    reason: str

    @property
    def agree(self) -> bool | None:
        """Whether they differ by no more than 1 %; None where they could not be compared."""
        return None if self.difference_percent is None else abs(self.difference_percent) <= AGREEMENT_PERCENT


def verify(meters: Meters, seconds: float, wait: Callable[[float], None] = time.sleep) -> Verification:
    """Read the packages over the same window with our reader and with pyRAPL; never raises."""
    try:
        begin, end = open_pyrapl()
    except Exception as error:  # noqa: BLE001  pyRAPL raises whatever its paths hold
        return Verification(
            seconds=seconds,
            ours_joules=None,
            pyrapl_joules=None,
            difference_percent=None,
            reason=f"pyRAPL cannot read this machine's counters ({type(error).__name__})",
        )
    with meters.window() as window:
        begin()
        wait(seconds)
        theirs = end()
    gross = [part.gross_joules for part in window.measurement.parts if part.meter.startswith("rapl package")]
    ours = None if not gross or None in gross else sum(each for each in gross if each is not None)
    return _compare(window.measurement.duration_s, ours, theirs)


def _compare(seconds: float, ours: float | None, theirs: float | None) -> Verification:
    comparable = ours is not None and theirs is not None and ours > 0
    difference = 100 * (theirs - ours) / ours if comparable and ours and theirs is not None else None
    return Verification(
        seconds=seconds,
        ours_joules=ours,
        pyrapl_joules=theirs,
        difference_percent=difference,
        reason=_verdict(ours, theirs, difference),
    )


def _verdict(ours: float | None, theirs: float | None, difference: float | None) -> str:
    if difference is not None:
        return "both agree" if abs(difference) <= AGREEMENT_PERCENT else "the readers disagree"
    if ours is None:
        return "our own reader has no package counter over this window"
    return "pyRAPL gave no usable number over this window" if theirs is None else "the counters did not move"


def open_pyrapl() -> tuple[Callable[[], None], Callable[[], float | None]]:
    """Return functions that begin and end a reading of all packages in joules; raises whatever pyRAPL raises."""
    with _quiet():
        import pyRAPL  # noqa: PLC0415  its import logs and installs a root handler: late, and muffled

        pyRAPL.setup(devices=[pyRAPL.Device.PKG])
        measurement: Any = pyRAPL.Measurement("jouline")

    def end() -> float | None:
        measurement.end()
        # pyRAPL gives -1 for a socket it did not read, and a negative difference where the counter wrapped.
        packages = measurement.result.pkg
        if not packages or any(joules < 0 for joules in packages):
            return None
        return float(sum(packages)) * MICRO

    return measurement.begin, end


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a foreign import's warnings off stderr and its handler out of the root logger."""
    root = logging.getLogger()
    muffle = logging.NullHandler()
    root.addHandler(muffle)
    before, root.level = root.level, logging.CRITICAL
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.level = before
        root.removeHandler(muffle)
