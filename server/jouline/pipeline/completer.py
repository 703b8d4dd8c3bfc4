"""From a request to a model's text: window, prompt, decode. Used by the product and by the lab alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Protocol

from jouline.cancel import CancelToken
from jouline.catalogue.card import StageCard
from jouline.completion import CompletionRequest, Generation, Prompt, Tier
from jouline.engine.generate import Limits
from jouline.engine.healing import split_stub
from jouline.pipeline.anchor import MOST_TYPED_CHARS, Anchors, Head, Suffix
from jouline.pipeline.context import suffix_window, window_start
from jouline.pipeline.costs import Behind
from jouline.pipeline.fim import arrange, mark_files
from jouline.pipeline.lines import LineTokens
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.scene import Excerpt, file_name
from jouline.pipeline.surroundings import Surroundings

_CHARS_PER_TOKEN = 3  # fewer than code has on average (3.9 measured), so that the window seldom needs a second cut
_SUFFIX_CHARS_PER_TOKEN = 6  # more than code has, so that the token limit decides
_AHEAD = 4  # a window about to move is one that moves within so much of its step
_WORTH_PREPARING = 32  # tokens: fewer are no burden to the keystroke that needs them
_SUFFIX_BETWEEN = "prefix-suffix-middle"
_MARKERS = 4  # three of the layout and the one that some models want at the very beginning


_TIERS: tuple[Tier, Tier] = ("small", "large")


class Engine(Protocol):
    """What the completer asks of a pair (`jouline.engine.pair.Pair`)."""

    @property
    def one_vocabulary(self) -> bool:
        """Whether both models have the same tokens."""

    def tokenise(self, tier: Tier, text: str) -> list[int]:
        """Return the ids of plain text."""

    def special(self, tier: Tier, marker: str) -> int | None:
        """Return a control token's id."""

    def begin(self, tier: Tier) -> int | None:
        """Return the id that must begin every text, None where there is none."""

    def standing(self, tier: Tier, tokens: Sequence[int]) -> int:
        """Return how many of these tokens a model has evaluated."""

    def pending(self, tier: Tier, tokens: Sequence[int]) -> float:
        """Return what of these tokens a model would have to evaluate now, in tokens of a whole pass of it."""

    def prepare(self, tier: Tier, tokens: Sequence[int], cancel: CancelToken) -> float:
        """Evaluate tokens ahead of a request; returns the work done."""

    def unload(self, tier: Tier) -> None:
        """Free a model's memory until it is needed again."""

    def generate(self, tier: Tier, prompt: Prompt, limits: Limits, cancel: CancelToken) -> Generation:
        """Answer a prompt."""

    def candidates(
        self, tier: Tier, prompt: Prompt, limits: Limits, cancel: CancelToken, count: int
    ) -> list[Generation]:
        """Answer a prompt in several ways."""

    def forget(self) -> None:
        """Give up all that was evaluated."""


class Completer:
    """Renders prompts for a pair and has them answered."""

    def __init__(
        self,
        engine: Engine,
        cards: Mapping[Tier, StageCard],
        options: PipelineOptions,
        context_tokens: int,
        surroundings: Surroundings | None = None,
    ) -> None:
        """`context_tokens` is what both models were opened with; without `surroundings` no other file is shown."""
        self._surroundings = surroundings
        self._fronts: dict[Tier, tuple[Sequence[Excerpt], list[int]]] = {}
        self._engine = engine
        self._cards = cards
        self._context_tokens = context_tokens
        self._options = options
        small, large = cards["small"], cards["large"]
        self._asked_alike = (small.fim, small.healing) == (large.fim, large.healing)
        self._prompts: dict[Tier, tuple[CompletionRequest, int, Prompt]] = {}
        self._special = {tier: cache(partial(engine.special, tier)) for tier in cards}
        self._begin = {tier: engine.begin(tier) for tier in cards}
        self._lines = {tier: LineTokens(partial(engine.tokenise, tier)) for tier in cards}
        self._suffixes: dict[Tier, Anchors[Suffix]] = {tier: Anchors() for tier in cards}
        self._heads: dict[Tier, Anchors[Head]] = {tier: Anchors() for tier in cards}

    def forget(self) -> None:
        """Begin anew: no window stands, nothing is evaluated."""
        self._prompts.clear()
        for tier in self._cards:
            self._suffixes[tier], self._heads[tier] = Anchors(), Anchors()
        self._engine.forget()

    def generate(self, request: CompletionRequest, tier: Tier, cancel: CancelToken, limits: Limits) -> Generation:
        """Return what the model of `tier` writes at the request's place."""
        prompt = self.prompt(request, tier, limits.max_tokens)
        return self._engine.generate(tier, prompt, self._fitting(limits), cancel)

    def candidates(
        self, request: CompletionRequest, tier: Tier, cancel: CancelToken, limits: Limits, count: int
    ) -> list[Generation]:
        """Return up to `count` different texts for the request's place, the one that `generate` gives first."""
        prompt = self.prompt(request, tier, limits.max_tokens)
        return self._engine.candidates(tier, prompt, self._fitting(limits), cancel, count)

    def standing(self, request: CompletionRequest, tier: Tier, room: int) -> float:
        """Return the share, 0..1, of the request's prompt that the model of `tier` has evaluated."""
        tokens = self.prompt(request, tier, room).tokens
        return self._engine.standing(tier, tokens) / len(tokens)

    def pending(self, request: CompletionRequest, tier: Tier, room: int) -> float:
        """Return what of the request's prompt that model would have to evaluate now, in tokens of a whole pass."""
        return self._engine.pending(tier, self.prompt(request, tier, room).tokens)

    def behind(self, request: CompletionRequest, room: int) -> Behind:
        """Return how far each model is behind the request's prompt."""
        small, large = (self.pending(request, tier, room) for tier in _TIERS)
        return Behind(small=small, large=large, large_level=min(small, large))

    def prompt(self, request: CompletionRequest, tier: Tier, room: int) -> Prompt:
        """Return the prompt that leaves `room` tokens for the answer, but never more than half of the context.

        The last one is remembered: escalation and the baseline's price ask for it again.
        """
        tier = self._tier(tier)
        known = self._prompts.get(tier)
        if known is None or known[0] is not request or known[1] != room:
            known = request, room, self._render(request, tier, room)
            self._prompts[tier] = known
        return known[2]

    def ahead(self, request: CompletionRequest, tier: Tier, room: int) -> Prompt | None:
        """Return a prompt worth evaluating while nobody types, None where the next keystrokes only append anyway.

        That is where the suffix is no longer quite what follows, or the window's start is about to move. Prompts from
        then on go on from this one.
        """
        tier = self._tier(tier)
        suffix = self._suffixes[tier].get(request.uri)
        head = self._heads[tier].get(request.uri)
        drifted = suffix is not None and bool(suffix.drift(request.suffix))
        long = head is not None and request.offset - head.end > MOST_TYPED_CHARS // 2
        ahead = self._options.window_step_chars // _AHEAD
        prompt = self._render(request, tier, room, fresh=drifted or long, ahead=ahead)
        return prompt if self._engine.pending(tier, prompt.tokens) >= _WORTH_PREPARING else None

    def prepare(self, prompt: Prompt, tier: Tier, cancel: CancelToken) -> float:
        """Evaluate a prompt that `ahead` gave; returns the work done. Raises Cancelled when somebody types again."""
        return self._engine.prepare(tier, prompt.tokens, cancel)

    def visited(self, request: CompletionRequest) -> None:
        """Note that a request's document was opened, so that pieces of it may be shown elsewhere; any thread."""
        if self._surroundings is not None:
            self._surroundings.visit(request.uri, request.language, request.text)

    def unload(self, tier: Tier) -> None:
        """Free that model's memory; it is loaded again when it is needed."""
        self._engine.unload(tier)

    def _tier(self, tier: Tier) -> Tier:
        return "small" if self._engine.one_vocabulary and self._asked_alike else tier

    def _render(
        self, request: CompletionRequest, tier: Tier, room: int, *, fresh: bool = False, ahead: int = 0
    ) -> Prompt:
        """Return the prompt; dense text that overflows the budget gets a shorter window.

        With `fresh` nothing is taken from the document's last prompt; `ahead` is how many characters further on the
        cursor is thought to be when the window's start is chosen.
        """
        fim, lines = self._cards[tier].fim, self._lines[tier]
        limit = min(fim.suffix_tokens, self._context_tokens // 4)
        behind, moved = self._suffix(request, tier, limit, fresh=fresh)
        suffix = lines(behind)
        suffix = suffix if len(suffix) <= limit else suffix[:limit]
        front = self._front(request, tier)
        budget = self._context_tokens - len(front) - len(suffix) - _MARKERS - self._room(room)
        fresh, chars = fresh or moved, budget * _CHARS_PER_TOKEN
        while True:
            before, typed, stub = self._before(request, tier, chars, fresh=fresh, ahead=ahead)
            prefix, middle = lines(before), lines(typed)
            if len(prefix) + len(middle) <= budget:
                break
            fresh, chars = True, chars - max(1, min(self._options.window_step_chars, chars // 2))
        begin = self._begin[tier]
        tokens = arrange(fim, self._special[tier], prefix=prefix, suffix=suffix, typed=middle, front=front)
        return Prompt(tokens=tokens if begin is None else (begin, *tokens), stub=stub)

    def _front(self, request: CompletionRequest, tier: Tier) -> list[int]:
        """Return the ids of pieces of other files; those that do not fit are left out, the least helpful first."""
        fim = self._cards[tier].fim
        limit = min(fim.excerpt_tokens, self._context_tokens // 3)
        if not limit or self._surroundings is None:
            return []
        chosen = self._surroundings.around(
            request,
            chars=limit * _CHARS_PER_TOKEN,
            seen_chars=self._context_tokens * _CHARS_PER_TOKEN,
            step_chars=self._options.window_step_chars,
        )
        known = self._fronts.get(tier)
        if known is None or known[0] is not chosen:
            known = self._fronts[tier] = chosen, self._marked(request, tier, chosen, limit)
        return known[1]

    def _marked(self, request: CompletionRequest, tier: Tier, chosen: Sequence[Excerpt], limit: int) -> list[int]:
        files = [(excerpt.name, excerpt.text) for excerpt in chosen]
        fim, special, lines = self._cards[tier].fim, self._special[tier], self._lines[tier]
        while files:
            front = mark_files(fim, special, files, lines, file_name(request.uri))
            if len(front) <= limit:
                return front
            files = files[1:]
        return []

    def _fitting(self, limits: Limits) -> Limits:
        room = self._room(limits.max_tokens)
        return limits if room == limits.max_tokens else replace(limits, max_tokens=room)

    def _room(self, wanted: int) -> int:
        return min(wanted, self._context_tokens // 2)

    def _suffix(self, request: CompletionRequest, tier: Tier, limit: int, *, fresh: bool) -> tuple[str, bool]:
        """Return the text behind the cursor that is shown, and whether it is another than in the last prompt."""
        known = self._suffixes[tier].get(request.uri)
        follows = request.suffix
        if self._options.anchored and not fresh and known is not None and known.drift(follows) is not None:
            return known.text, False
        text = suffix_window(follows, limit * _SUFFIX_CHARS_PER_TOKEN)
        self._suffixes[tier].set(request.uri, Suffix(text=text, length=len(follows)))
        return text, True

    def _before(
        self, request: CompletionRequest, tier: Tier, chars: int, *, fresh: bool, ahead: int
    ) -> tuple[str, str, str]:
        """Return the prefix, what is typed behind it and stands apart from it, and the stub."""
        card, text = self._cards[tier], request.text
        step, offset = self._options.window_step_chars, request.offset
        if card.fim.layout != _SUFFIX_BETWEEN or not self._options.anchored:
            start = window_start(text, min(offset + ahead, len(text)), chars, step)
            before, stub = _healed(text[start:offset], healing=card.healing)
            return before, "", stub
        head = self._heads[tier].get(request.uri)
        typed = None if fresh or head is None else head.typed(request)
        if head is None or typed is None:
            head = _head(request, chars - min(MOST_TYPED_CHARS, chars // 3), step)
            self._heads[tier].set(request.uri, head)
            typed = text[head.end : offset]
        return (head.text, *_healed(typed, healing=card.healing))


def _healed(text: str, *, healing: bool) -> tuple[str, str]:
    return split_stub(text) if healing else (text, "")


def _head(request: CompletionRequest, chars: int, step: int) -> Head:
    """Return the prefix up to the cursor's line, from which on typing is put apart."""
    end = request.text.rfind("\n", 0, request.offset) + 1
    start = window_start(request.text, end, chars, step)
    return Head(start=start, text=request.text[start:end])
