"""Answers that are already known: the same place again, or a suggestion that is being typed along.

Checked before any inference. The key holds the document, the text before the cursor's line, the line as far as it is
written and what stands behind it, so an edit in view of the model makes the entry unreachable, and one far above does
not. Lines of a suggestion that were accepted one by one are found too: the rest is entered at each line's beginning.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from jouline.completion import CompletionRequest, Tier

_BEFORE_CHARS = 2_000
_AFTER_CHARS = 400
_WALK_BACK_CHARS = 128
_FORWARD_LINES = 8
_CHOOSABLE = 8  # latest offers of which a person may still take a part

_Line = tuple[str, int, int]
_Key = tuple[_Line, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A text that a model offered at one place, and how sure it was.

    One that is not `sure` was shown only because it was asked for by hand. `p_accept` is the gate's chance, None where
    it was not asked. `others` were offered beside it; what is typed may follow one of them.
    """

    text: str
    tier: Tier
    model_id: str
    confidence: float
    route: str
    energy_saving: int
    sure: bool = True
    p_accept: float | None = None
    others: tuple[str, ...] = ()


class CompletionCache:
    """A bounded, least-recently-used store of offered texts. Safe to use from any thread."""

    def __init__(self, entries: int = 256) -> None:
        self._limit = entries
        self._entries: OrderedDict[_Key, CacheEntry] = OrderedDict()
        self._offers: OrderedDict[str, tuple[CompletionRequest, CacheEntry]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, request: CompletionRequest, entry: CacheEntry, completion_id: str = "") -> None:
        """Remember what was offered at the request's place; an empty text is a known silence.

        Of an offer that has an id a person may be told to have chosen one text (`chosen`).
        """
        place = _Place.of(request)
        with self._lock:
            for text in (*reversed(entry.others), entry.text):
                for lead, rest in reversed(_lines_ahead(text)):
                    ahead = replace(entry, text=rest, others=())
                    self._keep((place.ahead(request.line_prefix + lead).line, ""), ahead)
            self._keep((place.line, request.line_prefix), entry)
            if completion_id and entry.text:
                self._offers[completion_id] = request, entry
                while len(self._offers) > _CHOOSABLE:
                    self._offers.popitem(last=False)

    def chosen(self, completion_id: str, candidate: int) -> None:
        """Have the rest of a text answer of which a part was taken, before others that begin alike, sure or not.

        `candidate` 0 is the first text. Nothing happens where the offer is not known any more.
        """
        with self._lock:
            found = self._offers.get(completion_id)
        if found is None or candidate > len(found[1].others):
            return
        request, entry = found
        texts = (entry.text, *entry.others)
        others = texts[:candidate] + texts[candidate + 1 :]
        self.put(request, replace(entry, text=texts[candidate], others=others, sure=True))

    def get(self, request: CompletionRequest) -> CacheEntry | None:
        """Return what is left of an offer made here or earlier on this line, if what was typed since agrees with it.

        Only an offer made under the same route and energy setting counts. A silence is known only at its own place, and
        does not answer who asks by hand; to all others a text that is not sure is a silence.
        """
        line, typed = _Place.of(request).line, request.line_prefix
        with self._lock:
            for back in range(min(len(typed), _WALK_BACK_CHARS) + 1):
                cut = len(typed) - back
                key = line, typed[:cut]
                entry = self._entries.get(key)
                left = _left(entry, request, typed[cut:]) if entry else None
                if left is not None:
                    self._entries.move_to_end(key)
                    return left
        return None

    def _keep(self, key: _Key, entry: CacheEntry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of a document: the text before it, as far as the model sees it, and what follows the line."""

    uri: str
    before: str
    behind: int

    @classmethod
    def of(cls, request: CompletionRequest) -> "_Place":
        start = request.offset - len(request.line_prefix)
        before = request.text[max(0, start - _BEFORE_CHARS) : start]
        end = request.text.find("\n", request.offset)
        behind = request.text[end + 1 : end + 1 + _AFTER_CHARS] if end >= 0 else ""
        return cls(request.uri, before, hash((behind, request.multiline)))

    def ahead(self, written: str) -> "_Place":
        """Return the line after `written`, which ends with a line break."""
        return _Place(self.uri, (self.before + written)[-_BEFORE_CHARS:], self.behind)

    @property
    def line(self) -> _Line:
        return self.uri, hash(self.before), self.behind


def _lines_ahead(text: str) -> list[tuple[str, str]]:
    """Return each beginning of a text that ends with a line break, with its rest; never a blank rest."""
    lines = text.splitlines(keepends=True)[: _FORWARD_LINES + 1]
    leads = ["".join(lines[:count]) for count in range(1, len(lines))]
    return [(lead, text[len(lead) :]) for lead in leads if text[len(lead) :].strip()]


def _left(entry: CacheEntry, request: CompletionRequest, typed: str) -> CacheEntry | None:
    """Return what an entry has left for a request where `typed` was typed since, None where it does not answer it."""
    if entry.route != request.route or entry.energy_saving != request.energy_saving:
        return None
    by_hand = request.trigger == "invoked" or request.show_all
    text = entry.text if entry.sure or by_hand else ""
    for known in (text, *(entry.others if text else ())):
        if known.startswith(typed) and len(known) > len(typed):
            return replace(entry, text=known[len(typed) :], others=())
    return replace(entry, text="") if not text and not typed and not by_hand else None
