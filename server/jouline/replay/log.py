"""What each request of a replay saw and came to, a row each: the material that a gate is trained on."""

from collections.abc import Iterable, Iterator
from typing import Any

from jouline.replay.events import Accepted, Answered, Began, Event, Rejected, Superseded, Typed

Row = dict[str, Any]


def rows(events: Iterable[Event], *, file: str, group: str, seed: int) -> Iterator[Row]:
    """Yield a row for each request that was answered with inference or held back by no rule; no text is kept.

    `accepted_chars` is what was taken of its offer, `until_next_ms` the time from the key before it to the next one
    where nothing was read between them, None where something was.
    """
    row: Row | None = None
    key_ms = 0.0
    for event in events:
        match event:
            case Answered() if event.completion.seen and event.completion.models_run:
                row = _row(event) | {"file": file, "group": group, "seed": seed}
                key_ms = event.at_ms - event.delay_ms
            case Accepted() if row is not None:
                row |= {"accepted_chars": len(event.key.text), "until_next_ms": None}
                yield row
                row = None
            case Rejected() if row is not None:
                row["until_next_ms"] = None
            case Typed() | Superseded() | Began() if row is not None:
                if row["until_next_ms"] is not None:
                    row["until_next_ms"] = event.at_ms - key_ms
                yield row
                row = None
    if row is not None:
        yield row


def _row(event: Answered) -> Row:
    completion = event.completion
    return {
        "seen": {name: round(value, 5) for name, value in completion.seen.items()},
        "offered": bool(completion.text),
        "chars": len(completion.text),
        "model": completion.models_run[-1],
        "cpu_seconds": completion.cpu_seconds,
        "accepted_chars": 0,
        "until_next_ms": 0.0,
    }
