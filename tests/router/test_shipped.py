"""The router that ships: for the pair that ships, small, and quick enough."""

import pytest

from jouline.catalogue.card import load_catalogue
from jouline.completion import CompletionRequest
from jouline.router.learned import open_router
from tests.router.test_draft import generation

CODE = "import os\n\n\ndef area(width, height):\n    total = width * height\n    return "
REQUEST = CompletionRequest(uri="", language="python", text=CODE, offset=len(CODE))
CARD = load_catalogue().pair()


@pytest.fixture(scope="module")
def router():
    """Return the shipped router, opened for the shipped weights."""
    assert CARD.router is not None
    assert CARD.tokenizer is not None
    weights = {"small": CARD.small.sha256, "large": CARD.large.sha256}
    return open_router(CARD.router, tokenizer=CARD.tokenizer, pair=CARD.id, weights=weights)


def test_its_chances_are_probabilities(router):
    """What it tells before and after the draft lies between 0 and 1."""
    decision = router.route(REQUEST, energy_saving=50)
    review = router.review(decision, generation("total", (-0.2, -0.1)), energy_saving=50)

    assert 0 <= decision.p_small_ok <= 1
    assert 0 <= decision.p_gain <= 1
    assert 0 <= review.confidence <= 1


def test_expected_cost_falls_from_one_end_to_the_other(router):
    """More energy saving never costs more, on the packages that it was calibrated on."""
    points = router.calibration.points
    costs = [point.cost for point in points]
    steps = range(0, 101, 10)

    assert [point.energy_saving for point in points] == list(range(101))
    assert [costs[at] for at in steps] == sorted((costs[at] for at in steps), reverse=True)


def test_it_was_not_trained_or_calibrated_on_the_test_packages(router):
    """Neither the packages it learnt from nor those that fixed its points are among those that judge it."""
    made = router.calibration.made_from
    used = {*made["train"]["packages"], *made["validate"]["packages"]}

    assert not set(made["train"]["packages"]) & set(made["validate"]["packages"])
    assert not used & {"attrs", "click", "flask", "httpx", "requests"}


def test_its_files_are_small():
    """Both networks together stay within a megabyte."""
    assert sum(path.stat().st_size for path in CARD.router.glob("*.onnx")) < 1_000_000
