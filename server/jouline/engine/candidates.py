"""Several different answers to one prompt, at the cost of one prompt: the greedy one, then its likeliest branches.

A branch leaves the greedy path at one place with another token and goes on greedily from there. Where it leaves, the
logits are still known, so only the tokens behind the branch are evaluated.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from jouline.cancel import CancelToken
from jouline.completion import Generation, Prompt, Stop
from jouline.engine.generate import Limits, finish_text, generate
from jouline.engine.healing import Spelling
from jouline.engine.session import Session
from jouline.engine.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """The greedy path's first `shared` tokens, then `token`, whose log probability is `logprob`."""

    shared: int
    token: int
    logprob: float
    lead: float  # its probability less that of the token it takes the place of: never positive


def candidates(
    session: Session, vocabulary: Vocabulary, prompt: Prompt, *, limits: Limits, cancel: CancelToken, count: int
) -> list[Generation]:
    """Return up to `count` answers with different texts, the greedy one first, the others by how likely they begin.

    Each but the first counts as prompt only what was evaluated for it alone. Raises Cancelled when `cancel` is set.
    """
    first = generate(session, vocabulary, prompt, limits, cancel)
    found, texts = [first], {"", first.text}
    if count < 2:
        return found
    for branch in _branches(session, vocabulary, prompt, first, count):
        other = _follow(session, vocabulary, prompt, first, branch, limits=limits, cancel=cancel)
        if other.text not in texts:
            texts.add(other.text)
            found.append(other)
        if len(found) == count:
            break
    return found


def _branches(
    session: Session, vocabulary: Vocabulary, prompt: Prompt, first: Generation, count: int
) -> Iterator[_Branch]:
    """Yield the branches off the greedy path, those first whose tokens up to and with the branch are likeliest."""
    heap: list[tuple[float, int, int, _Branch]] = []
    spelled = len(first.tokens) - len(first.logprobs)
    before = 0.0
    for index, logprob in enumerate(first.logprobs):
        shared = spelled + index
        session.sync((*prompt.tokens, *first.tokens[:shared]))
        allowed = _allowed(vocabulary, prompt.stub, first.tokens[:shared])
        for branch in _others(session.logits(), allowed, first.tokens[shared], shared, count):
            if not _spelling(vocabulary, prompt.stub, (*first.tokens[:shared], branch.token)).left:
                heapq.heappush(heap, (-(before + branch.logprob), shared, branch.token, branch))
        before += logprob
    while heap:
        yield heapq.heappop(heap)[-1]


def _allowed(vocabulary: Vocabulary, stub: str, tokens: tuple[int, ...]) -> np.ndarray | None:
    """Return the ids that may stand behind `tokens`; None is any."""
    spelling = _spelling(vocabulary, stub, tokens)
    return spelling.allowed() if spelling.left else None


def _spelling(vocabulary: Vocabulary, stub: str, tokens: tuple[int, ...]) -> Spelling:
    spelling = Spelling(vocabulary, stub)
    for token in tokens:
        spelling.take(token)
    return spelling


def _others(logits: np.ndarray, allowed: np.ndarray | None, chosen: int, shared: int, count: int) -> Iterator[_Branch]:
    """Yield the `count` likeliest tokens but the chosen one."""
    ids = np.arange(len(logits)) if allowed is None else allowed
    scores = logits[ids].astype(np.float64)
    scores -= scores.max()
    scores -= np.log(np.exp(scores).sum())
    most = min(count + 1, len(ids))
    best = np.argpartition(-scores, most - 1)[:most]
    top = float(np.exp(scores.max()))
    for place in best:
        if ids[place] != chosen:
            score = float(scores[place])
            yield _Branch(shared=shared, token=int(ids[place]), logprob=score, lead=float(np.exp(score)) - top)


def _follow(
    session: Session,
    vocabulary: Vocabulary,
    prompt: Prompt,
    first: Generation,
    branch: _Branch,
    *,
    limits: Limits,
    cancel: CancelToken,
) -> Generation:
    """Decode greedily from behind a branch; returns the answer as if it had been decoded from the prompt on."""
    path = (*first.tokens[: branch.shared], branch.token)
    spelled = len(first.tokens) - len(first.logprobs)
    scores = (*first.logprobs[: branch.shared - spelled], branch.logprob)
    begun = replace(
        first,
        tokens=path,
        logprob=sum(scores),
        logprobs=scores,
        margins=(*first.margins[: branch.shared - spelled], branch.lead),
        generated_tokens=1,
        prompt_evaluated=0,
        prompt_work=0.0,
        prompt_ms=0.0,
        generate_ms=0.0,
    )
    if spent := _stops_at(vocabulary, prompt.stub, path, limits):
        return replace(begun, stop=spent, text=finish_text(_spelled(vocabulary, prompt.stub, path), spent, limits))
    left = replace(
        limits,
        max_tokens=max(1, limits.max_tokens - len(path)),
        min_logprob=None if limits.min_logprob is None else limits.min_logprob - begun.logprob,
    )
    rest = generate(session, vocabulary, Prompt(tokens=(*prompt.tokens, *path)), left, cancel)
    whole = (*path, *rest.tokens)
    return replace(
        rest,
        text=finish_text(_spelled(vocabulary, prompt.stub, whole), rest.stop, limits),
        tokens=whole,
        logprob=begun.logprob + rest.logprob,
        logprobs=(*scores, *rest.logprobs),
        margins=(*begun.margins, *rest.margins),
        prompt_tokens=first.prompt_tokens,
        generated_tokens=rest.generated_tokens + 1,
    )


def _stops_at(vocabulary: Vocabulary, stub: str, path: tuple[int, ...], limits: Limits) -> Stop | None:
    """Return why nothing follows the path's last token, None if something may."""
    if path[-1] in vocabulary.ends:
        return "end"
    if limits.single_line and b"\n" in _spelled(vocabulary, stub, path):
        return "line"
    return "length" if len(path) >= limits.max_tokens else None


def _spelled(vocabulary: Vocabulary, stub: str, tokens: tuple[int, ...]) -> bytes:
    spelling = Spelling(vocabulary, stub)
    return b"".join(spelling.take(token) for token in tokens)
