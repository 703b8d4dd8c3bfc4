"""A block, line after line: every line is a completion of its own, and the whole must stay likely enough.

The models' states of what was written stand, so a further line costs its own tokens and no more. What is kept are
whole lines: where the next one would make all of it too unlikely to be shown, those before it remain.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from jouline.completion import CompletionRequest, Generation
from jouline.engine.generate import Limits
from jouline.pipeline.blocks import opens_block, wants_block
from jouline.pipeline.indentation import closes, width

MOST_LINES = 12

Write = Callable[[CompletionRequest, Limits], Generation]


def go_on(
    first: Generation, request: CompletionRequest, write: Write, *, floor: float | None, line_tokens: int, room: int
) -> Generation:
    """Return `first`, a line, with the lines of the block that it is in or opens, where there is one to write.

    `floor` is the sum of log probabilities that all lines together must keep; one line may have `line_tokens` tokens,
    and none is begun once all have `room`. The block ends at a blank line, at one that is not indented as it must be,
    and where the model ends; a line that closes it is kept.
    """
    least = _least_width(request, first) if floor is None or first.logprob >= floor else None
    whole = first
    lines = 1
    while least is not None and whole.stop == "line" and lines < MOST_LINES and whole.generated_tokens < room:
        limits = Limits(
            max_tokens=line_tokens,  # the same for all, as the window of the prompt depends on it
            min_logprob=None if floor is None else floor - whole.logprob,
            energy_saving=request.energy_saving,
        )
        line = write(_taken(request, whole.text + "\n"), limits)
        inside = width(line.text) >= least
        kept = bool(line.text.strip()) and line.stop in ("line", "end") and (inside or closes(line.text))
        whole = _joined(whole, line, kept=kept, ended=not (kept and inside))
        lines += 1
    return whole


def _least_width(request: CompletionRequest, first: Generation) -> int | None:
    """Return how far in the lines of the block are at least, None where the line is not followed by any of one."""
    if first.stop != "line" or request.rest_of_line.strip():
        return None
    line = request.line_prefix
    if wants_block(request):
        return width(line) + opens_block(line, request.language)
    head = _taken(request, first.text.rstrip())
    return width(head.line_prefix) + 1 if first.text.strip() and wants_block(head) else None


def _taken(request: CompletionRequest, text: str) -> CompletionRequest:
    """Return the request behind a text that was taken."""
    behind = request.text[request.offset + len(request.rest_of_line) :]
    return replace(request, text=request.prefix + text + behind, offset=request.offset + len(text))


def with_cost_of(whole: Generation, others: Sequence[Generation]) -> Generation:
    """Return a generation that has cost what `others` cost besides its own."""
    return replace(
        whole,
        prompt_evaluated=whole.prompt_evaluated + sum(other.prompt_evaluated for other in others),
        prompt_work=whole.prompt_work + sum(other.prompt_work for other in others),
        generated_tokens=whole.generated_tokens + sum(other.generated_tokens for other in others),
        prompt_ms=whole.prompt_ms + sum(other.prompt_ms for other in others),
        generate_ms=whole.generate_ms + sum(other.generate_ms for other in others),
        drafted=whole.drafted + sum(other.drafted for other in others),
        draft_accepted=whole.draft_accepted + sum(other.draft_accepted for other in others),
        exited=whole.exited + sum(other.exited for other in others),
        saved_by_drafts=whole.saved_by_drafts + sum(other.saved_by_drafts for other in others),
        saved_by_exit=whole.saved_by_exit + sum(other.saved_by_exit for other in others),
    )


def _joined(whole: Generation, line: Generation, *, kept: bool, ended: bool) -> Generation:
    """Return both as one; of a line that is not kept only what it cost counts."""
    cost = replace(with_cost_of(whole, (line,)), stop="block" if ended else line.stop)
    if not kept:
        return cost
    return replace(
        cost,
        text=f"{whole.text}\n{line.text}",
        tokens=whole.tokens + line.tokens[len(line.tokens) - len(line.logprobs) :],
        logprob=whole.logprob + line.logprob,
        logprobs=whole.logprobs + line.logprobs,
        margins=whole.margins + line.margins,
    )
