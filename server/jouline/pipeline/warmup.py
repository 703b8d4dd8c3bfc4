"""Warm-up after loading: pages in the weights, and gives a first idea of what each model costs on this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Generation, Tier
from jouline.energy.meter import Meters
from jouline.energy.savings import Prior
from jouline.engine.generate import Limits
from jouline.pipeline import grammars
from jouline.pipeline.completer import Completer

_SAMPLE = '''\
def mean(values):
    """Return the arithmetic mean of a sequence of numbers."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def variance(values):
    """Return the population variance of a sequence of numbers."""
    middle = mean(values)
    return mean([(value - middle) ** 2 for value in values])


def standard_deviation(values):
    """Return the square root of the variance."""
    '''
_WARM_UP_TOKENS = 12
_STEPS = 3  # of a counter, so that its edges do not matter much
_MOST_ROUNDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Warmed:
    """What so many rounds did and cost together, in the meters' unit."""

    rounds: int
    prompt_work: float
    generated: float
    cost: float


def warm_up(completer: Completer, meters: Meters, tier: Tier, cancel: CancelToken) -> Prior | None:
    """Run a short prompt through one model and return what it took, in the meters' unit.

    Where a counter steps slowly the same is done again, each time with another text, until it has moved. None where
    nothing can be measured: then a handful of requests must come first. Grammars are made ready too.
    """

    def generate(number: int, limits: Limits) -> Generation:
        text = f"# {number}\n{_SAMPLE}"  # another beginning, so that nothing evaluated before can be kept
        request = CompletionRequest(uri="warm-up:", language="python", text=text, offset=len(text))
        return completer.generate(request, tier, cancel, limits)

    grammars.prepare()
    first = _measured(meters, lambda number: generate(number, Limits(max_tokens=1)))
    limits = Limits(max_tokens=_WARM_UP_TOKENS, single_line=False)
    rest = _measured(meters, lambda _: generate(first.rounds - 1 if first else 0, limits))
    if first is None or rest is None or not first.prompt_work:
        return None
    return Prior.from_warm_up(prompt=(first.prompt_work, first.cost), generated=(rest.generated, rest.cost))


def _measured(meters: Meters, generate: Callable[[int], Generation]) -> _Warmed | None:
    done: list[Generation] = []
    with meters.window() as whole:
        began = time.monotonic()
        while not done or (time.monotonic() - began < _STEPS * meters.unit.step_s and len(done) < _MOST_ROUNDS):
            done.append(generate(len(done)))
    cost = meters.unit.cost(whole.measurement)
    if cost is None:
        return None
    return _Warmed(
        rounds=len(done),
        prompt_work=sum(each.prompt_work for each in done),
        generated=float(sum(each.generated_tokens for each in done)),
        cost=cost,
    )
