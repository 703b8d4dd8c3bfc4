"""Units of measure as types, and how a person reads them."""

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
    value, unit = _scaled(joules)
    return f"{value:.3g} {unit}" if exact else f"~{value:.2g} {unit}"


def _scaled(joules: float) -> tuple[float, str]:
    size = abs(joules)
    if size >= JOULES_PER_WATT_HOUR:
        return joules / JOULES_PER_WATT_HOUR, "Wh"
    if size >= 0.1 or size == 0:
        return joules, "J"
    return joules * 1000, "mJ"
