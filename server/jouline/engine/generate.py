"""The decode loop: greedy, healed at the cursor, stopped as soon as going on cannot pay."""

import math
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jouline.cancel import CancelToken
from jouline.completion import Generation, Prompt, Stop
from jouline.engine.ahead import Ahead
from jouline.engine.healing import Spelling
from jouline.engine.session import Session
from jouline.engine.stops import block_end, closer_start, repeats, repeats_lines, suffix_start
from jouline.engine.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop.

    `min_logprob` is the display threshold: the sum of log probabilities only falls, so nothing that would be shown is
    lost by stopping below it. The rest is of texts of several lines: `block_indent` ends one at the first line indented
    no deeper, `next_line` before a line that stands next in the file, `open_brackets` before a bracket is closed that
    nothing opened, so many being open at the cursor, and `budget_ms` at the first line's end after that time.
    """

    max_tokens: int = 48
    single_line: bool = True
    min_logprob: float | None = None
    block_indent: int | None = None
    next_line: str = ""
    open_brackets: int | None = None
    budget_ms: float | None = None
    energy_saving: int = 0  # from which on tokens may end at the front half, where a rule for that was trained


@dataclass(slots=True)
class _Draft:
    """What has been decoded so far."""

    spelling: Spelling
    tokens: list[int]
    text: bytearray
    logprobs: list[float]
    margins: list[float]
    started: float = 0.0
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
    draft = _Draft(Spelling(vocabulary, prompt.stub), [], bytearray(), [], [], started)
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
    weights = logits - top
    np.exp(weights, out=weights)
    total = float(np.add.reduce(weights))
    weights[best] = 0.0
    return best, -math.log(total), (1.0 - float(np.maximum.reduce(weights))) / total


def _stop(token: int, beyond: bytes, draft: _Draft, vocabulary: Vocabulary, limits: Limits) -> Stop | None:
    if token in vocabulary.ends:
        return "end"
    if b"\n" in beyond and limits.single_line:
        return "line"
    if limits.min_logprob is not None and draft.total < limits.min_logprob:
        return "unlikely"
    if repeats(draft.tokens[-len(draft.logprobs) :]):
        return "repetition"
    if not limits.single_line and (stop := _stop_block(beyond, bytes(draft.text), draft.started, limits)):
        return stop
    return "length" if len(draft.tokens) >= limits.max_tokens else None


def _stop_block(beyond: bytes, text: bytes, started: float, limits: Limits) -> Stop | None:
    """Return why a text of several lines ends with the token that spelled `beyond`, None if it goes on."""
    if limits.block_indent is not None and block_end(text, limits.block_indent) is not None:
        return "block"
    closes = any(closer in beyond for closer in b")]}")  # nothing else makes a bracket too many
    if closes and limits.open_brackets is not None and closer_start(text, limits.open_brackets) is not None:
        return "bracket"
    if b"\n" not in beyond:
        return None
    whole = text[: text.rfind(b"\n") + 1]
    if repeats_lines(text):
        return "repetition"
    if suffix_start(whole, limits.next_line.encode(errors="replace")) is not None:
        return "suffix"
    late = limits.budget_ms is not None and (time.perf_counter() - started) * 1e3 > limits.budget_ms
    return "time" if late else None


def finish_text(raw: bytes, stop: Stop, limits: Limits) -> str:
    """Return the text to offer of the bytes that were decoded until `stop`."""
    if limits.single_line:
        raw = raw.split(b"\n", 1)[0].rstrip(b"\r")
    elif (end := _end(raw, stop, limits)) is not None:
        raw = raw[:end].rstrip(b"\r\n")
    return raw.decode(errors="ignore")


def _end(raw: bytes, stop: Stop, limits: Limits) -> int | None:
    """Return where the text to offer ends, None where all of it is."""
    whole = raw[: raw.rfind(b"\n") + 1]
    if stop == "block" and limits.block_indent is not None:
        return block_end(raw, limits.block_indent)
    if stop == "bracket" and limits.open_brackets is not None:
        return closer_start(raw, limits.open_brackets)
    if stop == "suffix":
        return suffix_start(whole, limits.next_line.encode(errors="replace"))
    return len(whole) if stop == "time" else None
