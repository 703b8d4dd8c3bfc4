"""The routers that learn from a whole table before the first query: RouteLLM's, knn and logistic."""

from collections.abc import Callable

import numpy as np

from jouline.errors import ConfigError
from jouline.lab.routers.bert_like import BertLike
from jouline.lab.routers.contestant import Contestant, Split, priced, route_ms
from jouline.lab.routers.logistic import Logistic
from jouline.lab.routers.matrix_factorisation import MatrixFactorisation
from jouline.lab.routers.nearest import Nearest
from jouline.lab.routers.router import Router
from jouline.lab.routers.similarity_ranking import SimilarityRanking

Taught = Callable[[tuple[str, ...], int, int], Router]  # models, the small model's column, seed

TAUGHT: dict[str, Taught] = {
    "bert-like": lambda models, small, seed: BertLike(models, seed, reference=small),
    "mf": lambda models, _small, seed: MatrixFactorisation(models, seed),
    "sw-ranking": lambda models, _small, _seed: SimilarityRanking(models),
    "knn": lambda models, _small, _seed: Nearest(models),
    "logistic": lambda models, _small, _seed: Logistic(models),
}
_TELL_CHANCES = ("knn", "logistic")


def taught(name: str, split: Split, seed: int) -> Contestant:
    """Return one of `TAUGHT`, taught on the train table; raise `ConfigError` where all models always do alike there."""
    known = split.grid(split.train)
    if not np.nanmax(np.abs(known.quality - known.quality[:, [known.small]])) > 0:
        raise ConfigError("Every row of the train table ends alike for all models: nothing can be learnt from it.")
    train, validate, test = split.queries
    router = TAUGHT[name](split.models, known.small, seed)
    router.learn(train, known.quality)
    return priced(
        split,
        f"{router.label} over {split.encoder.of}",
        [router.worth(validate), router.worth(test)],
        route_ms_p95=route_ms(router, split),
        chance=name in _TELL_CHANCES,
    )
