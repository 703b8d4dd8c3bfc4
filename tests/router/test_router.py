"""Routers: which model they ask, and what they do with its draft."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import CompletionRequest
from jouline.errors import RouterError
from jouline.router.calibration import (
    ALWAYS,
    BY_RULE,
    NEVER,
    Calibration,
    Display,
    MeanCosts,
    OperatingPoint,
    TierConfidence,
    load,
)
from jouline.router.cascade import ConfidenceRouter
from jouline.router.classifier import Chances
from jouline.router.costs import MarginalCosts
from jouline.router.learned import LearnedRouter
from jouline.router.router import FixedRouter, RandomRouter
from tests.router.test_draft import generation

REQUEST = CompletionRequest(uri="", language="python", text="value = 1\nprint(", offset=16)
COSTS = MeanCosts(small=1.0, large=2.0, escalate=1.5)


class Told:
    """A classifier that always tells the same chances, and an extractor of no features."""

    def __init__(self, gain, small=0.2):
        self.gain, self.small = gain, small

    def chances(self, features):
        return Chances(both=self.small, only_large=self.gain, only_small=0.0, neither=1 - self.small - self.gain)

    def extract(self, request):
        return {}


def calibration(*points):
    """Return a calibration of (energy saving, direct, escalate) points."""
    return Calibration(
        pair="embedded",
        weights={"small": "a", "large": "b"},
        place_features=(),
        draft_features=(),
        costs=COSTS,
        cost_unit="joules",
        display=Display(small=TierConfidence(floor=-1.0), large=TierConfidence(floor=-1.5)),
        length=None,
        points=tuple(OperatingPoint(energy_saving=e, direct=d, escalate=s) for e, d, s in points),
    )


def learned(place_gain, draft_gain):
    """Return a learned router whose classifiers always tell these gains."""
    points = ((0, ALWAYS, ALWAYS), (25, 0.3, 0.2), (50, 0.3, 0.2), (75, 0.3, 0.2), (100, NEVER, NEVER))
    return LearnedRouter(
        calibration=calibration(*points), places=Told(place_gain), drafts=Told(draft_gain), extractor=Told(0.0)
    )


def test_a_place_that_promises_enough_gain_goes_to_the_large_model_at_once():
    """The net gain expected from the place alone decides, at the threshold of the energy saving."""
    assert learned(0.3, 0.0).route(REQUEST, energy_saving=50).tier == "large"
    assert learned(0.29, 0.0).route(REQUEST, energy_saving=50).tier == "small"


def test_the_ends_of_the_scale_are_always_large_and_always_small():
    """At 0 even a place without gain goes to the large model; at 100 not even a certain gain does."""
    draft = generation(logprobs=(-0.1,))
    thrifty = learned(0.79, 0.79)
    decision = thrifty.route(REQUEST, energy_saving=100)

    assert learned(0.0, 0.0).route(REQUEST, energy_saving=0).tier == "large"
    assert decision.tier == "small"
    assert thrifty.review(decision, draft, energy_saving=100).verdict == "keep"


@pytest.mark.parametrize(
    ("gain", "logprob", "verdict"),
    [(0.2, -0.1, "escalate"), (0.2, -9.0, "nothing"), (0.1, -0.5, "keep"), (0.1, -1.1, "nothing")],
)
def test_a_draft_is_escalated_by_gain_else_shown_by_confidence(gain, logprob, verdict):
    """Enough gain asks the large model about a draft that could be shown; a hopeless one is not looked at."""
    router = learned(0.0, gain)
    review = router.review(router.route(REQUEST, energy_saving=50), generation(logprobs=(logprob,)), energy_saving=50)

    assert review.verdict == verdict
    assert review.confidence == pytest.approx(math.exp(logprob))


def test_a_place_is_looked_at_once_a_word():
    """Typing on within a word keeps its decision for the new text; another word, line start or setting looks again."""
    router = learned(0.1, 0.0)
    looked = []
    router._extractor.extract = lambda request: looked.append(request) or {}

    for typed in ("x = co", "x = cou", "x = count", "x = count + n", "y = count", "y = counts"):
        request = replace(REQUEST, text=typed, offset=len(typed))
        assert router.route(request, energy_saving=50).place.request is request
    router.route(replace(REQUEST, text="y = counts", offset=10), energy_saving=60)

    assert [each.line_prefix for each in looked] == ["x = co", "x = count + n", "y = count", "y = counts"]


def test_a_draft_that_was_stopped_as_unlikely_is_not_looked_at():
    """What the small model gave up on is not offered and not sent on, whatever gain is told of it."""
    router = learned(0.0, 0.9)
    decision = router.route(REQUEST, energy_saving=50)

    assert router.review(decision, generation(logprobs=(-9.0,), stop="unlikely"), energy_saving=50).verdict == "nothing"


def test_the_large_model_is_never_escalated():
    """After escalating, the large model's text is shown or not, at its own threshold."""
    router = learned(0.0, 0.9)
    decision = router.escalated(router.route(REQUEST, energy_saving=50))

    assert (decision.tier, decision.stop_logprob) == ("large", -1.5)
    assert router.review(decision, generation(logprobs=(-1.4,)), energy_saving=50).verdict == "keep"
    assert router.review(decision, generation(logprobs=(-1.6,)), energy_saving=50).verdict == "nothing"


def prices(behind):
    """Return the costs of a request before which the large model is so far behind; a usual one catches up nothing."""
    return lambda: MarginalCosts(small=1.0, large=2.0 + behind, large_level=2.0, small_token=0.0, large_token=0.0)


@given(
    savings=st.lists(st.integers(0, 100), min_size=1, max_size=8, unique=True),
    asked=st.one_of(st.integers(0, 100), st.floats(-10, 110)),
)
def test_the_point_in_use_is_the_nearest_of_all(savings, asked):
    """As a look at every point finds it, the lower one of two as near."""
    found = calibration(*((saving, 0.1, 0.1) for saving in sorted(savings)))
    assert found.at(asked) == min(found.points, key=lambda point: abs(point.energy_saving - asked))


def test_a_dearer_large_model_must_promise_more():
    """A request at which the large model costs twice its usual extra asks for twice the gain, and says so."""
    router = learned(0.4, 0.0)
    others = [replace(REQUEST, uri=str(n)) for n in range(3)]

    assert router.route(others[0], energy_saving=50, prices=prices(0.0)).tier == "large"
    dear = router.route(others[1], energy_saving=50, prices=prices(1.0))
    assert dear.tier == "small"
    assert dear.reason.endswith("as it costs 2.1 times its usual extra here.")  # twice the extra, and the price rose
    assert router.route(others[2], energy_saving=50, prices=prices(0.0)).tier == "large"


@pytest.mark.parametrize("energy_saving", [25, 50, 75])
def test_spending_is_kept_even(energy_saving):
    """With marginal costs the price moves until the share of always-large's extra that the setting allows is spent."""
    router = learned(0.3, 0.0)
    rng = random.Random(0)
    spent = 0
    for number in range(4_000):
        router._places.gain = rng.uniform(0.0, 0.6)
        decision = router.route(replace(REQUEST, uri=str(number)), energy_saving=energy_saving, prices=prices(0.0))
        spent += decision.tier == "large" if number >= 1_000 else 0

    assert spent / 3_000 == pytest.approx(1 - energy_saving / 100, abs=0.1)
    assert 1 / 2.6 < router.pace.price < 2.6


def test_a_reason_is_one_sentence_with_its_numbers():
    """A decision says what it expects, what was asked for, and at which energy saving."""
    decision = learned(0.1, 0.0).route(REQUEST, energy_saving=50)

    assert decision.reason == (
        "Small model first: of 100 places like this the small one gets 20 right and the large one 10 more; "
        "energy saving 50 wants at least 30 more."
    )
    assert (decision.p_small_ok, decision.p_gain) == (0.2, 0.1)


@pytest.mark.parametrize("tier", ["small", "large"])
def test_a_fixed_router_keeps_its_tier(tier):
    """A fixed router asks its tier and shows its text from the display threshold on."""
    router = FixedRouter(tier)
    decision = router.route(REQUEST, energy_saving=50)

    assert decision.tier == tier
    assert router.review(decision, generation(logprobs=(-0.1,)), energy_saving=50).verdict == "keep"
    assert router.review(decision, generation(logprobs=(-5.0,)), energy_saving=50).verdict == "nothing"


def test_a_coin_is_seeded_and_leans_with_energy_saving():
    """The random router asks the small model in `energy_saving` percent of requests, the same ones every time."""
    tiers = [[r.route(REQUEST, energy_saving=75).tier for _ in range(400)] for r in (RandomRouter(), RandomRouter())]

    assert tiers[0] == tiers[1]
    assert 270 < tiers[0].count("small") < 330


@given(st.integers(0, 100), st.floats(-8, 0))
def test_the_cascade_escalates_less_the_more_is_saved(energy_saving, logprob):
    """For pairs without a router: what is not escalated at some saving is not escalated at a greater one."""
    router = ConfidenceRouter()
    draft = generation(logprobs=(logprob,))
    decision = router.route(REQUEST, energy_saving=max(1, energy_saving))
    verdicts = [router.review(decision, draft, energy_saving=e).verdict for e in range(max(1, energy_saving), 101)]
    escalations = [verdict == "escalate" for verdict in verdicts]

    assert escalations == sorted(escalations, reverse=True)


def test_the_cascade_begins_and_ends_like_any_router():
    """At 0 the large model answers at once; at 100 no draft is escalated; a hopeless draft never is."""
    router = ConfidenceRouter()
    first = router.route(REQUEST, energy_saving=50)

    assert router.route(REQUEST, energy_saving=0).tier == "large"
    assert router.review(first, generation(logprobs=(-1.0,)), energy_saving=50).verdict == "escalate"
    assert router.review(first, generation(logprobs=(-6.0,)), energy_saving=50).verdict == "nothing"
    assert router.review(first, generation(logprobs=(-0.01,)), energy_saving=50).verdict == "keep"
    assert {router.review(first, generation(logprobs=(-x / 10,)), energy_saving=100).verdict for x in range(60)} == {
        "keep",
        "nothing",
    }


@given(one=st.floats(-50, 0), other=st.floats(-50, 0), slope=st.floats(0.1, 3), intercept=st.floats(-3, 3))
def test_confidence_never_falls_with_log_p(one, other, slope, intercept):
    """Confidence is monotone in the summed log p, so that stopping below the threshold loses nothing."""
    low, high = sorted((one, other))
    for tier in (TierConfidence(floor=-1.0, slope=slope, intercept=intercept), BY_RULE.small):
        assert 0.0 <= tier.of(low) <= tier.of(high) <= 1.0


def test_a_calibration_comes_back_as_it_was_saved(tmp_path):
    """Saving and loading loses nothing, and the nearest calibrated point is looked up."""
    saved = calibration((0, ALWAYS, ALWAYS), (50, 0.3, 0.2), (100, NEVER, NEVER))
    saved.save(tmp_path / "calibration.json")
    found = load(tmp_path / "calibration.json")

    assert found == saved
    assert found.at(60).direct == 0.3


@pytest.mark.parametrize("text", ["", "{}", '{"version": 99}', "[1]", '{"version": 1, "points": []}'])
def test_a_damaged_calibration_is_told_in_one_sentence(tmp_path, text):
    """What is no calibration raises RouterError with the file's name."""
    (tmp_path / "calibration.json").write_text(text)

    with pytest.raises(RouterError, match=r"calibration\.json cannot be used"):
        load(tmp_path / "calibration.json")
    with pytest.raises(RouterError, match="no trained router"):
        load(tmp_path / "none.json")


def test_what_a_setting_promises_is_what_the_router_is_asked_for_there():
    """Where the gate asks the router at another setting, the promises are of that one, under the person's own."""
    kept = calibration((0, ALWAYS, ALWAYS), (50, 0.3, 0.2), (100, NEVER, NEVER))
    promised = kept.through(lambda energy_saving: 100.0 if energy_saving > 50 else 0.0)
    assert [p.energy_saving for p in promised.points] == [0, 50, 100]
    assert [p.direct for p in promised.points] == [ALWAYS, ALWAYS, NEVER]
