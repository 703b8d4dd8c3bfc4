"""The product's router from outcome tables: what it learns, writes and reads back."""

import json
import shutil

import numpy as np
import pytest

from jouline.errors import ConfigError, RouterError
from jouline.lab.policy import ends
from jouline.lab.product import (
    calibrate_router,
    calibration_error,
    pick_point,
    point_of_share,
    product_scores,
    told_chances,
)
from jouline.lab.product import train_router as train
from jouline.lab.table import as_shown, table
from jouline.lab.training import CANDIDATES, chances, export, inputs
from jouline.router.calibration import load
from jouline.router.classifier import CLASSES, OutcomeClassifier
from jouline.router.learned import open_router
from jouline.scorer import Scorer
from tests.lab.rows import FEATURES, HARD, made_up
from tests.router.test_features import TOKENIZER

WEIGHTS = {"small": "a", "large": "b"}


@pytest.fixture(scope="module")
def learnt():
    """Return the table to learn from."""
    return table(made_up(600, seed=1), "small", "large")


@pytest.fixture(scope="module")
def fresh():
    """Return the table to calibrate on."""
    return table(made_up(400, seed=2), "small", "large")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, learnt, fresh):
    """Return the folder of a trained and calibrated router."""
    found = tmp_path_factory.mktemp("router")
    train(learnt, found, pair="embedded", weights=WEIGHTS)
    calibrate_router(found, fresh)
    return found


@pytest.mark.parametrize("kind", CANDIDATES)
def test_onnx_tells_what_the_trained_classifier_tells(tmp_path, learnt, kind):
    """The exported network gives the fitted classifier's chances, in the order of the four outcomes."""
    given = inputs(learnt, -1.0)
    model = CANDIDATES[kind]().fit(given.place, learnt.classes)
    export(model, given.place.shape[1], tmp_path / "m.onnx")
    scorer = Scorer(tmp_path / "m.onnx")
    told = np.array([scorer.predict(row) for row in given.place[:50]])

    assert scorer.n_features == len(FEATURES)
    assert told == pytest.approx(chances(model, given.place[:50]), abs=1e-5)
    assert told.shape == (50, len(CLASSES))


def test_the_law_in_the_rows_is_learnt(folder, fresh):
    """Places at which mostly only the large model is right promise more gain than all others."""
    scores = product_scores(fresh, folder)
    gain = scores.before
    hard = np.array([row["features"][HARD] == 1.0 for row in fresh.rows])

    assert gain[hard].min() > gain[~hard].max()
    calibration = load(folder / "calibration.json")
    shown = as_shown(fresh, calibration.display)
    assert max(calibration_error(shown, told_chances(fresh, folder, calibration)).values()) < 0.1


def test_points_are_fixed_on_the_validation_table(folder, fresh):
    """Energy saving 0 to 100 spans always large to always small; in the middle it is better than the line."""
    calibration = load(folder / "calibration.json")
    limits = ends(as_shown(fresh, calibration.display))
    middle = calibration.at(50)

    assert calibration.at(0).cost == pytest.approx(limits.large_cost)
    assert calibration.at(100).cost == pytest.approx(limits.small_cost)
    assert middle.quality > (limits.small_quality + limits.large_quality) / 2
    assert calibration.made_from["large_natural_tokens"] == 4.0


def test_a_point_can_be_picked_by_floor_share_or_saving(folder, fresh):
    """The cheapest point that keeps the floor; the one of a share; a floor that none keeps is told."""
    calibration = load(folder / "calibration.json")
    quality = calibration.at(0).quality
    kept = pick_point(calibration, quality_floor=95)

    assert kept.quality >= 0.95 * quality
    assert kept.cost < calibration.at(0).cost
    assert pick_point(calibration, energy_saving=30).energy_saving == 30
    assert point_of_share(calibration, fresh, folder, 1.0).energy_saving == 0
    with pytest.raises(ConfigError, match="keeps 200 %"):
        pick_point(calibration, quality_floor=200)


def test_the_router_opens_with_its_own_pair_only(folder):
    """Another pair, or the same one with other weights, is refused in one sentence."""
    with pytest.raises(RouterError, match="made for the pair embedded, not other"):
        open_router(folder, tokenizer=TOKENIZER, pair="other")
    with pytest.raises(RouterError, match="other weights"):
        open_router(folder, tokenizer=TOKENIZER, pair="embedded", weights={"small": "a", "large": "c"})

    assert open_router(folder, tokenizer=TOKENIZER, pair="embedded", weights=WEIGHTS)


def test_a_router_that_asks_for_unknown_features_is_not_opened(folder, tmp_path):
    """A feature that this version does not compute is named, not made up."""
    copy = shutil.copytree(folder, tmp_path / "router")
    calibration = (copy / "calibration.json").read_text().replace(f'"{HARD}"', '"telepathy"')
    (copy / "calibration.json").write_text(calibration)

    with pytest.raises(RouterError, match="feature 'telepathy'"):
        open_router(copy, tokenizer=TOKENIZER, pair="embedded")


def test_networks_and_names_must_fit(folder):
    """A network of another width than the calibration's names is refused."""
    with pytest.raises(RouterError, match="wants 3 features"):
        OutcomeClassifier(folder / "difficulty.onnx", ("a",))


@pytest.mark.parametrize("content", [b"", b"no network"])
def test_a_damaged_network_is_told_in_one_sentence(tmp_path, content):
    """What ONNX cannot open raises RouterError with the file's name."""
    (tmp_path / "m.onnx").write_bytes(content)

    with pytest.raises(RouterError, match=r"m\.onnx cannot be opened; install Jouline again\.$"):
        Scorer(tmp_path / "m.onnx")


def test_the_card_names_pair_packages_and_points(folder):
    """The card says for which pair the router was made, from which packages, and what its points are."""
    card = (folder / "card.md").read_text()

    assert "`embedded`" in card
    assert "package-1-0" in card
    assert "| 100 |" in card


def test_nothing_is_learnt_of_an_outcome_that_never_occurs(tmp_path):
    """Too few rows are refused with what is missing."""
    rows = [row for row in made_up(40) if row["outcomes"]["small"]["quality"] == 0]

    with pytest.raises(ConfigError, match="both, only_small"):
        train(table(rows, "small", "large"), tmp_path, pair="p", weights={})


def test_a_calibration_is_plain_json(folder):
    """Nothing but finite numbers, texts and lists: any program can read it."""
    text = (folder / "calibration.json").read_text()

    assert json.loads(text, parse_constant=pytest.fail)["pair"] == "embedded"
