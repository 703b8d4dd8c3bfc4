"""thompson: linear-Gaussian Thompson sampling (Agrawal and Goyal 2013), constants of GreenServ (2601.17551)."""

import numpy as np

from jouline.lab.grid import Floats
from jouline.lab.routers.bandit import LinearBandit

NOISE = 0.25  # standard deviation of a reward
PRIOR_VARIANCE = 2.0  # of a weight


class Thompson(LinearBandit):
    """Draws each model's weights from their posterior and chooses the largest value.

    The posterior's precision is I / prior variance + sum x x' / noise^2, which is A / noise^2 for a ridge of noise^2 /
    prior variance; so its covariance is noise^2 A^-1, scaled by noise^2 once (the published code does so twice).
    """

    label = "Thompson sampling, linear and Gaussian"
    ridge = NOISE**2 / PRIOR_VARIANCE

    def pick(self, context: Floats, toll: Floats) -> int:
        """Return the column of the largest draw less its toll; only the value at this context need be drawn."""
        self.steps += 1
        spread = np.einsum("i,mij,j->m", context, self.inverse, context)
        deviation = NOISE * np.sqrt(np.maximum(0.0, spread))
        drawn = self.expected(context) + deviation * self.rng.normal(size=len(self.models))
        return int(np.argmax(drawn - toll))
