"""The learned gate: what it holds back and why, and how it follows a person."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import Generation
from jouline.errors import RouterError
from jouline.router.gate_features import History, draft_features, place_features
from jouline.router.gate_learned import LOG_ODDS, GateCard, GatePoint, LearnedGate, Straight, open_gate
from jouline.router.personal import Personal
from tests.router.test_gate import place

PLACE = "import os\nresult = $0\n"
POINTS = (
    GatePoint(energy_saving=0, place=0.0, draft=0.0, at_once=0.0, route=0.0),
    GatePoint(energy_saving=100, place=0.2, draft=0.4, at_once=0.6, route=100.0),
)
CARD = GateCard(
    pair="p",
    weights={"small": "a", "large": "b"},
    place_features=("word_chars",),
    draft_features=(LOG_ODDS, "draft_logprob"),
    straight=Straight(slope=1.0, intercept=0.0),
    points=POINTS,
)


class Told:
    """A classifier that says what the test wants and remembers what it was shown."""

    def __init__(self, chance: float) -> None:
        self.chance = chance
        self.rows = []

    def predict(self, row):
        self.rows.append(row.tolist())
        return np.array([1 - self.chance, self.chance], dtype=np.float32)


def gate(before: float = 0.5, after: float = 0.5, card: GateCard = CARD) -> LearnedGate:
    """Return a gate of which both stages say what they are told."""
    return LearnedGate(card=card, places=Told(before), drafts=Told(after), personal=Personal())


def draft(text: str = "compute(x)", chance: float = 0.5) -> Generation:
    """Return what a model wrote."""
    return Generation(
        text=text,
        tokens=(1, 2),
        logprob=math.log(chance),
        logprobs=(math.log(chance), 0.0),
        margins=(chance, 1.0),
        stop="line",
        prompt_tokens=3,
        prompt_evaluated=1,
        prompt_work=1.0,
        generated_tokens=2,
        prompt_ms=0.0,
        generate_ms=0.0,
    )


@given(before=st.floats(0.01, 0.99), saving=st.integers(1, 100))
def test_it_holds_back_below_its_threshold_and_says_why(before, saving):
    """A request is held back exactly where its chance is below the setting's threshold; the reason is one sentence."""
    estimate = gate(before).before(place(PLACE, energy_saving=saving))
    assert (estimate.reason is not None) == (estimate.p_accept < 0.2 * saving / 100)
    assert estimate.at_once == (estimate.p_accept >= 0.6 * saving / 100)
    assert estimate.reason is None or estimate.reason.endswith(".")


def test_energy_saving_0_neither_holds_back_nor_scores():
    """Always the large model means always: the gate is not even asked."""
    held = gate(before=0.0001, after=0.0001)
    request = place(PLACE, energy_saving=0)
    before = held.before(request)
    after = held.after(request, before, draft())
    assert (before.reason, before.p_accept, after.reason, after.p_accept) == (None, None, None, None)
    assert held._places.rows == held._drafts.rows == []


def test_the_second_stage_sees_the_first_one_s_word_and_the_draft():
    """It is given the log-odds of the first stage and the draft's figures, in the card's order."""
    both = gate(before=0.25, after=0.3)
    request = place(PLACE, energy_saving=100)
    after = both.after(request, both.before(request), draft(chance=0.5))
    assert both._drafts.rows == [[pytest.approx(math.log(1 / 3)), pytest.approx(math.log(0.5))]]
    assert "suggestions like this" in after.reason


def test_a_person_who_takes_everything_is_held_back_less():
    """Fates move both stages; each offer counts once, and one that the gate never saw does not count."""
    keen = gate(before=0.1)
    request = place(PLACE, energy_saving=100)
    first = keen.before(request).p_accept
    for number in range(30):
        keen.offered(str(number), "python", 0.5)
        keen.judged(str(number), taken=True)
        keen.judged(str(number), taken=False)
        keen.judged("unheard of", taken=False)
    assert keen.before(request).p_accept > first
    assert keen.personal.outcomes == 30
    keen.forget()
    assert keen.before(request).p_accept == pytest.approx(first)


@given(saving=st.floats(0, 100))
def test_thresholds_lie_on_straight_lines_between_the_calibrated_ones(saving):
    """Every setting of the slider has its own thresholds."""
    point = CARD.at(saving)
    assert point.place == pytest.approx(0.002 * saving)
    assert point.route == pytest.approx(saving)


@given(
    ends=st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=5),
    savings=st.lists(st.integers(0, 100), min_size=5, max_size=5, unique=True),
    asked=st.floats(-5, 105),
)
def test_a_point_is_what_numpy_draws_between_its_neighbours(ends, savings, asked):
    """Thresholds between calibrated ones, and beyond the outermost, are those of `numpy.interp`."""
    savings = sorted(savings)[: len(ends)]
    points = [
        GatePoint(energy_saving=saving, place=place, draft=draft, at_once=at_once, route=route)
        for saving, (place, draft, at_once, route) in zip(savings, ends, strict=True)
    ]
    found = dataclasses.replace(CARD, points=tuple(points)).at(asked)
    for name in ("place", "draft", "at_once", "route"):
        wanted = np.interp(asked, savings, [getattr(point, name) for point in points])
        assert getattr(found, name) == pytest.approx(float(wanted), rel=1e-12, abs=1e-12)


@given(text=st.text(max_size=80), data=st.data())
def test_features_have_the_same_names_everywhere(text, data):
    """Any text and cursor gives the same finite numbers' names in the same order; history adds none."""
    offset = data.draw(st.integers(0, len(text)))
    history = History()
    request = dataclasses.replace(place("$0"), text=text, offset=offset, last_gap_ms=3.0, usual_gap_ms=200.0)
    blank = place_features(request, history)
    history.tried(request, draft(), offered=True)
    history.judged(taken=True)
    again = place_features(request, history)
    assert list(blank) == list(again) == list(place_features(place(PLACE), History()))
    assert all(math.isfinite(value) for value in [*again.values(), *draft_features(draft()).values()])
    assert (blank["tried"], again["tried"]) == (0.0, 1.0)


def test_what_is_typed_along_a_broken_off_draft_is_noticed():
    """The last attempt on the line counts as agreeing as long as the typing follows it, and not on another line."""
    history = History()
    history.tried(place("import os\nresult = $0\n"), draft("compute"), offered=False)

    def agrees(fixture: str) -> float:
        return place_features(place(fixture), history)["agrees"]

    assert agrees("import os\nresult = com$0\n") == 1.0
    assert agrees("import os\nresult = con$0\n") == -1.0
    assert agrees("import os\nresult = com\n$0") == 0.0


@pytest.mark.parametrize("damage", ["", "{}", '{"version": 99}', "[1]"])
def test_a_damaged_gate_is_one_sentence(tmp_path, damage):
    """A gate that cannot be used says in one sentence what to do."""
    (tmp_path / "gate.json").write_text(damage)
    with pytest.raises(RouterError, match="install Jouline again"):
        open_gate(tmp_path, weights={}, personal=Personal())


def test_a_gate_of_other_weights_is_not_used(tmp_path):
    """The same pair trained anew is another pair: its gate is trained anew too."""
    CARD.save(tmp_path / "gate.json")
    assert json.loads((tmp_path / "gate.json").read_text())["weights"] == {"small": "a", "large": "b"}
    with pytest.raises(RouterError, match="scripts/train_gate"):
        open_gate(tmp_path, weights={"small": "a", "large": "c"}, personal=Personal())
