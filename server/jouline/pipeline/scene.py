"""What is known around a request: the document it is in, and the others that were open lately."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jouline.completion import CompletionRequest
from jouline.pipeline.similarity import words

_BEFORE_CHARS, _BEHIND_CHARS = 1_000, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """A document as it was when it was first seen in this session, and as it is."""

    uri: str
    language: str
    first: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A piece of code from elsewhere. `name` is its file's; `at` is where it begins in it, None for made-up pieces."""

    name: str
    text: str
    uri: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A request and the documents visited in this session, the latest last; its own is among them."""

    request: CompletionRequest
    visited: Mapping[str, Visited]
    seen_chars: int = 0  # of the request's own document, to either side of the cursor, are in the prompt anyway

    @property
    def wanted(self) -> frozenset[str]:
        """The words near the cursor, by which pieces are ranked."""
        request = self.request
        return words(request.text[max(0, request.offset - _BEFORE_CHARS) : request.offset + _BEHIND_CHARS])

    @property
    def others(self) -> list[Visited]:
        """The documents visited besides the request's own, the latest first."""
        return [each for each in reversed(self.visited.values()) if each.uri != self.request.uri]  # type: ignore[call-overload]


Gatherer = Callable[[Scene], Iterable[Excerpt]]


def file_name(uri: str) -> str:
    """Return the last part of a document's address."""
    return uri.rstrip("/").rsplit("/", 1)[-1]
