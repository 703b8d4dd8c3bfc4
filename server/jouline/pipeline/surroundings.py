"""Code from elsewhere that may help at a place: gathered within a time limit, ranked, and chosen seldom.

What is chosen for a document stays as it is while the cursor is in the same stretch of it, because it stands in front
of the prompt: with every change all of the prompt must be read again. Nothing is gathered for answers that are known.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jouline.completion import CompletionRequest
from jouline.pipeline.chunks import far_chunks, recent_edits, visited_chunks
from jouline.pipeline.definitions import Definitions
from jouline.pipeline.scene import Excerpt, Gatherer, Scene, Visited
from jouline.pipeline.similarity import jaccard, words

REMEMBERED = 16
LIMIT_S = 0.05
_LEAST_ALIKE = 0.05
_SAME = 0.9  # llama.vim drops a chunk that is as alike another one

GATHERERS: dict[str, Callable[[], Gatherer]] = {
    "definitions": Definitions,
    "edits": lambda: recent_edits,
    "visited": lambda: visited_chunks,
    "far": lambda: far_chunks,
}
"""By name, in the order of precedence: what the first ones find is chosen first."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Where a choice holds."""

    uri: str
    step: int
    chars: int


class Surroundings:
    """Remembers the documents of a session and chooses pieces of them. `visit` may be called from any thread."""

    def __init__(
        self,
        names: Sequence[str] = tuple(GATHERERS),
        *,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`names` are those of the gatherers to use; `limit_s` is what all of them together may take, by `clock`."""
        self._gatherers = [make() for name, make in GATHERERS.items() if name in names]
        self._limit_s = limit_s
        self._clock = clock
        self._lock = threading.Lock()
        self._visited: OrderedDict[str, Visited] = OrderedDict()
        self._chosen: tuple[_Stretch, tuple[Excerpt, ...]] | None = None

    def visit(self, uri: str, language: str, text: str) -> None:
        """Note that a document is being looked at, as it is now."""
        with self._lock:
            known = self._visited.pop(uri, None)
            now = replace(known, text=text) if known else Visited(uri=uri, language=language, first=text, text=text)
            self._visited[uri] = now
            while len(self._visited) > REMEMBERED:
                self._visited.popitem(last=False)

    def around(
        self, request: CompletionRequest, *, chars: int, seen_chars: int, step_chars: int
    ) -> tuple[Excerpt, ...]:
        """Return pieces of at most `chars` characters in all, the most helpful last, where it is nearest to the cursor.

        They are the same for all places in one document within a stretch of `step_chars`. Of the request's own document
        `seen_chars` to either side of the cursor are seen anyway.
        """
        self.visit(request.uri, request.language, request.text)
        stretch = _Stretch(request.uri, request.offset // step_chars, chars)
        if self._chosen is None or self._chosen[0] != stretch:
            self._chosen = stretch, self._choose(request, chars, seen_chars)
        return self._chosen[1]

    def _choose(self, request: CompletionRequest, chars: int, seen_chars: int) -> tuple[Excerpt, ...]:
        with self._lock:
            scene = Scene(request=request, visited=OrderedDict(self._visited), seen_chars=seen_chars)
        until = self._clock() + self._limit_s
        chosen: list[Excerpt] = []
        wanted = scene.wanted
        for gather in self._gatherers:
            if self._clock() >= until:
                break
            found = []
            for excerpt in gather(scene):
                found.append((jaccard(words(excerpt.text), wanted), excerpt))
                if self._clock() >= until:
                    break
            chars = _take(found, chosen, chars)
        return tuple(reversed(chosen))


def _take(found: list[tuple[float, Excerpt]], chosen: list[Excerpt], chars: int) -> int:
    """Add the most alike of what was found to what is chosen, as far as there is room; returns the room left."""
    for alike, excerpt in sorted(found, key=lambda each: -each[0]):
        if alike < _LEAST_ALIKE or len(excerpt.text) > chars or _is_known(excerpt, chosen):
            continue
        chosen.append(excerpt)
        chars -= len(excerpt.text)
    return chars


def _is_known(excerpt: Excerpt, chosen: Sequence[Excerpt]) -> bool:
    own = words(excerpt.text)
    return any(jaccard(own, words(other.text)) > _SAME for other in chosen)
