"""Where the parts of a prompt were last taken from a document, so that typing goes on appending to them.

The suffix stays what it was while it is still what follows, but for a few lines that came to stand before it: the
closing bracket that an editor puts below the cursor, the rest of a line broken in two. In the order prefix, suffix,
middle, the prefix stays too, and what is typed since goes behind the marker of the middle.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from jouline.completion import CompletionRequest

MOST_TYPED_CHARS = 480  # behind the marker of the middle
_MOST_DRIFT_CHARS = 160  # of lines before the anchored suffix that a prompt does not show
_DOCUMENTS = 64
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """The beginning of what followed the cursor's line, and how long all of that was."""

    text: str
    length: int

    def drift(self, behind: str) -> int | None:
        """Return how many characters of `behind` stand before this now, None if it does not follow any more."""
        drift = len(behind) - self.length
        at_line = drift == 0 or (0 < drift <= _MOST_DRIFT_CHARS and behind[drift - 1] == "\n")
        return drift if at_line and behind.startswith(self.text, drift) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A prefix: the document's text from `start` on."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """The offset where it ends."""
        return self.start + len(self.text)

    def typed(self, request: CompletionRequest) -> str | None:
        """Return what stands between it and the cursor; None if it is not there any more or that is too much."""
        if not self.end <= request.offset <= self.end + MOST_TYPED_CHARS:
            return None
        if not request.text.startswith(self.text, self.start):
            return None
        return request.text[self.end : request.offset]


class Anchors(Generic[_Part]):
    """The last such part of each document, those unused for longest forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Part] = OrderedDict()

    def get(self, uri: str) -> _Part | None:
        """Return the document's part, None where there is none."""
        return self._known.get(uri)

    def set(self, uri: str, part: _Part) -> None:
        """Note a document's part."""
        self._known[uri] = part
        self._known.move_to_end(uri)
        if len(self._known) > _DOCUMENTS:
            self._known.popitem(last=False)
