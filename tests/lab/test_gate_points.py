"""Gate and router chosen together from replays of their combinations."""

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.cli import opening
from jouline.cli.main import main
from jouline.errors import ConfigError
from jouline.lab.gate_points import ROUTES, Combination, between, choose, combinations, name, routed, with_points
from jouline.lab.gate_training import SAVINGS
from jouline.router.gate_learned import GateCard, GatePoint, LearnedGate, OpenGate, Straight
from jouline.router.personal import Personal
from tests.cli.test_replay import CODE, OpenedApp
from tests.replay.fakes import right

CARD = GateCard(
    pair="embedded",
    weights={},
    place_features=(),
    draft_features=(),
    straight=Straight(slope=1.0, intercept=0.0),
    points=tuple(GatePoint(energy_saving=s, place=s / 1e3, draft=s / 2e3, at_once=s / 5e2, route=s) for s in SAVINGS),
)


def measured(saved, cost):
    """Return every combination with what functions of gate and route say of it."""
    return [
        Combination(gate=gate, route=route, saved=saved(gate, route), cpu_seconds=cost(gate, route))
        for gate in SAVINGS
        for route in ROUTES
    ]


TABLES = st.lists(st.tuples(st.floats(0, 100), st.floats(1, 100)), min_size=30, max_size=30).map(
    lambda cells: [
        Combination(gate=gate, route=route, saved=saved, cpu_seconds=cost)
        for (gate, route), (saved, cost) in zip([(g, r) for g in SAVINGS for r in ROUTES], cells, strict=True)
    ]
)


def budget(found, saving):
    """Return what may be spent at an energy saving."""
    full, least = found[0].cpu_seconds, min(one.cpu_seconds for one in found)
    return full + saving / 100 * (least - full)


@given(found=TABLES)
def test_the_cost_falls_evenly_and_nothing_becomes_more_lenient(found):
    """Each choice is within its budget, or the cheapest that is left; neither gate nor router ever goes back."""
    chosen = choose(found)
    assert (chosen[0.0].gate, chosen[0.0].route) == (0.0, 0.0)
    for last, one in itertools.pairwise(SAVINGS):
        left = [each for each in found if each.gate >= chosen[last].gate and each.route >= chosen[last].route]
        assert chosen[one] in left
        cheapest = min(each.cpu_seconds for each in left)
        assert chosen[one].cpu_seconds <= max(budget(found, one), cheapest)


@given(found=TABLES)
def test_nothing_that_may_be_spent_would_keep_more(found):
    """Of all that 25 may spend, what was chosen for it keeps most keystrokes."""
    kept = [one.saved for one in found if one.cpu_seconds <= budget(found, 25.0)]
    assert choose(found)[25.0].saved == max(kept, default=choose(found)[25.0].saved)


def test_the_way_that_costs_fewer_keystrokes_is_taken_first():
    """Where a strict gate keeps what a small model loses, the gate is strict and the router stays with the large."""
    chosen = choose(measured(lambda _, route: 100 - route, lambda gate, route: 100 - gate / 2 - route / 2))
    assert (chosen[50.0].gate, chosen[50.0].route) == (100.0, 0.0)


@given(found=TABLES)
def test_between_those_tried_are_straight_lines(found):
    """Those tried stand in the finer table as they are, and none of a gate's steps is outside its neighbours."""
    finer = {(one.gate, one.route): one for one in between(found)}
    assert len(finer) == 105
    for one in found:
        assert finer[one.gate, one.route].saved == pytest.approx(one.saved)
        assert finer[one.gate, one.route].cpu_seconds == pytest.approx(one.cpu_seconds)
    low, high = sorted(one.saved for one in found if one.gate == 0 and one.route in {25, 50})
    assert low - 1e-9 <= finer[0.0, 40.0].saved <= high + 1e-9


def test_cells_are_added_up_where_all_combinations_were_typed():
    """A file that one combination lacks counts for none."""
    rows = [
        {
            "variant": name(gate, route),
            "file": file,
            "seed": 0,
            "keystrokes": 60,
            "keystrokes_unaided": 100,
            "cpu_seconds": 2.0,
        }
        for gate in SAVINGS
        for route in ROUTES
        for file in ("a", "b", "c")
    ]
    found = combinations(rows[:-1])
    assert {(one.saved, one.cpu_seconds) for one in found} == {(80, 4.0)}
    with pytest.raises(ConfigError, match="files with code"):
        combinations(rows[:5])


def test_points_carry_the_chosen_gates_thresholds():
    """The thresholds are those of the chosen gate, the route that of the chosen router, at the person's saving."""
    chosen = choose(measured(lambda _, route: 100 - route, lambda gate, route: 100 - gate / 2 - route / 2))
    point = with_points(CARD, chosen).at(50)
    assert point == GatePoint(energy_saving=50, place=0.1, draft=0.05, at_once=0.2, route=0.0)
    assert {point.route for point in routed(CARD, 25.0).points} == {25.0}


@pytest.fixture
def typing(monkeypatch, tmp_path):
    """Return a function that runs the command on a file of code, with a scripted app that has this gate."""
    monkeypatch.setenv("JOULINE_HOME", str(tmp_path / "home"))
    (tmp_path / "read.py").write_text(CODE)

    def run(gate):
        app = OpenedApp(right(CODE, chars=30))
        app.gate, app.forget = gate, lambda: None
        monkeypatch.setattr(opening, "open_app", lambda *_, **__: app)
        runs = tmp_path / "runs.jsonl"
        return main(["lab", "gate", "points", str(tmp_path / "read.py"), "--out", str(tmp_path), "--runs", str(runs)])

    return run


def trained(card=CARD):
    """Return a gate whose classifiers nobody asks."""
    return LearnedGate(card=card, places=None, drafts=None, personal=Personal())


def test_the_command_types_all_combinations_and_writes_the_points(typing, tmp_path, capsys):
    """Thirty cells, a card with five points; what was typed is kept, so that the same is not typed again."""
    assert typing(trained()) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["combinations"]) == len((tmp_path / "runs.jsonl").read_text().splitlines()) == 30
    assert [point["energy_saving"] for point in json.loads((tmp_path / "gate.json").read_text())["points"]] == [
        0.0, 25.0, 50.0, 75.0, 100.0,
    ]  # fmt: skip
    assert typing(trained()) == 0
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 30


def test_points_are_chosen_once_and_need_a_gate(typing, capsys):
    """Points chosen already are no gates to combine: one sentence says what to do; so it does without a gate."""
    assert typing(trained(replace(CARD, made_from={"points_chosen_together": True}))) == 1
    assert "train it anew" in capsys.readouterr().err
    assert typing(OpenGate()) == 1
    assert "There is no gate" in capsys.readouterr().err
