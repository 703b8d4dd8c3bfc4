"""Savings: fitted costs with their own error, sums that keep common errors common, and a modest headline."""

import dataclasses
import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.energy.savings import (
    CostModel,
    Estimate,
    Prior,
    SavedBy,
    Saving,
    Work,
    add_savings,
    headline,
    saving,
    split_saving,
)

WORK = st.builds(Work, prompt_evaluated=st.integers(0, 2000), generated=st.integers(0, 60))
COEFFICIENT = st.floats(0.0, 0.1)


def cost_of(work, per_prompt, per_generated, per_request):
    """Return the true cost of a linear machine."""
    return per_prompt * work.prompt_evaluated + per_generated * work.generated + per_request


@given(
    works=st.lists(WORK, min_size=6, max_size=30, unique=True),
    coefficients=st.tuples(COEFFICIENT, COEFFICIENT, COEFFICIENT),
)
def test_finds_the_costs_of_a_noiseless_machine(works, coefficients):
    """Where cost is exactly linear, what was seen is predicted exactly, and no coefficient is negative."""
    model = CostModel(memory=1e9)
    for work in works:
        model.observe(work, cost_of(work, *coefficients))
    assert min(model.coefficients) >= 0
    for work in works:
        assert model.predict(work).value == pytest.approx(cost_of(work, *coefficients), rel=1e-3, abs=1e-4)


def noisy(model, requests, seed=3, noise=0.1):
    """Feed a model requests of a machine with relative noise; returns the generator."""
    rng = random.Random(seed)
    for _ in range(requests):
        work = Work(prompt_evaluated=rng.choice([2, 8, 30, 300]), generated=rng.randint(1, 20))
        model.observe(work, cost_of(work, 0.004, 0.03, 0.02) * rng.gauss(1, noise))
    return rng


def test_its_error_bars_hold():
    """Of sums of unseen batches, about 95 % lie within two standard errors: at least 90 % here."""
    inside = 0
    for seed in range(60):
        model = CostModel()
        rng = noisy(model, 60, seed)
        batch = [Work(prompt_evaluated=rng.choice([2, 8, 30, 300]), generated=rng.randint(1, 20)) for _ in range(20)]
        truth = sum(cost_of(work, 0.004, 0.03, 0.02) * rng.gauss(1, 0.1) for work in batch)
        guess = model.predict_all(batch)
        inside += abs(guess.value - truth) <= 2 * guess.stddev
    assert inside >= 54


def test_held_out_batches_of_twenty_are_predicted_within_15_percent():
    """The bar that the agreement test sets for real machines."""
    model = CostModel(Prior.from_warm_up((200, 0.8), (12, 0.4)))
    rng = noisy(model, 40, noise=0.2)
    batch = [Work(prompt_evaluated=rng.choice([2, 8, 30, 300]), generated=rng.randint(1, 20)) for _ in range(20)]
    truth = sum(cost_of(work, 0.004, 0.03, 0.02) for work in batch)
    assert model.predict_all(batch).value == pytest.approx(truth, rel=0.15)


@given(
    seen=st.lists(st.tuples(WORK, st.floats(0.0, 10.0)), max_size=12),
    asked=WORK,
    prior=st.sampled_from([None, Prior.from_warm_up((200, 0.8), (12, 0.4))]),
)
def test_what_is_expected_is_what_is_predicted_and_never_stale(seen, asked, prior):
    """After each request: the value alone, with its error, as a sum of one, and that of a model that is made anew."""
    model = CostModel(prior)
    for work, cost in seen:
        model.predict(asked)  # so that something is remembered
        model.observe(work, cost)
        known = model.predict(asked)
        assert model.expected(asked) == (None if known is None else known.value)
        assert known == model.predict_all([asked])
        assert known == CostModel.from_state(json.loads(json.dumps(model.state()))).predict(asked)


def test_sums_of_savings_leave_no_means_out():
    """A means that is added later is summed too."""
    names = [each.name for each in dataclasses.fields(SavedBy)]
    one = SavedBy(**{name: 1.0 + at for at, name in enumerate(names)})
    assert dataclasses.asdict(one + one) == {name: 2.0 * (1.0 + at) for at, name in enumerate(names)}


def test_is_silent_until_something_is_known():
    """Without a warm-up, three points say nothing about three coefficients."""
    model = CostModel()
    for size in (10, 20, 40):
        assert model.predict(Work(prompt_evaluated=10, generated=5)) is None
        model.observe(Work(prompt_evaluated=size, generated=size // 3), 1.0)
    assert model.coefficients is None
    model.observe(Work(prompt_evaluated=80, generated=3), 1.0)
    assert model.predict(Work(prompt_evaluated=10, generated=5)) is not None


def test_a_warm_up_speaks_at_once_and_gives_way():
    """A prior is believed until requests say otherwise; it weighs as much as it says."""
    model = CostModel(Prior.from_warm_up((100, 1.0), (10, 1.0), weight=3.0))
    work = Work(prompt_evaluated=100, generated=10)
    first = model.predict(work)
    assert first.value == pytest.approx(2.0, rel=1e-6)
    assert first.stddev > 0
    for _ in range(100):
        model.observe(work, 4.0)
    assert model.predict(work).value == pytest.approx(4.0, rel=0.05)
    assert model.predict(work).stddev < first.stddev


def test_follows_a_machine_that_changes():
    """Clocks fall when it gets hot: old requests fade, and the new cost is learned."""
    model, work = CostModel(memory=20), Work(prompt_evaluated=100, generated=10)
    for cost in [1.0] * 200 + [2.0] * 100:
        model.observe(work, cost)
    assert model.predict(work).value == pytest.approx(2.0, rel=0.06)


def test_far_from_what_was_seen_it_is_less_sure():
    """Extrapolation widens the error."""
    model = CostModel()
    rng = random.Random(5)
    for _ in range(20):
        work = Work(prompt_evaluated=rng.randint(90, 110), generated=rng.randint(8, 12))
        model.observe(work, cost_of(work, 0.004, 0.03, 0.02) * rng.gauss(1, 0.1))
    near = model.predict(Work(prompt_evaluated=100, generated=10))
    far = model.predict(Work(prompt_evaluated=2000, generated=10))
    assert far.shared_stddev > 10 * near.shared_stddev


@given(st.lists(st.tuples(WORK, st.floats(allow_nan=True, allow_infinity=True)), max_size=30))
def test_no_cost_breaks_it(observations):
    """Nonsense is ignored; what it predicts is finite and never negative."""
    model = CostModel(Prior(per_prompt_token=0.01, per_generated_token=0.05))
    for work, cost in observations:
        model.observe(work, min(cost, 1e6) if math.isfinite(cost) else cost)
    guess = model.predict(Work(prompt_evaluated=50, generated=5))
    assert math.isfinite(guess.value)
    assert math.isfinite(guess.stddev)
    assert guess.value >= 0


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf, -1.0])
def test_a_cost_that_cannot_be_is_ignored(nonsense):
    """A clock that went wrong once leaves no trace."""
    model = CostModel(Prior.from_warm_up((200, 0.8), (12, 0.4)))
    work = Work(prompt_evaluated=50, generated=5)
    before = model.predict(work)
    model.observe(work, nonsense)
    assert model.predict(work) == before
    assert model.count == 0


def test_state_survives_json():
    """A restored model goes on as if it had never stopped."""
    model = CostModel(Prior.from_warm_up((200, 0.8), (12, 0.4)))
    noisy(model, 25)
    again = CostModel.from_state(json.loads(json.dumps(model.state())))
    work = Work(prompt_evaluated=77, generated=7)
    assert again.predict(work) == model.predict(work)
    noisy(model, 5, seed=9)
    noisy(again, 5, seed=9)
    assert again.predict(work) == model.predict(work)


@pytest.mark.parametrize(
    "state", [{}, {"count": 1}, {"count": "x", "prior": 1, "line": {}}, {"count": 1, "prior": 0, "line": [1]}]
)
def test_a_foreign_state_is_refused(state):
    """One sentence that says what to do."""
    with pytest.raises(ValueError, match="delete it to start anew"):
        CostModel.from_state(state)


def test_a_warm_up_without_tokens_is_refused():
    """Cost per token needs tokens."""
    with pytest.raises(ValueError, match="warm-up"):
        Prior.from_warm_up((0, 1.0), (10, 1.0))


def test_a_saving_may_be_a_loss():
    """Baseline less spent, sign and all; errors add in squares."""
    lost = saving(Estimate(value=2.0, stddev=0.3), spent=5.0, spent_stddev=0.4)
    assert (lost.joules, lost.stddev) == (pytest.approx(-3.0), pytest.approx(0.5))


def test_common_errors_do_not_average_out():
    """A hundred savings under one wrong model are wrong a hundred times."""
    independent = add_savings([Saving(joules=1.0, stddev=0.5)] * 100)
    common = add_savings([Saving(joules=1.0, stddev=0.5, shared_stddev=0.5)] * 100)
    assert (independent.joules, independent.stddev) == (pytest.approx(100.0), pytest.approx(5.0))
    assert common.stddev == pytest.approx(50.0)


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.sampled_from(["route", "exit", "drafts"]))
def test_parts_of_a_saving_sum_to_it(baseline, so_far, spent, rest):
    """Stopping early and the rest are told apart and nothing falls between."""
    parts = split_saving(baseline, so_far, spent, rest)
    assert parts.total == pytest.approx(baseline - spent)
    assert parts.stop == pytest.approx(baseline - so_far)


def test_the_gate_is_reported_apart():
    """What was never asked is no saving of the answers."""
    both = SavedBy(route=1.0, stop=2.0) + SavedBy(gate=10.0, route=1.0)
    assert (both.total, both.gate, both.route) == (4.0, 10.0, 2.0)


HEADLINES = [
    (9, Saving(joules=50.0, stddev=1.0), 100.0, "too few requests", "9 of 10 requests needed"),
    (10, None, 100.0, "unknown", "not known"),
    (10, Saving(joules=50.0, stddev=1.0), None, "unknown", "not known"),
    (10, Saving(joules=5.0, stddev=3.0), 100.0, "no measurable saving", "no measurable saving"),
    (10, Saving(joules=-5.0, stddev=3.0), 100.0, "no measurable saving", "no measurable saving"),
    (10, Saving(joules=41.0, stddev=3.0), 100.0, "saved", "≈ saved 41 % (41 ± 3.0 J) vs. always using large"),
    (10, Saving(joules=-12.0, stddev=3.0), 100.0, "lost", "≈ 12 % (12 ± 3.0 J) more than always using large"),
    (50, Saving(joules=7200.0, stddev=360.0), 14400.0, "saved", "≈ saved 50 % (2.0 ± 0.10 Wh) vs."),
]


@pytest.mark.parametrize(("requests", "saved", "baseline", "state", "text"), HEADLINES)
def test_the_headline_claims_no_more_than_it_may(requests, saved, baseline, state, text):
    """Nothing before ten requests, nothing within the error, a loss is called one, two digits at most."""
    line = headline(requests, saved, baseline, "large")
    assert line.state == state
    assert text in line.text
    assert (line.saved_percent is None) == (state not in {"saved", "lost"})
