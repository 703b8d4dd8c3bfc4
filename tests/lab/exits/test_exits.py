"""Exit rules on traces: replay against one place at a time, training, operating points, report."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab.exits.made_up import PRICES, traces

from jouline.engine.draft import PassCosts
from jouline.engine.exit import EDGES, SIGNALS, ExitRule, Signals
from jouline.lab.exits import points
from jouline.lab.exits.learn import train
from jouline.lab.exits.replay import (
    BINS,
    Prices,
    QualityOracle,
    agreement_oracle,
    binned,
    margin_rule,
    plain_cost,
    replay,
    table_rule,
)
from jouline.lab.exits.report import as_text, plot
from jouline.lab.exits.traces import Traces

NOTHING = np.zeros(BINS)


def one_by_one(made: Traces, rule: ExitRule, place: int) -> tuple[float, float]:
    """Decode one place by the engine's own rule, token by token; returns cost and quality."""
    cost, logprob, behind, last, back = 0.0, 0.0, int(made.lag[place]), 0, False
    quality = made.quality[place]
    for at in range(made.length[place]):
        noted = dict(zip(SIGNALS, made.signals[place, at].tolist(), strict=True))
        signals = Signals(**(noted | {"behind": behind, "last": last, "logprob": logprob}))
        cost += PRICES.front
        if rule.exits(signals):
            behind += 1
            logprob += made.front_logprob[place, at]
            if not made.agree[place, at]:
                cost += made.rest[place, at] * PRICES.front
                quality = made.otherwise[place, at]
                break
        else:
            cost += PRICES.back + behind * PRICES.catch_up
            behind, last, back = 0, 1 if made.agree[place, at] else 2, True
            logprob += made.large_logprob[place, at]
    return cost + (0.0 if back else (made.lag[place] + 1) * PRICES.catch_up), quality


@given(seed=st.integers(0, 1000), bias=st.floats(-2, 2))
def test_many_places_at_once_are_as_one_by_one(seed, bias):
    """Cost and quality are those of the engine's own rule asked token by token, with catch-up charged."""
    made = traces(20, seed=seed)
    table = np.random.default_rng(seed).normal(size=BINS)
    outcome = replay(made, PRICES, table_rule(table, bias))
    point = points.candidate("", table, bias, made, PRICES)
    rule = ExitRule(points.point(points.Candidate(name="", table=table, bias=bias, cost=1, lost=0, surely=0), 50))
    rounded = replay(made, PRICES, table_rule(*points.table_of(points.point(point, 50))))
    expected = [one_by_one(made, rule, place) for place in range(20)]
    assert rounded.cost == pytest.approx([cost for cost, _ in expected])
    assert rounded.quality == pytest.approx([quality for _, quality in expected])
    assert len(outcome.cost) == 20


def test_the_ends_of_the_curve():
    """Never to exit costs a token each and loses nothing; always to exit costs the front, and a catch-up at the end."""
    made = traces(50, seed=1)
    never, always = (replay(made, PRICES, table_rule(NOTHING, bias)) for bias in (-1.0, 1.0))
    assert never.quality.tolist() == made.quality.tolist()
    assert never.cost == pytest.approx(plain_cost(made, PRICES))
    assert always.exited.sum() >= made.length.sum() * 0.5
    assert (always.cost < never.cost).mean() > 0.8


def test_oracles_lose_nothing_and_bound_each_other():
    """One changes no text, the other no right one; what may do more costs less."""
    made = traces(200, seed=2)
    agreement, quality = replay(made, PRICES, agreement_oracle), replay(made, PRICES, QualityOracle(made))
    assert agreement.quality.tolist() == made.quality.tolist()
    assert not agreement.changed.any()
    assert (quality.quality >= made.quality).all()
    assert quality.cost.sum() < agreement.cost.sum() < plain_cost(made, PRICES).sum()


@pytest.mark.parametrize("edge", EDGES["lead"])
def test_the_margin_rule_is_a_threshold(edge):
    """As a table it exits exactly from that lead on."""
    lead = np.array([0.0, edge - 1e-9, edge, 50.0])
    signals = np.zeros((4, len(SIGNALS)))
    signals[:, SIGNALS.index("lead")] = lead
    bins = binned(signals)
    out = table_rule(*margin_rule(edge))(bins, np.ones(4, bool), np.arange(4))
    assert out.tolist() == (lead >= edge).tolist()


def test_training_finds_more_reward_than_any_margin():
    """On places where late tokens may always exit, which no margin knows, the agent is worth more on others."""

    def made(seed):
        drawn = traces(1500, seed=seed)
        late = drawn.signals[:, :, SIGNALS.index("decoded")] >= 3
        drawn.agree[late] = True
        return drawn

    price, test = 0.05, made(4)

    def worth(rule):
        outcome = replay(test, PRICES, rule)
        return float((outcome.quality - price * outcome.cost).mean())

    agent = train(made(3), PRICES, price=price, seed=0, rounds=120)
    best = max(worth(table_rule(*margin_rule(edge))) for edge in EDGES["lead"])
    assert worth(table_rule(agent.table, agent.bias)) > best + 0.005


def candidates(*pairs: tuple[float, float]) -> list[points.Candidate]:
    """Return rules of these costs and losses."""
    return [
        points.Candidate(name="", table=NOTHING, bias=0.0, cost=cost, lost=lost, surely=lost) for cost, lost in pairs
    ]


def test_points_are_the_cheapest_that_keep_quality_and_win():
    """Where the margin rule or the lossless way is cheaper there is no point."""
    agent = candidates((0.9, 0.0), (0.8, 0.004), (0.7, 0.009), (0.3, 0.2))
    margin = candidates((0.95, 0.0), (0.75, 0.005), (0.72, 0.01))
    found = points.points(agent, margin, lossless=0.85)
    assert [(point.energy_saving, point.cost) for point in found] == [(75, 0.7), (100, 0.7)]


def test_prices_are_shares_of_a_plain_token():
    """Front and back make one."""
    costs = PassCosts(small=(1.0,) * 9, large=tuple(3.0 + n for n in range(9)), halves=True)
    prices = Prices.of(costs)
    assert (prices.front, prices.back, prices.catch_up) == (0.25, 0.75, 0.25)


def test_traces_come_back_from_their_file(tmp_path):
    """What was saved is loaded."""
    made = traces(7, seed=5)
    made.save(tmp_path / "t.npz")
    again = Traces.load(tmp_path / "t.npz")
    assert all(np.array_equal(getattr(made, name), getattr(again, name)) for name in Traces.__slots__)


def test_the_report_has_a_line_for_every_way_and_a_picture(tmp_path):
    """Unknown intervals are left out rather than drawn."""
    row = {"family": "agent", "setting": 50, "lossless": False, "cpu_ms": 5.0, "cost": 0.8, "right": 0.2, "lost": 0.01}
    row |= {
        "exited": 0.4,
        "same_text": 0.9,
        "ci95": {name: [None, None] for name in ("cpu_ms", "cost", "right", "lost")},
    }
    known = row | {"ci95": {name: [0.1, 0.2] for name in ("cpu_ms", "cost", "right", "lost")}}
    report = {
        "ways": [row | {"way": "agent 50"}, known | {"way": "drafts", "family": "drafts", "lossless": True}],
        "replayed": [{"way": "oracle", "cost": 0.5, "right": 0.2}],
        "own_cost": {"rule_s": 2e-6, "lead_s": 4e-6, "plain_token_s": 1e-3, "share": 0.006},
    }
    text = as_text(report)
    plot(report, tmp_path / "exits.png")
    assert "| drafts (best lossless) | 5.00 [0.10, 0.20] |" in text
    assert "| agent 50 | 5.00 | 0.800 | 20.0 | 1.0 | 40 | 90.0 |" in text
    assert "0.60 % of a plain token" in text
    assert (tmp_path / "exits.png").stat().st_size > 1000
