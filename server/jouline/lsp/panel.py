"""The requests of the energy panel and of the page that explains decisions. Reading is done off the event loop."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pygls.exceptions import JsonRpcInvalidParams

from jouline.cancel import CancelToken
from jouline.errors import JoulineError
from jouline.lsp import protocol
from jouline.lsp.host import Answered, App
from jouline.lsp.protocol import PairInUse, PullingParams, PullResult, Report, from_wire, to_wire
from jouline.lsp.report import accounts, machine_name, meter_cards, outlook
from jouline.lsp.server import Server


async def report(ls: Server, _params: object) -> dict[str, Any]:
    """Return all that the energy panel shows."""
    app = ls.app
    return to_wire(await asyncio.to_thread(_report, app) if app else Report())


def decisions(ls: Server, _params: object) -> dict[str, Any]:
    """Return the latest answers with all that led to them, and no text."""
    latest = ls.app.latest() if ls.app else ()
    told = tuple(_decision(answered, ls.fields(answered.completion)) for answered in latest)
    return to_wire(protocol.DecisionsResult(decisions=told))


async def recommend(ls: Server, _params: object) -> dict[str, Any]:
    """Look at the machine for some seconds and name the pair that suits it."""
    return to_wire(await asyncio.to_thread(ls.recommend))


async def pull(ls: Server, params: object) -> dict[str, Any]:
    """Fetch a pair's models, telling how far it is; a request that is cancelled keeps what has come."""
    try:
        pair = from_wire(protocol.PullParams, params).pair
    except ValueError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    cancel, loop = CancelToken(), asyncio.get_running_loop()

    def tell(model: str, done: int, total: int | None) -> None:
        told = to_wire(PullingParams(model=model, done_bytes=done, total_bytes=total))
        loop.call_soon_threadsafe(ls.protocol.notify, protocol.PULLING, told)

    try:
        await asyncio.to_thread(ls.pull, pair, tell, cancel)
    except asyncio.CancelledError:
        cancel.cancel()
        raise
    except JoulineError as error:
        return to_wire(PullResult(problem=str(error)))
    return to_wire(PullResult())


FEATURES: dict[str, Callable[..., Any]] = {
    protocol.REPORT: report,
    protocol.DECISIONS: decisions,
    protocol.RECOMMEND: recommend,
    protocol.PULL: pull,
}


def _report(app: App) -> Report:
    meters, missing = meter_cards(app.meters)
    stops, method = outlook(app.calibration, app.meters.core)
    app.session_energy()  # brings residency up to date where a minute has passed
    return replace(
        accounts(app.ledger, app.session, datetime.now().astimezone()),
        machine=machine_name(),
        meters=meters,
        missing=missing,
        outlook=stops,
        outlook_method=method,
        pair=PairInUse(
            id=app.card.id,
            small=app.card.small.id,
            large=app.card.large.id,
            small_memory_bytes=app.memory_bytes("small"),
            large_memory_bytes=app.memory_bytes("large"),
            has_router=app.calibration is not None,
            most_saving=app.most_saving,
        ),
    )


def _decision(answered: Answered, fields: Mapping[str, Any]) -> dict[str, Any]:
    features = answered.completion.features
    return {
        "at": answered.at_s,
        "language": answered.language,
        "energy_saving": answered.energy_saving,
        **{name: value for name, value in fields.items() if name != "completion"},
        "features": None if features is None else {name: round(float(value), 4) for name, value in features.items()},
    }
