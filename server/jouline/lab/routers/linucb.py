"""linucb: disjoint LinUCB (Li et al. 2010), with GreenServ's constants (arXiv 2601.17551)."""

import numpy as np

from jouline.lab.grid import Floats
from jouline.lab.routers.bandit import LinearBandit

WIDTH_OF_BOUND = 0.1


class LinUcb(LinearBandit):
    """Chooses argmax theta' x + 0.1 sqrt(x' A^-1 x), where A begins at 0.05 I."""

    label = "LinUCB, one regression a model"
    ridge = 0.05

    def bounds(self, context: Floats) -> Floats:
        """Return the upper confidence bound of each model's reward."""
        spread = np.einsum("i,mij,j->m", context, self.inverse, context)
        found: Floats = self.expected(context) + WIDTH_OF_BOUND * np.sqrt(np.maximum(0.0, spread))
        return found

    def pick(self, context: Floats, toll: Floats) -> int:
        """Return the column of the largest bound less its toll."""
        self.steps += 1
        return int(np.argmax(self.bounds(context) - toll))
