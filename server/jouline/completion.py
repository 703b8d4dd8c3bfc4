"""The nouns that cross layers. Frozen, without behaviour beyond reading themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Tier = Literal["small", "large"]
Action = Literal["generate", "cache", "skip", "none"]
Method = Literal["measured", "attributed", "estimated", "unavailable"]
Trigger = Literal["automatic", "invoked"]
Multiline = Literal["auto", "never", "always"]
Stop = Literal["line", "end", "length", "unlikely", "repetition", "block", "suffix", "bracket", "time", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A wish for text at one place of one document.

    `offset` counts code points before the cursor. `route` is `auto`, `small`, `large` or a catalogue id.
    `candidates` is how many different texts are wanted at most; more than one are never answered from the cache.
    `deleted` says that the last change took text away, `last_gap_ms` how long after the one before it came,
    `usual_gap_ms` the person's usual time between keys; None is unknown.
    """

    uri: str
    language: str
    text: str
    offset: int
    trigger: Trigger = "automatic"
    route: str = "auto"
    energy_saving: int = 50
    multiline: Multiline = "auto"
    candidates: int = 1
    gate: bool = True
    cache: bool = True
    show_all: bool = False  # benchmarks: offer the text whatever its confidence
    stop_early: bool = True  # benchmarks: else texts are written to their natural end, as the usual tools do
    exits: bool = True  # benchmarks: else the large model never leaves early
    deleted: bool = False
    last_gap_ms: float | None = None
    usual_gap_ms: float | None = None

    @property
    def prefix(self) -> str:
        """The text before the cursor."""
        return self.text[: self.offset]

    @property
    def line_prefix(self) -> str:
        """The cursor's line, left of the cursor."""
        return self.text[self.text.rfind("\n", 0, self.offset) + 1 : self.offset]

    @property
    def rest_of_line(self) -> str:
        """The cursor's line, right of the cursor, without its line break."""
        end = self.text.find("\n", self.offset)
        return self.text[self.offset : end if end >= 0 else len(self.text)].rstrip("\r")

    @property
    def suffix(self) -> str:
        """The text from the next line on: what stands right of the cursor is the rest of the line."""
        end = self.text.find("\n", self.offset)
        return self.text[end + 1 :] if end >= 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked: token ids, and the text it must spell first (token healing).

    `stub` is the last pre-token of the prefix, taken back so that the model may choose a token that spans the cursor.
    """

    tokens: tuple[int, ...]
    stub: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What one model wrote for one prompt.

    `text` is what follows the cursor, the healed stub taken off. `logprob` is the sum of the natural logs of the
    chosen tokens' probabilities, so `exp(logprob)` is the model's own estimate that all of it is right.
    """

    text: str
    tokens: tuple[int, ...]
    logprob: float
    logprobs: tuple[float, ...]
    margins: tuple[float, ...]  # probability of the best token less that of the second, per token
    stop: Stop
    prompt_tokens: int
    prompt_evaluated: int
    prompt_work: float  # evaluated prompt tokens in units of one whole pass of this model (a front's work may be there)
    generated_tokens: int
    prompt_ms: float
    generate_ms: float
    drafted: int = 0  # tokens evaluated ahead, and those of them that were then chosen
    draft_accepted: int = 0
    exited: int = 0  # tokens that are the front half's own
    saved_by_drafts: float = 0.0  # in tokens of plain decoding with this model, by the engine's costs; may be negative
    saved_by_exit: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Wall time of a request's parts, in milliseconds."""

    queue_ms: float = 0.0
    route_ms: float = 0.0
    prompt_ms: float = 0.0
    generate_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Tokens of a request, summed over the models that ran."""

    prompt: int = 0
    prompt_evaluated: int = 0
    generated: int = 0
    drafted: int = 0
    draft_accepted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What a request cost and what always-large would have cost, in joules; None is unknown, never zero."""

    joules: float | None = None
    method: Method = "unavailable"
    source: str = ""
    joules_low: float | None = None
    joules_high: float | None = None
    router_joules: float | None = None
    baseline_model: str | None = None
    baseline_joules: float | None = None
    saved_joules: float | None = None
    saved_joules_stddev: float | None = None
    saved_joules_shared_stddev: float | None = None  # the part of it that all savings of a session have in common
    saved_by: dict[str, float] = field(default_factory=dict)  # of the saving: route, stop, exit, drafts; apart: gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Another text for the same place, taking the place of `replace` code points right of the cursor."""

    text: str
    replace: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer to a request: text to offer, or the reason why there is none.

    `replace` counts the code points right of the cursor that `text` takes the place of (brackets the editor closed).
    `p_accept` is the gate's chance that the suggestion is taken, `seen` what it saw, by name.
    """

    id: str
    text: str
    action: Action
    reason: str
    model: Tier | None = None
    model_id: str | None = None
    models_run: tuple[Tier, ...] = ()
    p_small_ok: float | None = None
    p_gain: float | None = None
    features: Mapping[str, float] | None = None  # what the classifier saw of the place; numbers, never text
    p_accept: float | None = None
    confidence: float | None = None
    seen: Mapping[str, float] = field(default_factory=dict, repr=False)
    replace: int = 0
    others: tuple[Candidate, ...] = ()
    timings: Timings = field(default_factory=Timings)
    tokens: TokenCounts = field(default_factory=TokenCounts)
    energy: Energy = field(default_factory=Energy)
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What the person did with a suggestion; `chars` is how much was taken, `candidate` of which of its texts."""

    completion_id: str
    outcome: Literal["shown", "accepted", "partial", "rejected"]
    chars: int = 0
    candidate: int = 0
