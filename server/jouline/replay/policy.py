"""When an editor's completion tool asks, and what it does with a request that the person has typed past.

The peers' figures are their published defaults (read in their sources): how long they wait, whether they cancel, what
they remember, that they write every text to its natural end. The models, the prompts, the filters and the threshold
from which a text is shown are ours for all, so that one table compares what asking alone is worth. What a peer's own
order of the prompt would cost is estimated beside it (`jouline.replay.readings`). Left out are llama.vscode's second
request ahead of time, Tabby's and Continue's context from other files, Continue's reuse of a stream that is still
running, that twinny's lock also runs requests that are stale by their turn, and that it asks nothing inside words.

Sources, as of 2026-11-20: ggml-org/llama.vscode `src/completion.ts`, `src/configuration.ts`, `src/llama-server.ts`
(`/infill` with `cache_prompt`, slot 0; its README starts the server with `--cache-reuse 256`), and llama.cpp for the
order of `/infill`; TabbyML/tabby `clients/tabby-agent/src/codeCompletion/{debouncer,contexts,index}.ts` and
`crates/llama-cpp-server/src/supervisor.rs` (one slot); continuedev/continue `core/util/parameters.ts`,
`core/autocomplete/templating/AutocompleteTemplate.ts`; twinnydotdev/twinny `package.json`,
`src/extension/providers/completion.ts`, `src/extension/fim-templates.ts`. All four put the prefix first for the
families they recommend; Continue and twinny put Codestral's suffix first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jouline.completion import CompletionRequest

EDITOR_DELAY_MS = 50.0  # VS Code's own debounce before it calls any provider, at most
_NO_DELAY: Callable[["Moment"], float] = lambda _: 0.0  # noqa: E731


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a tool's own delay may depend on: the request, the gap it would wait for, its latest response times."""

    request: CompletionRequest
    typed: str
    usual_gap_ms: float | None
    usual_response_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How requests are made.

    The editor calls its tool `editor_delay_ms` after a key. `delay` returns the milliseconds that pass between that
    call and the request; another key in between drops it. With `adapts` the server decides how long to wait instead.
    `polls_ms` is how often a tool that does not cancel looks whether the request before has ended; `most_right` is the
    longest rest of the line at which it asks. `reuses` is the least chunk, in tokens, that the tool's server shifts to
    another place in the prompt, 0 where it does not.
    """

    name: str
    editor_delay_ms: float = EDITOR_DELAY_MS
    delay: Callable[[Moment], float] = _NO_DELAY
    adapts: bool = False
    cancels: bool = True  # a request that the next key makes stale is stopped, not run to its end
    polls_ms: float = 0.0
    most_right: int | None = None
    cache: bool = True
    gate: bool = True
    stop_early: bool = True
    exits: bool = True
    prompt_order: Literal["suffix first", "prefix first"] = "suffix first"
    reuses: int = 0


def _fixed(milliseconds: float) -> Callable[[Moment], float]:
    return lambda _: milliseconds


def tabby_delay_ms(moment: Moment) -> float:
    """Return the delay of tabby-agent's adaptive debouncer (`debouncer.ts`) for an automatic request.

    It takes a line or a document for ended where nothing but punctuation and blanks follows (`contexts.ts`). Its own
    base is the mean of the last 100 gaps of at most 400 ms, once more than 20 are known; here it is the usual gap.
    """
    base = min(400.0, max(100.0, moment.usual_gap_ms or 200.0))
    behind = moment.request.text[moment.request.offset :]
    score = 0.5 * _no_word(moment.typed) + 0.4 * _no_word(moment.request.rest_of_line) + 0.1 * _no_word(behind)
    wait = (3.0 - 1.5 * score) * base - moment.usual_response_ms
    return min(1_000.0, max(100.0, wait))


def _no_word(text: str) -> bool:
    """Return whether there is no letter, digit or underscore of ASCII, as JavaScript has it."""
    return re.search(r"\w", text, re.ASCII) is None


POLICIES = {
    policy.name: policy
    for policy in (
        Policy(name="jouline", adapts=True),
        Policy(name="always-large", gate=False, stop_early=False, exits=False),
        Policy(
            name="llama.vscode",
            cancels=False,
            polls_ms=150.0,
            most_right=8,
            gate=False,
            stop_early=False,
            exits=False,
            prompt_order="prefix first",
            reuses=256,
        ),
        Policy(
            name="tabby", delay=tabby_delay_ms, gate=False, stop_early=False, exits=False, prompt_order="prefix first"
        ),
        Policy(
            name="continue", delay=_fixed(350.0), gate=False, stop_early=False, exits=False, prompt_order="prefix first"
        ),
        Policy(
            name="twinny",
            delay=_fixed(300.0),
            cancels=False,  # the next request waits for its lock
            cache=False,
            gate=False,
            stop_early=False,
            exits=False,
            prompt_order="prefix first",
        ),
    )
}
PEERS = ("llama.vscode", "tabby", "continue", "twinny")
