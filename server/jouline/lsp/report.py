"""The energy panel's data: the ledger's sums, the meters and the calibration as payloads."""

import platform
from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median

from jouline.completion import Method
from jouline.energy.entry import Totals
from jouline.energy.estimate import CoreWatts
from jouline.energy.ledger import Ledger
from jouline.energy.meter import Meters
from jouline.energy.reading import Meter
from jouline.hardware import probe
from jouline.lsp.protocol import Account, MeterCard, MissingMeter, Outlook, Report, Share, Slot
from jouline.router.calibration import Calibration

BASELINE = "the large model"
HOURS_SHOWN = 24
DAYS_SHOWN = 30


def accounts(ledger: Ledger, session: str, now: datetime) -> Report:
    """Return the part of the report that the ledger tells; `now` is local time."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first_hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS_SHOWN - 1)
    first_day = midnight - timedelta(days=DAYS_SHOWN - 1)
    return Report(
        session=account(ledger, session=session),
        today=account(ledger, since=midnight.timestamp()),
        all_time=account(ledger),
        hours=_slots(ledger.by_time("hour", first_hour.timestamp())),
        days=_slots(ledger.by_time("day", first_day.timestamp())),
    )


def account(ledger: Ledger, *, since: float | None = None, session: str | None = None) -> Account:
    """Return the sums since a moment (seconds since 1970) or of a session."""
    totals = ledger.totals(since, session)
    latencies = ledger.latencies_ms(since, session)
    headline, net = totals.headline(BASELINE), totals.net_saving
    routes = ledger.by("route", since, session) | _apart(ledger.by("kind", since, session))
    return Account(
        requests=totals.requests,
        shown=totals.shown,
        accepted=totals.accepted,
        accepted_chars=totals.accepted_chars,
        spent_joules=totals.joules,
        spent_joules_low=totals.joules_low,
        spent_joules_high=totals.joules_high,
        method=totals.method,
        saved_joules=net.joules if net else None,
        saved_stddev=totals.saved_stddev,
        saved_percent=headline.saved_percent,
        headline=headline.text,
        headline_state=headline.state,
        accepted_chars_per_joule=totals.accepted_chars_per_joule,
        median_ms=median(latencies) if latencies else None,
        shares=_shares(routes),
    )


def meter_cards(meters: Meters) -> tuple[tuple[MeterCard, ...], tuple[MissingMeter, ...]]:
    """Return the meters that can be read and those that cannot."""
    cards = tuple(_card(meter) for meter in meters.all)
    missing = tuple(MissingMeter(name=m.name, reason=m.reason, remedy=m.remedy or None) for m in meters.unavailable)
    return cards, missing


def outlook(calibration: Calibration | None, core: CoreWatts) -> tuple[tuple[Outlook, ...], Method]:
    """Return what each energy saving promises, and how far its joules can be trusted.

    A cost in processor seconds becomes joules by the watts of one busy core; without a calibration all is unknown.
    """
    if calibration is None:
        return (), "unavailable"
    joules_each = 1.0 if calibration.cost_unit == "joules" else core.watts
    stops = tuple(
        Outlook(
            energy_saving=point.energy_saving,
            joules=None if point.cost is None else point.cost * joules_each,
            quality=point.quality,
        )
        for point in calibration.points
    )
    return stops, "estimated"


def machine_name() -> str:
    """Name the machine whose energy this is: the editor may run on another one."""
    return f"{platform.node() or 'this machine'} ({probe().cpu_name or platform.machine()})"


def _card(meter: Meter) -> MeterCard:
    return MeterCard(name=meter.name, covers=meter.covers, method=meter.method, counted=meter.counted)


def _apart(kinds: Mapping[str, Totals]) -> dict[str, Totals]:
    """Return what no request asked for, under the routes' own names."""
    return {kind: totals for kind, totals in kinds.items() if kind != "request"}


def _slots(by_time: Mapping[str, Mapping[str, Totals]]) -> tuple[Slot, ...]:
    return tuple(Slot(at=at, shares=_shares(routes)) for at, routes in by_time.items())


def _shares(routes: Mapping[str, Totals]) -> tuple[Share, ...]:
    """Return a share for each route; loading and warming up are one."""
    merged: dict[str, Totals] = {}
    for route, totals in routes.items():
        name = "load" if route == "warm-up" else route
        merged[name] = merged.get(name, Totals()) + totals
    return tuple(_share(route, totals) for route, totals in sorted(merged.items()))


def _share(route: str, totals: Totals) -> Share:
    apart = {"residency": totals.residency_joules, "load": totals.load_joules}
    requests = totals.cancelled if route == "cancelled" else totals.requests
    return Share(route=route, requests=requests, joules=apart.get(route, totals.joules))
