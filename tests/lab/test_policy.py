"""Policies: what choices cost and yield, and operating points that keep to their budget."""

import numpy as np
import pytest

from jouline.lab.policy import ESCALATE, LARGE, SMALL, Scores, choose, cost, ends, fit, quality
from jouline.lab.table import as_shown, table
from jouline.router.calibration import Display, OperatingPoint, TierConfidence
from tests.lab.rows import made_up

ROWS = table(made_up(400), "small", "large")
GAIN = ROWS.large_quality - ROWS.small_quality


def scores(*, before=None, after=None):
    """Return scores of which one may be missing."""
    return Scores(before=before, after=after)


def test_choices_cost_what_was_run():
    """Escalating pays the draft and what the large model costs after it; the answer is the large model's."""
    choices = np.resize([SMALL, LARGE, ESCALATE], len(ROWS))

    assert cost(ROWS, choices)[:3].tolist() == [1.0, 2.0, 2.5]
    assert quality(ROWS, choices)[:3].tolist() == [
        ROWS.small_quality[0],
        ROWS.large_quality[1],
        ROWS.large_quality[2],
    ]


def test_the_place_decides_before_the_draft():
    """A row that goes to the large model at once is not drafted."""
    point = OperatingPoint(energy_saving=50, direct=0.5, escalate=0.2)
    found = choose(scores(before=np.array([0.6, 0.4, 0.4]), after=np.array([0.9, 0.3, 0.1])), point, 3)

    assert found.tolist() == [LARGE, ESCALATE, SMALL]


@pytest.mark.parametrize(
    "given",
    [
        scores(before=GAIN + np.linspace(0, 1e-3, len(GAIN))),
        scores(after=GAIN + np.linspace(0, 1e-3, len(GAIN))),
        scores(before=np.linspace(0, 1, len(GAIN)), after=GAIN + np.linspace(0, 1e-3, len(GAIN))),
    ],
    ids=["place", "draft", "both"],
)
def test_costs_fall_evenly_between_the_ends(given):
    """Energy saving 0 is always large, 100 always small; between them no point is over its even share of the cost."""
    points = fit(ROWS, given)
    limits = ends(ROWS)
    budget = np.linspace(limits.large_cost, limits.small_cost, 101)

    assert [point.energy_saving for point in points] == list(range(101))
    assert points[0].cost == pytest.approx(limits.large_cost)
    assert points[100].cost == pytest.approx(limits.small_cost)
    assert all(point.cost <= even + 1e-9 for point, even in zip(points, budget, strict=True))


def test_knowing_the_gain_beats_the_line():
    """A router that knows every gain is as good as always large at a fraction of the cost."""
    points = fit(ROWS, scores(before=GAIN + np.linspace(0, 1e-3, len(GAIN))))

    assert points[60].quality >= ends(ROWS).large_quality


def test_what_is_not_shown_is_not_right_and_costs_less():
    """Below the display threshold nothing counts, and decoding stops at the token that falls below it."""
    display = Display(small=TierConfidence(floor=-1e-6), large=TierConfidence(floor=-99.0))
    seen = as_shown(ROWS, display)

    assert seen.small_quality.sum() == 0
    assert seen.small_cost == pytest.approx(np.full(len(ROWS), 1 - 0.75 * 3 / 4))  # one of four tokens
    assert seen.large_quality.tolist() == ROWS.large_quality.tolist()
    assert seen.large_cost.tolist() == ROWS.large_cost.tolist()
