"""Made-up traces: what a pair might have done, for tests that need no model."""

import numpy as np

from jouline.engine.exit import SIGNALS
from jouline.lab.exits.replay import Prices
from jouline.lab.exits.traces import Traces

PRICES = Prices(front=0.4, back=0.6, catch_up=0.1)


def traces(places: int, *, seed: int, tokens: int = 6) -> Traces:
    """Return places where the front agrees the likelier, the larger its lead, and where half the texts are right."""
    rng = np.random.default_rng(seed)
    shape = (places, tokens)
    signals = np.zeros((*shape, len(SIGNALS)))
    lead = rng.exponential(2.0, shape)
    signals[:, :, SIGNALS.index("lead")] = lead
    signals[:, :, SIGNALS.index("decoded")] = np.arange(tokens)
    quality = (rng.random(places) < 0.5).astype(float)
    return Traces(
        group=np.array([f"package {number % 5}" for number in range(places)]),
        length=rng.integers(1, tokens + 1, places),
        lag=rng.integers(0, 3, places),
        quality=quality,
        signals=signals,
        agree=rng.random(shape) < 1 / (1 + np.exp(-2 * (lead - 1))),
        front_logprob=-rng.random(shape),
        large_logprob=-rng.random(shape),
        otherwise=(rng.random(shape) < 0.05).astype(float),
        rest=rng.integers(0, 5, shape),
    )
