"""The routers of the bench by the contract's names."""

from collections.abc import Callable
from functools import partial

from jouline.errors import ConfigError
from jouline.lab.routers.by_text import TAUGHT, taught
from jouline.lab.routers.cascade import cascade
from jouline.lab.routers.contestant import Contestant, Split
from jouline.lab.routers.drafted import classifier, place, threshold
from jouline.lab.routers.online import BANDITS, bandit, quality_floor
from jouline.lab.routers.oracle import coin, oracle

Maker = Callable[[Split, int], Contestant]

ROUTERS: dict[str, Maker] = {
    "random": coin,
    "threshold": threshold,
    **{name: partial(taught, name) for name in TAUGHT},
    "place": place,
    "classifier": classifier,
    "cascade": cascade,
    **{name: partial(bandit, name) for name in BANDITS},
    "quality-floor": quality_floor,
    "oracle": oracle,
}


def make(name: str, split: Split, *, seed: int) -> Contestant:
    """Return a router of that name, taught on the train table, at points fixed on the validation table.

    Raises `LacksEvidenceError` where the tables do not tell what it needs, `ConfigError` for a name that is not there.
    """
    if name not in ROUTERS:
        raise ConfigError(f"There is no router {name!r} in the bench: choose among {', '.join(ROUTERS)}.")
    return ROUTERS[name](split, seed)
