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
from jouline.lab.gate_points import KEPT, ROUTES, Combination, choose, combinations, name, routed, with_points
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


@given(found=TABLES)
def test_every_saving_keeps_its_share_and_is_no_more_lenient_than_the_one_before(found):
    """Between the ends each choice keeps its keystrokes, or stays where the last one was; it never goes back."""
    chosen = choose(found)
    most = chosen[0.0].saved
    assert (chosen[0.0].route, chosen[100.0].gate, chosen[100.0].route) == (0.0, 100.0, 100.0)
    for last, one in itertools.pairwise(SAVINGS):
        assert chosen[one].gate >= chosen[last].gate
        assert chosen[one].route >= chosen[last].route
        if one in KEPT:
            assert chosen[one].saved >= KEPT[one] * most or chosen[one] == chosen[last]


@given(found=TABLES)
def test_no_cheaper_combination_would_have_done(found):
    """Whatever keeps the share of 25 costs at least as much as what was chosen for 25, unless nothing keeps it."""
    chosen = choose(found)
    if chosen[25.0] != chosen[0.0]:
        kept = [one.cpu_seconds for one in found if one.saved >= KEPT[25.0] * chosen[0.0].saved]
        assert chosen[25.0].cpu_seconds == min(kept)


def test_the_cheap_way_to_save_is_taken_first():
    """Where a strict gate keeps what a small model loses, the gate is strict and the router stays with the large."""
    found = measured(lambda _, route: 100 - route, lambda gate, route: 100 - gate / 2 - route / 10)
    chosen = choose(found)
    assert (chosen[50.0].gate, chosen[50.0].route) == (100.0, 0.0)


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
    chosen = choose(measured(lambda _, route: 100 - route, lambda gate, route: 100 - gate / 2 - route / 10))
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
