"""Several folds as one test: every row is tested once, by routers that have seen neither it nor its group."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from jouline.lab.grid import Floats, Played
from jouline.lab.intervals import Resampling
from jouline.lab.judge import fix
from jouline.lab.routers.contestant import Contestant, Fixed, Split
from jouline.lab.table import table


def together(splits: Sequence[Split]) -> Split:
    """Return a split whose test table has the test rows of all folds, in their order; the rest is the first fold's."""
    first = splits[0]
    if len(splits) == 1:
        return first
    rows = [row for split in splits for row in split.test.rows]
    return replace(first, test=table(rows, first.test.small, first.test.large, among=first.models))


def merged(splits: Sequence[Split], parts: Sequence[Contestant], resampling: Resampling) -> Contestant:
    """Return one router over the test rows of all folds, its points fixed in each fold on that fold's own rows."""
    fixed = [fix(split, one, resampling) for split, one in zip(splits, parts, strict=True)]
    timed = [one.route_ms_p95 for one in parts if one.route_ms_p95 is not None]
    return replace(
        parts[0],
        label=f"{parts[0].label}, {len(parts)} folds",
        test=side_by_side([one.test for one in parts]),
        gain=_each(parts, lambda one: one.gain),
        chance=_each(parts, lambda one: one.chance),
        route_ms_p95=float(np.median(timed)) if timed else None,
        fixed=Fixed(
            parity=_all_of([each.parity for each in fixed]),
            best=_all_of([each.best for each in fixed]),
        ),
    )


def side_by_side(parts: Sequence[Played]) -> Played:
    """Return the rows of several one after the other; all have the same points."""
    return Played(
        answered=np.concatenate([part.answered for part in parts], axis=1),
        quality=np.concatenate([part.quality for part in parts], axis=1),
        cost=np.concatenate([part.cost for part in parts], axis=1),
        escalated=np.concatenate([part.escalated for part in parts], axis=1),
    )


def _all_of(parts: Sequence[Played | None]) -> Played | None:
    known = [part for part in parts if part is not None]
    return side_by_side(known) if len(known) == len(parts) else None


def _each(parts: Sequence[Contestant], of: Callable[[Contestant], Floats | None]) -> Floats | None:
    found = [of(one) for one in parts]
    known = [each for each in found if each is not None]
    return np.concatenate(known) if len(known) == len(found) else None
