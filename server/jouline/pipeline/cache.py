"""Answers that are already known: the same place again, or a suggestion that is being typed along.

Checked before any inference. The key holds the document, the place and what stands around it, so an edit elsewhere in
view of the model makes the entry unreachable.
"""

from collections import OrderedDict
from dataclasses import dataclass

from jouline.completion import CompletionRequest, Tier

_BEFORE_CHARS = 2_000
_AFTER_CHARS = 400
_WALK_BACK_CHARS = 120

_Key = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A text that a model offered at one place, and how sure it was."""

    text: str
    tier: Tier
    model_id: str
    confidence: float
    route: str
    energy_saving: int


class CompletionCache:
    """A bounded, least-recently-used store of offered texts."""

    def __init__(self, entries: int = 256) -> None:
        self._limit = entries
        self._entries: OrderedDict[_Key, CacheEntry] = OrderedDict()

    def put(self, request: CompletionRequest, entry: CacheEntry) -> None:
        """Remember what was offered at the request's place; an empty text is a known silence."""
        key = _key(request, request.offset, _behind(request))
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, request: CompletionRequest) -> CacheEntry | None:
        """Return what is left of an offer made here or earlier on this line, if what was typed since agrees with it.

        Only an offer made under the same route and energy setting counts. A silence is known only at its own place, and
        does not answer who asks by hand.
        """
        typed, behind = request.line_prefix, _behind(request)
        for back in range(min(len(typed), _WALK_BACK_CHARS) + 1):
            key = _key(request, request.offset - back, behind)
            entry = self._entries.get(key)
            if entry is None or not _answers(entry, request):
                continue
            tail = typed[len(typed) - back :]
            if entry.text.startswith(tail) and (len(entry.text) > back or back == 0):
                self._entries.move_to_end(key)
                return _rest(entry, back)
        return None


def _behind(request: CompletionRequest) -> int:
    return hash((request.suffix[:_AFTER_CHARS], request.multiline))


def _key(request: CompletionRequest, offset: int, behind: int) -> _Key:
    before = request.text[max(0, offset - _BEFORE_CHARS) : offset]
    return request.uri, offset, hash(before), behind


def _answers(entry: CacheEntry, request: CompletionRequest) -> bool:
    if not entry.text and (request.trigger == "invoked" or request.show_all):
        return False
    return entry.route == request.route and entry.energy_saving == request.energy_saving


def _rest(entry: CacheEntry, back: int) -> CacheEntry:
    return CacheEntry(
        text=entry.text[back:],
        tier=entry.tier,
        model_id=entry.model_id,
        confidence=entry.confidence,
        route=entry.route,
        energy_saving=entry.energy_saving,
    )
