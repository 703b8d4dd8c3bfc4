"""What happens while a passage is typed, in order, each with its virtual time in milliseconds."""

from dataclasses import dataclass

from jouline.completion import Completion
from jouline.replay.editor import Editor, Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The document at one moment: what stands before the cursor, what the editor closed itself, and the rest."""

    before: str
    pending: str
    after: str

    @classmethod
    def of(cls, editor: Editor) -> "Screen":
        """Return what `editor` shows now."""
        return cls(before=editor.before, pending=editor.pending, after=editor.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """The person went to a place where a passage is missing."""

    at_ms: float
    screen: Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A key was pressed."""

    at_ms: float
    key: Key
    screen: Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A suggestion, or a part of it, was taken by `key`."""

    at_ms: float
    key: Key
    screen: Screen
    completion: Completion
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request came back in time. `again` is set where the text is the rest of one the person has already judged.

    `engine_ms` is what was measured, `delay_ms` what passed before it on the replay's clock.
    """

    at_ms: float
    completion: Completion
    engine_ms: float
    delay_ms: float
    again: bool
    screen: Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A request whose answer would have come after the next key, and what it cost all the same (None: unknown)."""

    at_ms: float
    engine_ms: float
    joules: float | None
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A suggestion was read and not taken."""

    at_ms: float
    completion: Completion


Event = Began | Typed | Accepted | Answered | Superseded | Rejected
