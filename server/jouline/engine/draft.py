"""When a draft pays: running acceptance, and what passes of one to several tokens cost on this machine (pure).

A draft never changes what is decoded: the large model's own logits choose every token. A draft only decides how many
positions are evaluated in one pass, so that what it gets wrong costs time and nothing else. (Leviathan, Kalman and
Matias 2023, "Fast inference from transformers via speculative decoding"; lookup drafts: Saxena 2023, "Prompt lookup
decoding".)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MOST = 8  # tokens in a draft
MARGIN = 1.1  # by which a draft must promise more than it costs: costs and chances are estimates
Kind = tuple[int, int]  # of a draft: how sure it was, and what a lookup said
LOOKED_UP: Kind = (1, 2)  # from a lookup alone
_LEAD_STEP, _LEAD_BINS = 0.5, 16
_PRIOR_WEIGHT = 8.0
_FADING = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class PassCosts:
    """Seconds that a pass over 1, 2, … tokens takes, index 0 for one token.

    `small` is a pass of the model that drafts; `large` is one of the model that decides, on top of the small one's
    where the two are halves of one network (`halves`). `depth` is how many tokens stood before.
    """

    small: tuple[float, ...]
    large: tuple[float, ...]
    halves: bool
    depth: int = 0

    @property
    def plain(self) -> float:
        """A token without drafts."""
        return self.large[0] + (self.small[0] if self.halves else 0.0)

    @property
    def batches_pay(self) -> bool:
        """Whether a few tokens that nobody has seen cost clearly less at once than one after the other."""
        return not self.halves or self.small[3] < 3 * self.small[0]

    def longer(self, count: int) -> float:
        """Return what it costs to draft one more token and to check `count` at once rather than one fewer."""
        return self.large[count - 1] - self.large[count - 2] + self.small[0]

    def at_once(self, count: int) -> float:
        """Return what it costs to evaluate `count` tokens that nobody has seen, as a lookup drafts them."""
        return self.large[count - 1] + (self.small[count - 1] if self.halves else 0.0)


class DraftCosts:
    """Pass costs at any depth, on a line between those measured behind few tokens and behind many."""

    _STEP = 64  # tokens; costs are worked out once for each step

    def __init__(self, shallow: PassCosts, deep: PassCosts) -> None:
        self._shallow = shallow
        self._deep = deep
        self._at: dict[int, PassCosts] = {}

    def at(self, depth: int) -> PassCosts:
        """Return the costs behind `depth` tokens."""
        step = depth // self._STEP
        if step not in self._at:
            self._at[step] = self._between(step * self._STEP)
        return self._at[step]

    def _between(self, depth: int) -> PassCosts:
        low, high = self._shallow, self._deep
        share = 0.0 if high.depth == low.depth else (depth - low.depth) / (high.depth - low.depth)

        def mix(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(max(one + share * (other - one), min(one, other) / 2) for one, other in zip(a, b, strict=True))

        return PassCosts(
            small=mix(low.small, high.small), large=mix(low.large, high.large), halves=low.halves, depth=depth
        )


def spread(measured: Mapping[int, float], upto: int) -> tuple[float, ...]:
    """Return costs of 1 … `upto` tokens from some that were measured: two or more, one of them of 1 token.

    One token takes a way of its own through llama.cpp. For more a line is laid through the others, which evens out
    what else the machine was busy with; no pass is cheaper than a shorter one.
    """
    one = measured[1]
    sizes = np.array([size for size in measured if size > 1], float)
    costs = np.array([measured[int(size)] for size in sizes])
    slope, start = np.polyfit(sizes, costs, 1) if len(sizes) > 1 else ((costs[0] - one) / (sizes[0] - 1), None)
    start = one - slope if start is None else start
    slope = max(0.0, float(slope))
    return (one, *(max(one, float(start) + slope * size) for size in range(2, upto + 1)))


class Acceptance:
    """How often drafted tokens turned out right, by how sure the draft was; old ones fade."""

    def __init__(self) -> None:
        self._right: dict[Kind, float] = {}
        self._seen: dict[Kind, float] = {}

    def of(self, kind: Kind) -> float:
        """Return the chance that a draft of this kind is right; what was never seen is believed to be a coin's."""
        seen = self._seen.get(kind, 0.0)
        return (self._right.get(kind, 0.0) + _PRIOR_WEIGHT * _prior(kind[0])) / (seen + _PRIOR_WEIGHT)

    def learn(self, kind: Kind, *, right: bool) -> None:
        """Note what became of one."""
        self._seen[kind] = self._seen.get(kind, 0.0) * _FADING + 1.0
        self._right[kind] = self._right.get(kind, 0.0) * _FADING + right


class Worth:
    """Whether answers with drafts take less time than answers without, by what either took lately.

    The prices of passes leave out what drafting itself takes, and the machine changes; so now and then the way that
    seems worse is tried again.
    """

    _EVERY, _FIRST = 16, 6
    _WEIGHT, _CLEARLY = 0.1, 0.97

    def __init__(self) -> None:
        self._means: dict[bool, float] = {}
        self._counts = {False: 0, True: 0}

    @property
    def pays(self) -> bool:
        """Whether drafts are clearly the quicker way so far."""
        return self._means.get(True, 1.0) < self._CLEARLY * self._means.get(False, 1.0)

    def choose(self) -> bool:
        """Return whether the next answer is to be drafted."""
        total = self._counts[False] + self._counts[True]
        if total < 2 * self._FIRST:
            return total % 2 == 1
        return self.pays != (total % self._EVERY == 0)

    def learn(self, relative: float, *, drafted: bool) -> None:
        """Note what an answer took, against its tokens' price; outliers, as a busy machine makes them, are cut."""
        self._counts[drafted] += 1
        mean = self._means.setdefault(drafted, relative)
        self._means[drafted] = mean + self._WEIGHT * (min(max(relative, 0.5 * mean), 2 * mean) - mean)


def lead_kind(lead: float, agreement: int) -> Kind:
    """Return the kind of a guess: its lead in steps of half a nat, and what a lookup says (1 the same, -1 another)."""
    return min(_LEAD_BINS - 1, int(min(lead, 99.0) / _LEAD_STEP)), agreement


def _prior(step: int) -> float:
    """Where nothing is known: a lead of 0 is a coin's, of 2 nats 0.8, never quite 1."""
    return 0.5 + 0.45 * min(1.0, step * _LEAD_STEP / 3.0)


class Lookup:
    """What came last time after the same few tokens, in all that was read lately, whatever the file."""

    LENGTH = 3

    def __init__(self, *, capacity: int = 60_000) -> None:
        self._capacity = capacity
        self._next: dict[tuple[int, ...], int] = {}

    def read(self, tokens: Sequence[int], start: int = 0) -> None:
        """Remember what follows what in `tokens`, from index `start` on."""
        if len(self._next) > self._capacity:
            self._next.clear()
        length, following = self.LENGTH, self._next
        for index in range(max(start, length), len(tokens)):
            following[tuple(tokens[index - length : index])] = tokens[index]

    def forget(self) -> None:
        """Forget all that was read."""
        self._next.clear()

    def after(self, tokens: Sequence[int]) -> int | None:
        """Return the token that followed these last ones, None if they are new."""
        return self._next.get(tuple(tokens[-self.LENGTH :]))

    def run(self, tokens: Sequence[int], most: int) -> list[int]:
        """Return up to `most` tokens that followed."""
        tail = list(tokens[-self.LENGTH :])
        found: list[int] = []
        while len(found) < most and (token := self._next.get(tuple(tail))) is not None:
            found.append(token)
            tail = [*tail[1:], token]
        return found


def best_run(costs: PassCosts, chance: float, most: int) -> int:
    """Return how many tokens of a lookup's run are worth checking at once, each right with `chance` after the last."""
    gains = [0.0]
    expected = 0.0
    for count in range(1, min(most, len(costs.large) - 1) + 1):
        expected += chance**count
        gains.append(expected * costs.plain - MARGIN * (costs.at_once(count + 1) - costs.at_once(1)))
    return max(range(len(gains)), key=gains.__getitem__)
