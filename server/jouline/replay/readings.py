"""What the inferences of a replay read, what each took, and what a server would read in another order of the prompt."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jouline.catalogue.card import Layout
from jouline.completion import Completion, CompletionRequest
from jouline.replay.policy import Policy
from jouline.replay.slot import Slot

Floats = NDArray[np.float64]
PEERS_LAYOUT: Layout = "prefix-suffix-middle"
_UNKNOWNS = 3  # a request, a token read, a token written


class Rendering(Protocol):
    """What can put a prompt in another order (`jouline.app.App`)."""

    def prompts_in(self, layout: Layout, requests: Sequence[CompletionRequest]) -> list[tuple[int, ...]]:
        """Return the ids of the large model's prompts for these requests, laid out so."""


class Readings:
    """The inferences of one replay, those too late included. Called with each as it ends."""

    def __init__(self) -> None:
        self._requests: list[CompletionRequest] = []
        self._read: int | None = 0
        self._sums = np.zeros((_UNKNOWNS + 1, _UNKNOWNS + 1))

    def __call__(self, request: CompletionRequest, answer: Completion | None) -> None:
        """Note an inference; `answer` is None where it was stopped, so that nobody knows how far it came."""
        self._requests.append(request)
        if answer is None:
            self._read = None
            return
        if self._read is not None:
            self._read += answer.tokens.prompt_evaluated
        if answer.models_run == ("large",) and answer.cpu_seconds is not None:
            terms = np.array([1.0, answer.tokens.prompt_evaluated, answer.tokens.generated, answer.cpu_seconds])
            self._sums += np.outer(terms, terms)

    @property
    def prompt_tokens_read(self) -> int | None:
        """Prompt tokens that were really evaluated; None where an inference was stopped."""
        return self._read

    @property
    def large_work(self) -> list[list[float]]:
        """Sums of products over inferences of the large model alone, of (1, tokens read, written, CPU-seconds)."""
        return [[float(value) for value in row] for row in self._sums]

    def prompt_tokens_own_order(self, app: Rendering, policy: Policy) -> int | None:
        """Return what a server with one slot would have read of the same requests in the policy's own order.

        In our own order that is what was really read. In the order prefix, suffix the prompts end at the cursor and
        are taken from the document within the same budgets of prefix and suffix tokens as our own, the window's start
        moving in the same steps. Both flatter the peers: with the embedded pair that is a suffix of 64 tokens, whereas
        they send more (64 lines llama.vscode, 20 Tabby, 15 and more twinny, 204 tokens Continue), without the rest of
        the line, and their windows' starts move line by line, after which a server without `reuses` reads all again.
        """
        if policy.prompt_order == "suffix first":
            return self._read
        slot = Slot(policy.reuses)
        return sum(slot.ask(prompt) for prompt in app.prompts_in(PEERS_LAYOUT, self._requests))


def seconds_a_prompt_token(work: Floats) -> Floats:
    """Return CPU-seconds that one more prompt token costs the large model, by least squares on `large_work`.

    `work` has shape (…, 4, 4); the result drops the last two axes and is NaN where the inferences cannot tell.
    """
    design, seconds = work[..., :_UNKNOWNS, :_UNKNOWNS], work[..., :_UNKNOWNS, _UNKNOWNS:]
    tells = np.linalg.matrix_rank(design, hermitian=True) == _UNKNOWNS
    found: Floats = (np.linalg.pinv(design, hermitian=True) @ seconds)[..., 1, 0]
    return np.where(tells & (found > 0.0), found, np.nan)
