"""Units of measure as types, and how a person reads them."""

from decimal import Decimal
from typing import NewType

Joules = NewType("Joules", float)
Watts = NewType("Watts", float)
Seconds = NewType("Seconds", float)

JOULES_PER_WATT_HOUR = 3600.0


def format_energy(joules: float | None, *, exact: bool = True) -> str:
    """Return joules for a person: `12.4 J`, `~12 J` when not measured, `—` when unknown.

    Estimates get two significant digits, because their method supports no more.
    """
    if joules is None:
        return "—"
    value, unit = _scaled(joules + 0.0)  # no minus before a zero
    return f"{_written(value, 3)} {unit}" if exact else f"~{_written(value, 2)} {unit}"


def _written(value: float, digits: int) -> str:
    return f"{Decimal(f'{value:.{digits}g}'):f}"  # 3600, never 3.6e+03


def _scaled(joules: float) -> tuple[float, str]:
    size = abs(joules)
    if size >= JOULES_PER_WATT_HOUR:
        return joules / JOULES_PER_WATT_HOUR, "Wh"
    if size >= 0.1 or size == 0:
        return joules, "J"
    return joules * 1000, "mJ"
