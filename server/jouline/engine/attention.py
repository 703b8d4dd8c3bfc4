"""Which of llama.cpp's two ways to compute attention is quicker for one model here, measured once.

Flash attention reads keys and values once and keeps no table of scores. On a processor it takes something off the
single tokens of some shapes, makes others slower (few key heads for many queries), and makes most 4 to 63 tokens at
once slower: no rule foretells it. The timeline that is timed is deep without having been evaluated: one token's keys
and values, doubled until there are enough of them.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from jouline.engine.llama import AbortFlag, Context, Weights
from jouline.engine.options import EngineOptions
from jouline.errors import EngineError

Clock = Callable[[], float]

_DEEP = 1024  # tokens to attend to
_ROOM = 64
_LEAST_SHARE = 0.05  # of a token's work that is attention: no more could be gained if it cost nothing
_TYPED, _WRITTEN = 4, 8  # tokens of a request: of the prompt in one batch, of the answer one by one
_BUDGET_S = 0.15
_LEAST_ROUNDS = 3
_ROUND_SHARE = 0.4  # of the time of two requests: most of the answer's tokens are reckoned, not run
_QUICKER = 0.96  # of the time without; a smaller gain may be noise


def quicker_with_flash(weights: Weights, options: EngineOptions, abort: AbortFlag, *, clock: Clock) -> bool:
    """Whether flash attention was measured to be quicker for a few tokens of a prompt and some of an answer.

    Takes little more than the budget. False where attention is too small a part of the work to matter, where too few
    rounds would fit the budget, and where a context of either kind, or one that can be deepened, is not to be had.
    """
    deep = _depth(options)
    if weights.recurrent or weights.windowed or attention_share(weights, deep) < _LEAST_SHARE:
        return False
    with contextlib.ExitStack() as undo:
        without, with_it = (behind(weights, options, abort, deep, undo, flash=flash) for flash in (False, True))
        return without is not None and with_it is not None and _ratio(without, with_it, clock) < _QUICKER


def attention_share(weights: Weights, depth: int) -> float:
    """Return about which part of a token's multiplications is attention when it looks back on `depth` tokens."""
    attention = 2 * weights.layers * weights.width * depth
    return attention / (attention + weights.parameters)


def _depth(options: EngineOptions) -> int:
    """Return the largest power of two that is neither more than wanted nor than half of the context."""
    return 1 << (min(_DEEP, options.context_tokens // 2).bit_length() - 1)


def behind(
    weights: Weights, options: EngineOptions, abort: AbortFlag, deep: int, undo: contextlib.ExitStack, *, flash: bool
) -> Context | None:
    """Return a context whose next token attends to `deep` others, a power of two; None where that cannot be done."""
    sized = replace(options, flash_attention=flash, context_tokens=deep + _ROOM, twin=True)
    try:
        context = undo.enter_context(contextlib.closing(Context(weights, sized, abort)))
        context.decode_tokens([0], 0)
    except EngineError:
        return None
    doubled = all(context.double() for _ in range(deep.bit_length() - 1))
    return context if doubled else None


def _ratio(without: Context, with_it: Context, clock: Clock) -> float:
    """Return what a request takes with flash attention over what it takes without; 1 where too few fit the budget.

    Both take turns, and of the rounds' ratios the median counts: what else the machine does disturbs some of them.
    """
    began = clock()
    ratios: list[float] = []
    while len(ratios) < _LEAST_ROUNDS or clock() - began < _BUDGET_S:
        taken = {way: _request_s(way, clock) for way in ((without, with_it), (with_it, without))[len(ratios) % 2]}
        if not ratios and _LEAST_ROUNDS * _ROUND_SHARE * sum(taken.values()) > _BUDGET_S:
            return 1.0
        ratios.append(taken[with_it] / taken[without])
    return median(ratios)


def _request_s(context: Context, clock: Clock) -> float:
    """Return what a request takes behind what is there, in seconds, by one batch and one token; it is gone again."""
    began = clock()
    context.decode_tokens([1] * _TYPED, 1)
    typed = clock() - began
    context.decode_tokens([2], 1 + _TYPED)  # the first one after a batch pays for another graph
    began = clock()
    context.decode_tokens([3], 2 + _TYPED)
    written = clock() - began
    context.trim(1)
    return typed + _WRITTEN * written
