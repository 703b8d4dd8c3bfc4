"""`jouline calibrate`: a pair's own router from a user's code; end to end with the shipped pair on a small budget."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import jouline.lab.fit_pair
from jouline.catalogue.card import load_catalogue
from jouline.cli.main import main
from jouline.config import Folders
from jouline.errors import ConfigError
from jouline.lab import calibrate
from jouline.lab.product import mean_costs
from jouline.lab.table import as_shown, table
from jouline.router.calibration import load
from jouline.router.learned import open_router
from jouline.steering import own_folder, router_folder, steer, tokenizer
from tests.lab.rows import made_up

pytestmark = pytest.mark.slow

CODE = Path(calibrate.__file__).parent
CARD = load_catalogue().pair()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return folders of their own, which commands find too."""
    monkeypatch.setenv("JOULINE_HOME", str(tmp_path / "home"))
    return Folders.find()


def whole(rows=300):
    """Return made-up outcomes at made-up places, described by the features that the shipped router knows."""
    names = load(CARD.router / "calibration.json").place_features
    described = [row | {"features": dict.fromkeys(names, 0.0) | row["features"]} for row in made_up(rows)]
    return table(described, "small", "large")


@pytest.mark.model
def test_a_pair_is_calibrated_to_a_users_code(folders, capsys, monkeypatch):
    """The command keeps a router of the pair's own beside the shipped one, which stays; reset goes back to that."""
    shipped = {path.name: path.read_bytes() for path in CARD.router.iterdir()}
    monkeypatch.chdir(CODE)
    assert main(["calibrate", "parses.py", "places.py", "--places", "60", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert told["pair"] == CARD.id
    assert told["places"] >= calibrate.LEAST_PLACES
    assert [point["energy_saving"] for point in told["points"]] == [0, 25, 50, 75, 100]
    assert {path.name: path.read_bytes() for path in CARD.router.iterdir()} == shipped
    assert router_folder(folders, CARD)[0] == own_folder(folders, CARD)
    assert (folders.data / "costs.json").exists()
    assert not list(folders.cache.glob("calibrate-*"))  # no source text stays behind

    assert main(["router", "show"]) == 0
    assert "your own calibration" in capsys.readouterr().out
    assert main(["router", "reset", "--calibration"]) == 0
    assert router_folder(folders, CARD)[0] == CARD.router


@pytest.mark.model
def test_what_was_done_when_it_was_stopped_is_not_done_again(folders, capsys, monkeypatch):
    """A stopped calibration exits 1 with one sentence, and the same command goes on from the places it had."""
    command = ["calibrate", str(CODE / "parses.py"), str(CODE / "places.py"), "--places", "60", "--json"]
    monkeypatch.setattr(calibrate.Collector, "collect", stop_after(calibrate.Collector.collect, pieces=2))
    assert main(command) == 1
    assert "the same command goes on" in capsys.readouterr().err
    (kept,) = folders.cache.glob("calibrate-*")
    size = kept.stat().st_size
    assert size > 0

    monkeypatch.undo()
    monkeypatch.setenv("JOULINE_HOME", str(folders.data.parent))
    asked = []
    generate = calibrate.Priced.generate
    monkeypatch.setattr(calibrate.Priced, "generate", lambda *given: asked.append(given) or generate(*given))
    assert main(command) == 0
    places = json.loads(capsys.readouterr().out)["places"]
    assert len(asked) < 4 * places  # three passes a place, and what brings a line up to date


def stop_after(collect, *, pieces):
    """Return a collection that is interrupted from the keyboard after so many pieces."""

    def interrupted(self, drawn, out, *, tell):
        def some():
            for count, piece in enumerate(drawn):
                if count == pieces:
                    raise KeyboardInterrupt
                yield piece

        return collect(self, some(), out, tell=tell)

    return interrupted


def test_any_pair_is_calibrated(folders):
    """A pair that no card names gets a router of its own, which opens for it alone; points span the two ends."""
    other = replace(CARD, id="tiny+big", router=None, tokenizer=None)
    assert "jouline calibrate" in steer(folders, other, keep=True).problems[0]
    outcomes = whole()
    made = calibrate.fitted(outcomes, other)
    folder = calibrate.keep(made, folders, other)
    calibrate.keep(made, folders, other)  # once more, over what is there

    assert steer(folders, other, keep=True).problems == ()
    assert open_router(folder, tokenizer=tokenizer(other), pair="tiny+big")
    costs = mean_costs(as_shown(outcomes, made.display))
    assert made.at(0).cost == pytest.approx(costs.large)
    assert made.at(100).cost == pytest.approx(costs.small)
    falling = [made.at(wanted).cost for wanted in (0, 25, 50, 75, 100)]
    assert falling == sorted(falling, reverse=True)
    assert list(own_folder(folders, other).parent.glob(".fresh*")) == []


def test_few_places_hardly_move_what_is_believed():
    """Forty places move a tier's display threshold little, thousands as far as they say."""
    believed = load(CARD.router / "calibration.json").display.small
    rng = np.random.default_rng(0)

    def moved(count):
        logprobs = -rng.exponential(2.0, count)
        right = (rng.random(count) < 1 / (1 + np.exp(-(0.5 * logprobs - 1.0)))).astype(float)
        return abs(calibrate.fitting.confidence(logprobs, right, believed).slope - believed.slope)

    assert moved(10) < moved(20_000)


def test_too_little_code_is_told(folders, tmp_path):
    """Too few places say how many there are and how many are needed."""
    (tmp_path / "a.py").write_text("value = compute(first, second)\n")

    with pytest.raises(ConfigError, match=r"There are 3 places .* at least 40 are needed"):
        calibrate.planned([tmp_path], folders, CARD, places=400, seed=0)


def test_too_little_time_is_told_and_nothing_lost(folders):
    """Where the time is over before the fewest places are done, the sentence says how to go on."""
    chosen = calibrate.planned([CODE], folders, CARD, places=60, seed=0)

    with pytest.raises(ConfigError, match="give more with --minutes"):
        calibrate.collect(chosen, None, extractor=None, meters=None, limit_s=0.0, tell=print, now=lambda: 0.0)


def test_on_battery_nothing_is_calibrated_unless_asked(folders, capsys, monkeypatch):
    """On battery the command says what to do and does nothing."""
    opened = jouline.lab.fit_pair.open_meters

    class OnBattery:
        def __init__(self):
            self.meters = opened()
            self.power = "battery"

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.meters.close()

    monkeypatch.setattr(jouline.lab.fit_pair, "open_meters", OnBattery)
    assert main(["calibrate", str(CODE)]) == 1
    assert "--on-battery" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_told(folders, capsys):
    """One sentence, exit 1."""
    assert main(["calibrate", "no-such-folder"]) == 1
    assert "There is no no-such-folder" in capsys.readouterr().err
