"""The decode loop: greedy, healed at the cursor, stopped as soon as going on cannot pay."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jouline.cancel import CancelToken
from jouline.completion import Generation, Prompt, Stop
from jouline.engine.ahead import Ahead
from jouline.engine.healing import Spelling
from jouline.engine.session import Session
from jouline.engine.vocabulary import Vocabulary

_SAME_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop.

    `min_logprob` is the display threshold: the sum of log probabilities only falls, so nothing that would be shown is
    lost by stopping below it. `block_indent`, where set, ends a multi-line text at the first line indented no deeper.
    """

    max_tokens: int = 48
    single_line: bool = True
    min_logprob: float | None = None
    block_indent: int | None = None
    energy_saving: int = 0  # from which on tokens may end at the front half, where a rule for that was trained


@dataclass(slots=True)
class _Draft:
    """What has been decoded so far."""

    spelling: Spelling
    tokens: list[int]
    text: bytearray
    logprobs: list[float]
    margins: list[float]
    total: float = 0.0


def generate(
    session: Session,
    vocabulary: Vocabulary,
    prompt: Prompt,
    limits: Limits,
    cancel: CancelToken,
    *,
    ahead: Ahead | None = None,
) -> Generation:
    """Decode greedily from `prompt` until a stop of `limits`; raises Cancelled when `cancel` is set.

    `ahead` is what drafts are made on; it is told how likely the text is so far.
    """
    cancel.check()  # before the session gives up anything for a request that nobody wants
    started = time.perf_counter()
    work = session.sync(prompt.tokens)
    prefilled = time.perf_counter()
    draft = _Draft(Spelling(vocabulary, prompt.stub), [], bytearray(), [], [])
    stop = _decode(session, vocabulary, draft, limits, cancel, ahead=ahead)
    finished = time.perf_counter()
    return Generation(
        text=finish_text(bytes(draft.text), stop, limits),
        tokens=tuple(draft.tokens),
        logprob=draft.total,
        logprobs=tuple(draft.logprobs),
        margins=tuple(draft.margins),
        stop=stop,
        prompt_tokens=len(prompt.tokens),
        prompt_evaluated=session.evaluated,
        prompt_work=work,
        generated_tokens=len(draft.tokens),
        prompt_ms=(prefilled - started) * 1e3,
        generate_ms=(finished - prefilled) * 1e3,
    )


def _decode(
    session: Session, vocabulary: Vocabulary, draft: _Draft, limits: Limits, cancel: CancelToken, *, ahead: Ahead | None
) -> Stop:
    while True:
        cancel.check()
        chosen = _choose(session, draft)
        if chosen is None:
            return "unlikely"
        token, beyond = chosen
        draft.tokens.append(token)
        draft.text += beyond
        if draft.spelling.left:
            stop: Stop | None = "unlikely" if len(draft.tokens) >= limits.max_tokens else None
        else:
            stop = _stop(token, beyond, draft, vocabulary, limits)
        if stop:
            return stop
        if ahead:
            ahead.logprob = draft.total
        session.step(token)


def _choose(session: Session, draft: _Draft) -> tuple[int, bytes] | None:
    """Pick the likeliest token and note its probability once the stub is spelled; None if no token can spell it."""
    logits = session.logits()
    if not draft.spelling.left:
        token, logprob, margin = pick(logits)
        return _note(draft, token, logprob, margin, draft.spelling.take(token))
    allowed = draft.spelling.allowed()
    if not len(allowed):
        return None
    index, logprob, margin = pick(logits[allowed])
    token = int(allowed[index])
    beyond = draft.spelling.take(token)
    if draft.spelling.left:
        return token, beyond
    return _note(draft, token, logprob, margin, beyond)


def _note(draft: _Draft, token: int, logprob: float, margin: float, beyond: bytes) -> tuple[int, bytes]:
    draft.logprobs.append(logprob)
    draft.margins.append(margin)
    draft.total += logprob
    return token, beyond


def pick(logits: npt.NDArray[np.float32]) -> tuple[int, float, float]:
    """Return the index of the largest logit, its log probability, and its probability's lead over the second."""
    best = int(logits.argmax())
    top = float(logits[best])
    weights = np.exp(logits - top)
    total = float(weights.sum())
    weights[best] = 0.0
    return best, -float(np.log(total)), (1.0 - float(weights.max())) / total


def _stop(token: int, beyond: bytes, draft: _Draft, vocabulary: Vocabulary, limits: Limits) -> Stop | None:
    if token in vocabulary.ends:
        return "end"
    if b"\n" in beyond and limits.single_line:
        return "line"
    if limits.min_logprob is not None and draft.total < limits.min_logprob:
        return "unlikely"
    if repeats(draft.tokens[-len(draft.logprobs) :]) or (b"\n" in beyond and repeats_lines(bytes(draft.text))):
        return "repetition"
    if limits.block_indent is not None and block_end(bytes(draft.text), limits.block_indent) is not None:
        return "block"
    return "length" if len(draft.tokens) >= limits.max_tokens else None


def repeats(tokens: Sequence[int]) -> bool:
    """Whether the last tokens are one short group over and over (small models fall into such loops)."""
    for period in range(1, 9):
        times = 5 if period == 1 else 4 if period == 2 else 3
        span = period * times
        if len(tokens) >= span and tokens[-span:] == list(tokens[-period:]) * times:
            return True
    return False


def repeats_lines(text: bytes) -> bool:
    """Whether the last three whole lines that are not blank are one line over and over."""
    lines = [line for line in text.split(b"\n")[:-1] if line.strip()]
    return len(lines) >= _SAME_LINES and len(set(lines[-_SAME_LINES:])) == 1


def block_end(text: bytes, indent: int) -> int | None:
    """Return where the first whole line after the first that is indented at most `indent` begins, None if none."""
    start = text.find(b"\n") + 1
    while start:
        line = text[start : text.find(b"\n", start) if b"\n" in text[start:] else len(text)]
        body = line.lstrip(b" \t").rstrip(b"\r")
        if body and len(line) - len(body) <= indent:
            return start
        start = text.find(b"\n", start) + 1
    return None


def finish_text(raw: bytes, stop: Stop, limits: Limits) -> str:
    """Return the text to offer of the bytes that were decoded until `stop`."""
    if limits.single_line:
        raw = raw.split(b"\n", 1)[0].rstrip(b"\r")
    elif stop == "block" and limits.block_indent is not None:
        raw = raw[: block_end(raw, limits.block_indent)].rstrip(b"\r\n")
    return raw.decode(errors="ignore")
