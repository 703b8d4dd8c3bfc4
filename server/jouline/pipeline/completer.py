"""From a request to a model's text: window, prompt, decode. Used by the product and by the lab alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from jouline.cancel import CancelToken
from jouline.catalogue.card import StageCard
from jouline.completion import CompletionRequest, Generation, Prompt, Tier
from jouline.engine.generate import Limits
from jouline.engine.healing import split_stub
from jouline.pipeline.context import suffix_window, window_start
from jouline.pipeline.fim import arrange
from jouline.pipeline.options import PipelineOptions

_CHARS_PER_TOKEN = 3  # fewer than code has on average (3.9 measured), so that the window seldom needs a second cut
_SUFFIX_CHARS_PER_TOKEN = 6  # more than code has, so that the token limit decides
_MARKERS = 4  # three of the layout and the one that some models want at the very beginning


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

    def generate(self, tier: Tier, prompt: Prompt, limits: Limits, cancel: CancelToken) -> Generation:
        """Answer a prompt."""


class Completer:
    """Renders prompts for a pair and has them answered."""

    def __init__(
        self, engine: Engine, cards: Mapping[Tier, StageCard], options: PipelineOptions, context_tokens: int
    ) -> None:
        """`context_tokens` is what both models were opened with."""
        self._engine = engine
        self._cards = cards
        self._context_tokens = context_tokens
        self._options = options
        small, large = cards["small"], cards["large"]
        self._asked_alike = (small.fim, small.healing) == (large.fim, large.healing)
        self._prompts: dict[Tier, tuple[CompletionRequest, int, Prompt]] = {}
        self._suffixes: dict[Tier, tuple[str, list[int]]] = {}

    def generate(self, request: CompletionRequest, tier: Tier, cancel: CancelToken, limits: Limits) -> Generation:
        """Return what the model of `tier` writes at the request's place."""
        fitting = replace(limits, max_tokens=self._room(limits.max_tokens))
        return self._engine.generate(tier, self.prompt(request, tier, limits.max_tokens), fitting, cancel)

    def standing(self, request: CompletionRequest, tier: Tier, room: int) -> float:
        """Return the share, 0..1, of the request's prompt that the model of `tier` has evaluated."""
        tokens = self.prompt(request, tier, room).tokens
        return self._engine.standing(tier, tokens) / len(tokens)

    def prompt(self, request: CompletionRequest, tier: Tier, room: int) -> Prompt:
        """Return the prompt that leaves `room` tokens for the answer, but never more than half of the context.

        The last one is remembered: escalation and the baseline's price ask for it again.
        """
        tier = "small" if self._engine.one_vocabulary and self._asked_alike else tier
        known = self._prompts.get(tier)
        if known is None or known[0] is not request or known[1] != room:
            known = request, room, self._render(request, tier, room)
            self._prompts[tier] = known
        return known[2]

    def _render(self, request: CompletionRequest, tier: Tier, room: int) -> Prompt:
        card = self._cards[tier]
        suffix = self._suffix(request, tier, min(card.fim.suffix_tokens, self._context_tokens // 4))
        budget = self._context_tokens - len(suffix) - _MARKERS - self._room(room)
        prefix, stub = self._prefix(request, tier, budget, healing=card.healing)
        special = partial(self._engine.special, tier)
        begin = self._engine.begin(tier)
        tokens = arrange(card.fim, special, prefix=prefix, suffix=suffix)
        return Prompt(tokens=tokens if begin is None else (begin, *tokens), stub=stub)

    def _room(self, wanted: int) -> int:
        return min(wanted, self._context_tokens // 2)

    def _suffix(self, request: CompletionRequest, tier: Tier, limit: int) -> list[int]:
        text = suffix_window(request.suffix, limit * _SUFFIX_CHARS_PER_TOKEN)
        known = self._suffixes.get(tier)
        if known is None or known[0] != text:
            known = text, self._engine.tokenise(tier, text)[:limit]
            self._suffixes[tier] = known
        return known[1]

    def _prefix(self, request: CompletionRequest, tier: Tier, budget: int, *, healing: bool) -> tuple[list[int], str]:
        """Return the prefix's ids and the stub; dense text that overflows the budget gets a shorter window."""
        step = self._options.window_step_chars
        chars = budget * _CHARS_PER_TOKEN
        while True:
            start = window_start(request.text, request.offset, chars, step)
            text = request.text[start : request.offset]
            kept, stub = split_stub(text) if healing else (text, "")
            tokens = self._engine.tokenise(tier, kept)
            if len(tokens) <= budget:
                return tokens, stub
            chars -= max(1, min(step, chars // 2))
