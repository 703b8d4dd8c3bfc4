"""Warm-up after loading: pages in the weights, and gives a first idea of what each model costs on this machine."""

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Tier
from jouline.energy.meter import Meters
from jouline.energy.savings import CostModel, Prior
from jouline.engine.generate import Limits
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


def warm_up(completer: Completer, meters: Meters, tier: Tier, cancel: CancelToken) -> CostModel:
    """Run a short prompt through one model and return a cost model that starts from what it took.

    Where nothing can be measured the model starts empty and speaks up after a handful of requests.
    """
    request = CompletionRequest(uri="warm-up:", language="python", text=_SAMPLE, offset=len(_SAMPLE))
    with meters.window() as prefill:
        first = completer.generate(request, tier, cancel, Limits(max_tokens=1))
    with meters.window() as decode:
        limits = Limits(max_tokens=_WARM_UP_TOKENS, single_line=False)
        rest = completer.generate(request, tier, cancel, limits)
    prompt_cost, decode_cost = prefill.measurement.joules, decode.measurement.joules
    if prompt_cost is None or decode_cost is None or not first.prompt_work:
        return CostModel()
    generated = (float(rest.generated_tokens), decode_cost)
    return CostModel(Prior.from_warm_up(prompt=(first.prompt_work, prompt_cost), generated=generated))
