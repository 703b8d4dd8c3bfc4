"""What has happened to one request so far, and what is answered before it is priced."""

import time
from dataclasses import dataclass, field

from jouline.completion import Action, Candidate, Timings, TokenCounts
from jouline.energy.entry import new_id
from jouline.pipeline.account import Run
from jouline.pipeline.cache import CacheEntry
from jouline.pipeline.offer import Offer
from jouline.router.gate_learned import Estimate
from jouline.router.router import Decision, Review


@dataclass(slots=True, kw_only=True)
class Progress:
    """What has happened to one request so far."""

    started: float
    runs: list[Run]
    decision: Decision | None = None
    review: Review | None = None
    others: tuple[str, ...] = ()
    estimate: Estimate = field(default_factory=Estimate)
    saving: float = 0.0
    route_ms: float = 0.0
    router_cpu_s: float = 0.0
    id: str = field(default_factory=new_id)

    def timings(self, queue_ms: float) -> Timings:
        """Return the times of a request that ends now."""
        runs = [run.generation for run in self.runs]
        return Timings(
            queue_ms=queue_ms,
            route_ms=self.route_ms,
            prompt_ms=sum(run.prompt_ms for run in runs),
            generate_ms=sum(run.generate_ms for run in runs),
            total_ms=(time.perf_counter() - self.started) * 1e3 + queue_ms,
        )

    def tokens(self) -> TokenCounts:
        """Return the tokens of all runs."""
        runs = [run.generation for run in self.runs]
        return TokenCounts(
            prompt=max((run.prompt_tokens for run in runs), default=0),
            prompt_evaluated=sum(run.prompt_evaluated for run in runs),
            generated=sum(run.generated_tokens for run in runs),
            drafted=sum(run.drafted for run in runs),
            draft_accepted=sum(run.draft_accepted for run in runs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered and why, before it is priced."""

    action: Action
    reason: str
    hit: CacheEntry | None = None
    offer: Offer | None = None
    others: tuple[Candidate, ...] = ()
