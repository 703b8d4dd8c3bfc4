"""What asking each model costs now, and the price at which quality is bought so that spending stays even."""

import math
from collections.abc import Callable
from dataclasses import dataclass

_DEAREST = 3.0  # a single request counts at most so much dearer, or cheaper, than a usual one
_FADING = 0.98  # of the mean extra cost, by request
_STEP = 0.05  # of the price's logarithm, for a usual request's whole extra cost too much
_MOST = math.log(2.5)  # how far the price may move from the calibrated one


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalCosts:
    """What asking each model would cost now, in one unit, usually joules: to its first token, and for each token.

    `small` and `large` hold what each model has to catch up; `large_level` is what `large` would be if the large model
    had kept up with the small one, as always-large does.
    """

    small: float
    large: float
    large_level: float
    small_token: float
    large_token: float

    def surcharge(self, tokens: float) -> float:
        """Return how much more the large model costs for an answer of so many tokens."""
        return self.large - self.small + tokens * (self.large_token - self.small_token)

    def surcharge_level(self, tokens: float) -> float:
        """Return the same for always-large."""
        return self.large_level - self.small + tokens * (self.large_token - self.small_token)

    def after_draft(self, tokens: float) -> float:
        """Return what the large model costs once the small one has drafted."""
        return self.large + tokens * self.large_token


Prices = Callable[[], MarginalCosts | None]
"""Tells a request's marginal costs; None before anything is known. Asked only where the choice needs them."""


class Pace:
    """Turns marginal costs into a factor on the gain that is asked for.

    Two parts: how dear this request is beside the usual one, and a price that rises while more than the share of
    always-large's extra cost is spent that the energy saving allows, and falls while less is (dual mirror descent for
    budget pacing, Balseiro, Lu and Mirrokni 2020). The price stays within 1/2.5 to 2.5 of the calibrated one.
    """

    def __init__(self) -> None:
        self._usual: float | None = None
        self._level = 0.0
        self._log_price = 0.0
        self._energy_saving: float | None = None

    @property
    def price(self) -> float:
        """The factor on the calibrated price of quality; 1 at the start."""
        return math.exp(self._log_price)

    def factor(self, extra: float) -> float:
        """Return by what factor the gain asked for differs from the calibrated one at a request of this extra cost."""
        return self.price * self.dearer(extra)

    def dearer(self, extra: float) -> float:
        """Return how dear the large model is here beside the usual request, within 1/3 to 3."""
        if not self._usual or self._usual <= 0:
            return 1.0
        return min(_DEAREST, max(1.0 / _DEAREST, extra / self._usual))

    def chose(self, *, large: bool, extra: float, level: float, energy_saving: float) -> None:
        """Take note of a choice: `extra` is what the large model costs more here, `level` what always-large would."""
        if energy_saving != self._energy_saving:
            self._energy_saving, self._log_price = energy_saving, 0.0
        self._usual = extra if self._usual is None else _FADING * self._usual + (1 - _FADING) * extra
        self._level = level if not self._level else _FADING * self._level + (1 - _FADING) * level
        if self._level > 0:
            allowed = (1.0 - energy_saving / 100.0) * level
            over = ((extra if large else 0.0) - allowed) / self._level
            self._log_price = min(_MOST, max(-_MOST, self._log_price + _STEP * min(2.0, max(-2.0, over))))
