"""The resident pair: a small and a large model that answer prompts one at a time.

Kind `exit`: two files of one network; small is the front with its own head, large is front and back together, and
whatever the front has evaluated counts for both. Kind `separate`: two complete models.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from jouline.cancel import CancelToken
from jouline.completion import Generation, Prompt, Tier
from jouline.engine.attention import quicker_with_flash
from jouline.engine.candidates import candidates
from jouline.engine.draft import Lookup, Worth
from jouline.engine.draft_cost import measure
from jouline.engine.exit import ExitAgent
from jouline.engine.generate import Limits, generate
from jouline.engine.llama import AbortFlag, Context, Weights
from jouline.engine.options import EngineOptions
from jouline.engine.prefix import common_prefix
from jouline.engine.session import ExitSession, TokenSession
from jouline.engine.two_stage import TwoStageSession, generate_in_two_stages
from jouline.engine.vocabulary import Vocabulary
from jouline.errors import EngineError

_DEEP = 1024  # tokens behind which drafts are priced at most


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """Where a pair lies and how its contexts are opened; for `exit`, `large` is the back file."""

    kind: Literal["exit", "separate"]
    small: Path
    large: Path
    small_options: EngineOptions
    large_options: EngineOptions
    small_ends: tuple[str, ...] = ()  # control tokens that end a text besides those the file names itself
    large_ends: tuple[str, ...] = ()
    drafts: bool = True  # measure at opening what drafts cost and save, and draft where they save


class Pair:
    """Both models of a pair, opened. One thread at a time; only `CancelToken.cancel` may come from another."""

    def __init__(self, files: PairFiles) -> None:
        """Open both models; raises EngineError with one plain sentence when that cannot be done."""
        self._abort = AbortFlag()
        self._weights: dict[Tier, Weights] = {}
        self._contexts: dict[Tier, Context] = {}
        self._sessions: dict[Tier, TokenSession | ExitSession] = {}
        self._vocabularies: dict[Tier, Vocabulary] = {}
        self._two_stage: TwoStageSession | None = None
        self.exits: ExitAgent | None = None  # which tokens of an exit pair end at its front
        self.flash_attention: dict[Tier, bool] = {}  # as given, else as measured
        try:
            self._open(files)
            self._two_stage = self._draft(files)
        except BaseException:
            self.close()
            raise

    @property
    def one_vocabulary(self) -> bool:
        """Whether both models have the same tokens (the halves of one network)."""
        return self._vocabularies["small"] is self._vocabularies["large"]

    def tokenise(self, tier: Tier, text: str) -> list[int]:
        """Return the ids of `text` in that model's vocabulary, control tokens never among them."""
        return self._tokeniser(tier).tokenise(text)

    def special(self, tier: Tier, marker: str) -> int | None:
        """Return the id of a control token by its text, None if that model has no such token."""
        return self._tokeniser(tier).special(marker)

    def begin(self, tier: Tier) -> int | None:
        """Return the id that must begin every text of that model, None where it asks for none."""
        return self._tokeniser(tier).begin()

    def standing(self, tier: Tier, tokens: Sequence[int]) -> int:
        """Return how many of `tokens`, from the first on, that model has evaluated; for an exit pair, its front."""
        return common_prefix(self._sessions["small" if self.one_vocabulary else tier].held, list(tokens))

    def pending(self, tier: Tier, tokens: Sequence[int]) -> float:
        """Return what of `tokens` that model would have to evaluate now, in tokens of a whole pass of it.

        Changes nothing and asks llama.cpp nothing. Tokens that an exit pair's front has seen cost the back's share.
        """
        return self._sessions[tier].pending(tokens)

    def generate(self, tier: Tier, prompt: Prompt, limits: Limits, cancel: CancelToken) -> Generation:
        """Answer `prompt` with one model; raises Cancelled, with the engine free again, when `cancel` is set."""
        with self._stopped_by(cancel):
            if tier == "large" and self._two_stage:
                rule = self.exits.at(limits.energy_saving) if self.exits else None
                return generate_in_two_stages(
                    self._two_stage, self._vocabularies[tier], prompt, limits, cancel, rule=rule
                )
            return generate(self._sessions[tier], self._vocabularies[tier], prompt, limits, cancel)

    def prepare(self, tier: Tier, tokens: Sequence[int], cancel: CancelToken) -> float:
        """Evaluate tokens ahead of a request; returns the work done. Raises Cancelled as `generate` does.

        What the model held before is put aside and found again.
        """
        with self._stopped_by(cancel):
            cancel.check()
            return self._sessions[tier].sync(tokens)

    def candidates(
        self, tier: Tier, prompt: Prompt, limits: Limits, cancel: CancelToken, count: int
    ) -> list[Generation]:
        """Return up to `count` different answers to `prompt`, the greedy one first; the prompt is evaluated once.

        What each cost is in its own counts, so their sum is what all of them cost. Raises Cancelled as `generate` does.
        """
        with self._stopped_by(cancel):
            session, vocabulary = self._sessions[tier], self._vocabularies[tier]
            return candidates(session, vocabulary, prompt, limits=limits, cancel=cancel, count=count)

    @contextlib.contextmanager
    def _stopped_by(self, cancel: CancelToken) -> Iterator[None]:
        self._abort.lower()
        cancel.listen(self._abort.raise_flag)
        try:
            yield
        finally:
            cancel.forget(self._abort.raise_flag)

    def unload(self, tier: Tier) -> None:
        """Free one model's memory, of an exit pair that half's; it is loaded again when it is needed.

        Its tokeniser stays, so prompts are made and priced as before.
        """
        self._sessions[tier].unload()

    @property
    def offloaded(self) -> dict[Tier, tuple[int, int]]:
        """How many layers of each model lie on a graphics device, and of how many, the output's counted as one."""
        sizes = {tier: weights.layers + 1 for tier, weights in self._weights.items()}
        return {tier: (min(size, self._weights[tier].gpu_layers), size) for tier, size in sizes.items()}

    @property
    def on_gpu(self) -> bool:
        """Whether any layer lies on a graphics device."""
        return any(on for on, _ in self.offloaded.values())

    def resident(self, tier: Tier) -> bool:
        """Whether that model is in memory now."""
        return self._contexts[tier].resident

    def memory_bytes(self, tier: Tier) -> int | None:
        """Return what that model takes in memory now: weights, keys, values, what is computed on the way; its half.

        Nothing while it is unloaded, None where llama.cpp does not say. What both tiers share counts for the small one.
        """
        if not self.resident(tier):
            return 0
        weights, own = self._weights[tier], self._contexts[tier].bytes
        taken = 0 if tier == "large" and weights.shared else weights.bytes
        return None if taken is None or own is None else taken + own

    def halves(self) -> tuple[TokenSession, ExitSession, TwoStageSession, Vocabulary] | None:
        """Return the sessions of front, whole network and two stages, and the vocabulary; None unless it drafts so."""
        small, large = self._sessions["small"], self._sessions["large"]
        if not (isinstance(small, TokenSession) and isinstance(large, ExitSession) and self._two_stage):
            return None
        return small, large, self._two_stage, self._vocabularies["large"]

    def forget(self) -> None:
        """Give up all that both models have evaluated, as if they had just been opened."""
        for session in self._sessions.values():
            session.forget()
        if self._two_stage:
            self._two_stage.forget()

    def close(self) -> None:
        """Free both models."""
        for context in self._contexts.values():
            context.close()
        for weights in self._weights.values():
            weights.close()
        self._sessions.clear()
        self._contexts.clear()
        self._weights.clear()

    def _open(self, files: PairFiles) -> None:
        self._load(files)
        if files.kind == "exit":
            self._open_exit(files)
            return
        self._open_separate("small", files.small_options, files.small_ends)
        self._open_separate("large", files.large_options, files.large_ends)

    def _open_separate(self, tier: Tier, options: EngineOptions, ends: tuple[str, ...]) -> None:
        if options.flash_attention is None:
            weights = self._weights[tier]
            found = quicker_with_flash(weights, options, self._abort, clock=_clock(options))
            options = replace(options, flash_attention=found)
        self._sessions[tier] = TokenSession(self._context(tier, options))
        self._vocabularies[tier] = _vocabulary(self._weights[tier], ends)

    def _open_exit(self, files: PairFiles) -> None:
        front, back = self._weights["small"], self._weights["large"]
        if (front.width, front.vocabulary_size) != (back.width, back.vocabulary_size):
            raise EngineError(f"{files.small.name} and {files.large.name} are not halves of one network.")
        finely = replace(files.small_options, batch_tokens=files.small_options.ubatch_tokens)
        small = TokenSession(self._context("small", finely, states=True), keep_states=True)
        share = front.layers / (front.layers + back.layers)
        self._sessions["small"] = small
        self._sessions["large"] = ExitSession(small, self._context("large", files.large_options), front_share=share)
        self._vocabularies["small"] = self._vocabularies["large"] = _vocabulary(front, files.small_ends)

    def _draft(self, files: PairFiles) -> TwoStageSession | None:
        """Return what drafts for the large model, None for one whose state cannot take a draft back."""
        small, large = self._sessions["small"], self._sessions["large"]
        if not files.drafts or self._weights["large"].recurrent:
            return None
        drafter = small if self._can_draft() and isinstance(small, TokenSession) else None
        clock = _clock(files.large_options)
        capacity = min(files.small_options.context_tokens, files.large_options.context_tokens)
        costs = measure(drafter, large, deep=min(_DEEP, capacity * 3 // 4), clock=clock)
        share = large.front_share if isinstance(large, ExitSession) else 0.0
        return TwoStageSession(
            large,
            drafter,
            costs=costs,
            lookup=Lookup(),
            capacity=capacity,
            front_share=share,
            worth=Worth(),
            clock=clock,
        )

    def _can_draft(self) -> bool:
        """Whether the small model's tokens are the large one's, and can be taken back."""
        alike = self._vocabularies["small"].pieces == self._vocabularies["large"].pieces
        return alike and not self._weights["small"].recurrent

    def _load(self, files: PairFiles) -> None:
        """Load both files; one that serves both tiers is in memory once."""
        small, large = files.small_options.gpu_layers, files.large_options.gpu_layers
        self._weights["small"] = Weights(files.small, gpu_layers=small)
        if (files.large, large) == (files.small, small):
            self._weights["small"].shared = True
            self._weights["large"] = self._weights["small"]
        else:
            self._weights["large"] = Weights(files.large, gpu_layers=large)

    def _context(self, tier: Tier, options: EngineOptions, *, states: bool = False) -> Context:
        self.flash_attention[tier] = bool(options.flash_attention)
        self._contexts[tier] = Context(self._weights[tier], options, self._abort, states=states)
        return self._contexts[tier]

    def _tokeniser(self, tier: Tier) -> Weights:
        return self._weights["small" if self.one_vocabulary else tier]


def _clock(options: EngineOptions) -> Callable[[], float]:
    """Return the thread's own clock where one thread does all the work, else wall time."""
    return time.thread_time if options.threads == 1 and not options.gpu_layers else time.perf_counter


def _vocabulary(weights: Weights, ends: tuple[str, ...]) -> Vocabulary:
    named = (weights.special(marker) for marker in ends)
    return Vocabulary(weights.pieces(), weights.ends() | {token for token in named if token is not None})
