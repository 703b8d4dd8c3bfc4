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
