"""How much one request may have written, and where its text ends."""

from jouline.completion import CompletionRequest
from jouline.engine.generate import Limits
from jouline.engine.stops import open_brackets
from jouline.pipeline.options import PipelineOptions

_BRACKETS_CHARS = 2_000  # around the cursor, for brackets that are open and for the line that stands next


def room(request: CompletionRequest, options: PipelineOptions) -> int:
    """Return how many tokens the answer may have."""
    return options.max_block_tokens if request.multiline == "always" else options.max_line_tokens


def limits(request: CompletionRequest, options: PipelineOptions, *, floor: float | None) -> Limits:
    """Return when decoding ends; `floor` is the sum of log probabilities below which a text would not be offered."""
    tokens = room(request, options)
    saving = request.energy_saving if request.exits else 0
    if request.multiline != "always":
        return Limits(max_tokens=tokens, min_logprob=floor, energy_saving=saving)
    line = request.line_prefix
    indent = len(line) - len(line.lstrip())
    before = request.text[max(0, request.offset - _BRACKETS_CHARS) : request.offset]
    return Limits(
        max_tokens=tokens,
        single_line=False,
        min_logprob=floor,
        block_indent=indent,
        next_line=next((each for each in request.suffix[:_BRACKETS_CHARS].split("\n") if each.strip()), ""),
        open_brackets=open_brackets(before.encode(errors="replace")),
        budget_ms=options.max_block_ms,
        energy_saving=saving,
    )
