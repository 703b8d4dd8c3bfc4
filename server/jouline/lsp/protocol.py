"""Names and payloads of Jouline's own messages, as they go over the wire.

The editor's side is `vscode-extension/src/protocol.ts`; a test holds the two equal. Fields are snake_case here and
camelCase on the wire. A value that is not known is null, never 0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar

from jouline.completion import Method, Tier

STATUS = "jouline/status"
ENERGY = "jouline/energy"
EXPLAIN = "jouline/explain"
MODELS = "jouline/models"
REPORT = "jouline/report"
DECISIONS = "jouline/decisions"
RECOMMEND = "jouline/recommend"
PULL = "jouline/pull"
PULLING = "jouline/pulling"
DID_SHOW = "jouline/didShow"
DID_PARTIALLY_ACCEPT = "jouline/didPartiallyAccept"
DID_REJECT = "jouline/didReject"
ACCEPTED = "jouline.accepted"
"""The command that every item carries; the server executes it, and its one argument is the item's id."""

ServerState = Literal["starting", "ready", "thinking", "paused", "off", "trouble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyTotals:
    """This session's totals; also the result of `jouline/energy`.

    `spent_joules` is what answers cost; stopped requests, loading and staying resident stand beside it. `switches`
    are changes of method in one sentence each, oldest first.
    """

    saved_joules: float | None = None
    saved_stddev: float | None = None
    spent_joules: float | None = None
    cancelled_joules: float | None = None
    load_joules: float | None = None
    residency_joules: float | None = None
    accepted_chars_per_joule: float | None = None
    method: Method = "unavailable"
    source: str = ""
    switches: tuple[str, ...] = ()
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusParams:
    """`jouline/status`, server to client. `message` is one plain sentence."""

    state: ServerState
    model: Tier | None = None
    message: str
    energy: EnergyTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a document, in the units of the agreed position encoding, both counted from 0."""

    line: int
    character: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainParams:
    """`jouline/explain`, client to server."""

    uri: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainResult:
    """Why there was, or was not, a suggestion; `completion` is left out where no request was made there."""

    reason: str
    completion: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsResult:
    """The result of `jouline/models`: the catalogue's pairs."""

    pairs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one route had of a stretch of time: a tier, `cache`, `skip`, `none`, `cancelled`, `residency`, `load`."""

    route: str
    requests: int
    joules: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The sums over a stretch of time, as `jouline stats --json` has them; `headline` is what may be claimed of it.

    `saved_joules` is net of what only a second model costs, `saved_percent` null where nothing may be claimed.
    """

    requests: int = 0
    shown: int = 0
    accepted: int = 0
    accepted_chars: int = 0
    spent_joules: float | None = None
    spent_joules_low: float | None = None
    spent_joules_high: float | None = None
    method: Method = "unavailable"
    saved_joules: float | None = None
    saved_stddev: float | None = None
    saved_percent: float | None = None
    headline: str = ""
    headline_state: str = ""
    accepted_chars_per_joule: float | None = None
    median_ms: float | None = None
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One bar of a chart: an hour (`YYYY-MM-DD HH`) or a day (`YYYY-MM-DD`) of local time, by route."""

    at: str
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterCard:
    """A meter: what it covers, how far its number can be trusted, and whether it is part of the sums."""

    name: str
    covers: str
    method: Method
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingMeter:
    """A meter that cannot be read, why, and what to do about it; null where nothing can be done."""

    name: str
    reason: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What an energy saving promises by the calibration: joules a request, and the share of places right, 0..1."""

    energy_saving: float
    joules: float | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairInUse:
    """The pair that answers; `most_saving` is the highest energy saving that the quality floor allows.

    What a model takes in memory now is 0 while it is unloaded, null where that is not known.
    """

    id: str
    small: str
    large: str
    has_router: bool
    most_saving: float
    small_memory_bytes: int | None = None
    large_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of `jouline/report`: all that the energy panel shows. Null and empty until the models are loaded.

    `outlook_method` says how far the outlook's joules can be trusted.
    """

    machine: str = ""
    session: Account = Account()
    today: Account = Account()
    all_time: Account = Account()
    hours: tuple[Slot, ...] = ()
    days: tuple[Slot, ...] = ()
    meters: tuple[MeterCard, ...] = ()
    missing: tuple[MissingMeter, ...] = ()
    outlook: tuple[Outlook, ...] = ()
    outlook_method: Method = "unavailable"
    pair: PairInUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionsResult:
    """The result of `jouline/decisions`: the latest answers, newest first, as `jouline complete --json` without text.

    Each has besides `at` (seconds since 1970), `language`, `energy_saving` and `features`, what the classifier saw.
    """

    decisions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """The result of `jouline/recommend`: the pair that suits this machine, and why."""

    pair: str
    small: str
    large: str
    present: bool
    size_bytes: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullParams:
    """`jouline/pull`, client to server: fetch a pair's models. The answer comes when they are here."""

    pair: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullResult:
    """`problem` is one sentence where the pair could not be fetched."""

    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullingParams:
    """`jouline/pulling`, server to client: how far a pull is; sizes are null until they are known."""

    model: str
    done_bytes: int
    total_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DidShowParams:
    """`jouline/didShow`, client to server."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DidPartiallyAcceptParams:
    """`jouline/didPartiallyAccept`, client to server: UTF-16 units from the start of the item's text."""

    id: str
    accepted_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DidRejectParams:
    """`jouline/didReject`, client to server."""

    id: str


Payload = TypeVar("Payload")


def camel_case(name: str) -> str:
    """Return `saved_joules` as `savedJoules`."""
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def to_wire(payload: Any) -> dict[str, Any]:
    """Return a payload as JSON data."""
    return {camel_case(known.name): _wire_value(getattr(payload, known.name)) for known in fields(payload)}


def from_wire(kind: type[Payload], data: object) -> Payload:
    """Return what a client sent as a payload; raise `ValueError` where a field is missing or of another type."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{kind.__name__} must be an object")  # noqa: TRY004  one error for all misfits
    return kind(**{known.name: _read_field(known, data) for known in fields(kind)})  # type: ignore[arg-type]


def _wire_value(value: object) -> object:
    if isinstance(value, tuple):
        return [_wire_value(each) for each in value]
    return to_wire(value) if is_dataclass(value) else value


def _read_field(known: Any, data: Mapping[str, object]) -> object:
    value = data.get(camel_case(known.name))
    if is_dataclass(known.type):
        return from_wire(known.type, value)  # type: ignore[arg-type]  # a class, as fields hold no instances
    if not isinstance(value, known.type) or isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  one error for all misfits
            f"{camel_case(known.name)} must be of type {known.type.__name__}"
        )
    return value
