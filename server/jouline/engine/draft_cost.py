"""What passes over several tokens cost here, measured when a pair is loaded."""

import time
from collections.abc import Callable

from jouline.engine.draft import MOST, DraftCosts, PassCosts, spread
from jouline.engine.session import ExitSession, Session, TokenSession

_SIZES = (1, 4, 2, 9, 3, 6)  # the two that a slow model must at least be tried with come first
_LEAST = 2
_REPEATS = 5
_BUDGET_S = 0.015  # for each model and depth
_FILL_S = 0.1
_CHUNK = 64


def measure(
    small: TokenSession | None,
    large: TokenSession | ExitSession,
    *,
    deep: int,
    clock: Callable[[], float] = time.thread_time,
) -> DraftCosts:
    """Time passes behind a few tokens and behind `deep`; the timelines hold nothing of use afterwards.

    A slow model is filled less and tried less, so that this takes little more than the budgets. The smallest of
    several times counts: what else runs on the machine only ever adds. `clock` is the thread's own where one thread
    does all the work, else wall time.
    """
    shallow = _measure_at(small, large, _fill(large, [0], _CHUNK, clock), clock)
    base = _fill(large, [0] * _CHUNK, deep, clock)
    costs = DraftCosts(shallow, _measure_at(small, large, base, clock) if len(base) > 2 * _CHUNK else shallow)
    for session in (small, large):
        if session:
            session.sync([0])
            session.shelf.clear()
    return costs


def _measure_at(small: TokenSession | None, large: Session, base: list[int], clock: Callable[[], float]) -> PassCosts:
    halves = isinstance(large, ExitSession)
    small_s = _times(small, base, clock) if small else {1: 0.0, 2: 0.0}
    large_s = _times(large, base, clock, small if halves else None)
    return PassCosts(small=spread(small_s, MOST + 1), large=spread(large_s, MOST + 1), halves=halves, depth=len(base))


def _fill(session: Session, base: list[int], depth: int, clock: Callable[[], float]) -> list[int]:
    began = clock()
    while len(base) < depth and clock() - began < _FILL_S:
        base = base + [len(base) % 7] * min(_CHUNK, depth - len(base))
        session.sync(base)
    return base


def _times(
    session: Session, base: list[int], clock: Callable[[], float], front: TokenSession | None = None
) -> dict[int, float]:
    """Return seconds by number of tokens; `front` has run already when its back is timed."""
    began = clock()
    found: dict[int, float] = {}
    for number, size in enumerate(_SIZES * _REPEATS):
        if clock() - began > _BUDGET_S and len(found) >= _LEAST:
            break
        tokens = [*base, *([number + 1] * size)]  # another token each time, as nothing is evaluated twice
        session.sync(base)
        if front is not None:
            front.sync(tokens, rows=0)
        start = clock()
        session.sync(tokens, rows=size)
        found[size] = min(clock() - start, found.get(size, float("inf")))
    return found
