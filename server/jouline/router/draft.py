"""What a finished or stopped draft tells about itself: evidence for the choice after it (pure)."""

import math
import re
from itertools import accumulate

from jouline.completion import CompletionRequest, Generation
from jouline.router.features import WINDOW_CHARS, Features
from jouline.router.syntax import scan

VERSION = 1
_NAMES = re.compile(r"[A-Za-z_]\w*")
_UNSEEN = -1.0
_TEXT_FEATURES = (
    "draft_chars",
    "draft_again",
    "draft_line_again",
    "draft_known_names",
    "draft_balanced",
    "draft_open_string",
)


def tokens_until(logprobs: tuple[float, ...], floor: float) -> int:
    """Return how many tokens are decoded by a model that stops once its summed log p is below `floor`."""
    return next((count for count, total in enumerate(accumulate(logprobs), 1) if total < floor), len(logprobs))


def draft_features(request: CompletionRequest, draft: Generation, floor: float) -> Features:
    """Describe a draft by its tokens' probabilities and by how its text fits the file.

    It describes what a draft stopped at `floor` (a summed log p) would show, whether or not this one was stopped
    there, so that the same numbers come out in the editor and in a benchmark that decodes to the end.
    """
    count = tokens_until(draft.logprobs, floor)
    cut = count < len(draft.logprobs) or draft.stop == "unlikely" or sum(draft.logprobs) < floor
    return _token_features(draft, count, cut=cut) | _text_features(request, "" if cut else draft.text, cut=cut)


def _token_features(draft: Generation, count: int, *, cut: bool) -> Features:
    logprobs = draft.logprobs[:count] or (0.0,)
    margins = draft.margins[:count] or (1.0,)
    worst = min(range(len(logprobs)), key=logprobs.__getitem__)
    return {
        "draft_logprob": sum(logprobs),
        "draft_least": logprobs[worst],
        "draft_least_at": math.log1p(worst),
        "draft_mean": sum(logprobs) / len(logprobs),
        "draft_first": logprobs[0],
        "draft_second": logprobs[1] if len(logprobs) > 1 else 0.0,
        "draft_margin_least": min(margins),
        "draft_margin_mean": sum(margins) / len(margins),
        "draft_margin_first": margins[0],
        "draft_tokens": math.log1p(count),
        "draft_cut": float(cut),
        "draft_ended": float(draft.stop in {"line", "end", "block"} and not cut),
        "draft_repeats": float(draft.stop == "repetition" and not cut),
    }


def _text_features(request: CompletionRequest, text: str, *, cut: bool) -> Features:
    if cut or not text.strip():
        return dict.fromkeys(_TEXT_FEATURES, _UNSEEN)
    window = request.text[max(0, request.offset - WINDOW_CHARS) : request.offset]
    line = (request.line_prefix + text.split("\n", 1)[0]).lstrip()
    names = _NAMES.findall(text)
    quote, depth, _ = scan(line)
    return {
        "draft_chars": math.log1p(len(text)),
        "draft_again": float(text.strip() in window),
        "draft_line_again": float(line in window),
        "draft_known_names": sum(name in window for name in names) / len(names) if names else 1.0,
        "draft_balanced": float(depth == 0),
        "draft_open_string": float(quote not in {"", "#"}),
    }
