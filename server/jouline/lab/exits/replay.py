"""Exit rules replayed on traces: what they would have cost and got right, many places at once."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from jouline.engine.draft import PassCosts
from jouline.engine.exit import EDGES, SIGNALS
from jouline.lab.exits.traces import Floats, Ints, Traces

Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
_AT = {name: index for index, name in enumerate(SIGNALS)}
WIDTHS = tuple(len(EDGES[name]) + 1 for name in SIGNALS)
STARTS = np.concatenate([[0], np.cumsum(WIDTHS)[:-1]])
BINS = sum(WIDTHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a token costs, in whole plain tokens: the front's pass, the back's, and catching one more up."""

    front: float
    back: float
    catch_up: float

    @classmethod
    def of(cls, costs: PassCosts) -> "Prices":
        """Take them from measured passes."""
        size = len(costs.large)
        return cls(
            front=costs.small[0] / costs.plain,
            back=costs.large[0] / costs.plain,
            catch_up=(costs.large[-1] - costs.large[0]) / (size - 1) / costs.plain,
        )


class Chooser(Protocol):
    """A rule over many places: which of them exit, given the row of each place's bins, shape (places, signals)."""

    def __call__(self, bins: Ints, agree: Bools, rows: Ints, /) -> Bools:
        """Return whether each exits; only an oracle looks at `agree` and `rows`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of every place: cost in plain tokens, quality, tokens that exited, whether the text is another."""

    cost: Floats
    quality: Floats
    exited: Ints
    changed: Bools


@dataclass(slots=True)
class Episode:
    """The same with each decision, for learning: bins, choices and rewards by token; dead steps have no weight."""

    bins: list[Ints]
    rows: list[Ints]
    chosen: list[Bools]
    cost: list[Floats]


def plain_cost(traces: Traces, prices: Prices) -> Floats:
    """Return what the large model costs at each place by plain decoding, its catching up with the prompt too."""
    return traces.length * (prices.front + prices.back) + traces.lag * prices.catch_up


def replay(traces: Traces, prices: Prices, choose: Chooser, episode: Episode | None = None) -> Outcome:
    """Let `choose` decide at every token of every place.

    A catch-up is charged where the back runs, and what of the prompt is still behind at the end, because the next
    request has to make it good.
    """
    count = len(traces.length)
    cost, quality, exited = np.zeros(count), traces.quality.copy(), np.zeros(count, np.int64)
    behind, last, logprob = traces.lag.astype(float), np.zeros(count), np.zeros(count)
    never_back, changed = np.ones(count, bool), np.zeros(count, bool)
    alive = np.arange(count)[traces.length > 0]
    step = 0
    while len(alive):
        signals = traces.signals[alive, step].copy()
        signals[:, _AT["behind"]], signals[:, _AT["last"]] = behind[alive], last[alive]
        signals[:, _AT["logprob"]] = logprob[alive]
        bins, agree = binned(signals), traces.agree[alive, step]
        out = choose(bins, agree, alive)
        spent = prices.front + np.where(out, 0.0, prices.back + behind[alive] * prices.catch_up)
        lost = out & ~agree
        spent += np.where(lost, traces.rest[alive, step] * prices.front, 0.0)
        cost[alive] += spent
        exited[alive] += out + np.where(lost, traces.rest[alive, step], 0)
        quality[alive[lost]] = traces.otherwise[alive[lost], step]
        if episode is not None:
            episode.bins.append(bins)
            episode.rows.append(alive)
            episode.chosen.append(out)
            episode.cost.append(spent)
        never_back[alive[~out]] = False
        changed[alive[lost]] = True
        behind[alive] = np.where(out, behind[alive] + 1, 0)
        last[alive] = np.where(out, last[alive], np.where(agree, 1, 2))
        chosen = np.where(out, traces.front_logprob[alive, step], traces.large_logprob[alive, step])
        logprob[alive] += chosen
        step += 1
        alive = alive[~lost & (traces.length[alive] > step)]
    cost += np.where(never_back, (traces.lag + 1) * prices.catch_up, 0.0)
    return Outcome(cost, quality, exited, changed)


def binned(signals: Floats) -> Ints:
    """Return the bin of each signal, shape (places, signals), as indices into one table of all bins."""
    columns = [
        start + np.searchsorted(np.array(EDGES[name], float), signals[:, index], side="right")
        for index, (name, start) in enumerate(zip(SIGNALS, STARTS, strict=True))
    ]
    return np.stack(columns, axis=1)


def table_rule(table: Floats, bias: float) -> Chooser:
    """Return the deterministic rule of weights, shape (BINS,)."""
    return lambda bins, _agree, _rows: table[bins].sum(axis=1) + bias > 0


def margin_rule(least: float) -> tuple[Floats, float]:
    """Return the rule that exits where the front's lead is at least `least` (one of the edges), as a table."""
    table = np.zeros(BINS)
    edges = np.array(EDGES["lead"])
    table[STARTS[_AT["lead"]] : STARTS[_AT["lead"]] + WIDTHS[_AT["lead"]]] = np.where(
        np.concatenate([[-np.inf], edges]) >= least, 1.0, -1.0
    )
    return table, 0.0


def agreement_oracle(_bins: Ints, agree: Bools, _rows: Ints) -> Bools:
    """Exit exactly where the front's choice is the large model's: the most that can be saved with no text changed."""
    return agree


class QualityOracle:
    """Exits besides wherever the text that follows is no worse for it: the most that can be saved with none lost."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._step = -1

    def __call__(self, bins: Ints, agree: Bools, rows: Ints) -> Bools:
        """Decide the next token of each place; to be used for one replay."""
        del bins
        self._step += 1
        harmless: Bools = self._traces.otherwise[rows, self._step] >= self._traces.quality[rows]
        return agree | harmless
