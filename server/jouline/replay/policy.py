"""When an editor's completion tool asks, and what it does with a request that the person has typed past.

The peers' figures are their published defaults; only delay, cancellation and cache are theirs, while prompts, models
and filters stay ours, so that one table compares what the triggering alone is worth.
"""

from dataclasses import dataclass

EDITOR_DELAY_MS = 50.0  # VS Code's own debounce before it calls any provider, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How requests are made. `delay_ms` passes between a key and its request; another key in between drops it."""

    name: str
    delay_ms: float
    cancels: bool = True  # a request that the next key makes stale is stopped, not run to its end
    cache: bool = True
    gate: bool = True


POLICIES = {
    policy.name: policy
    for policy in (
        Policy(name="jouline", delay_ms=EDITOR_DELAY_MS),
        Policy(name="llama.vscode", delay_ms=EDITOR_DELAY_MS, cancels=False, gate=False),
        Policy(name="continue", delay_ms=EDITOR_DELAY_MS + 350.0, gate=False),
        Policy(name="twinny", delay_ms=EDITOR_DELAY_MS + 300.0, cache=False, gate=False),
    )
}
