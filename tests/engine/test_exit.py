"""The exit rule: its table, its file, the kinds of tokens."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.engine.exit import EDGES, SIGNALS, ExitAgent, ExitPoint, ExitRule, Signals, kind_of, load_agent
from jouline.errors import EngineError

WEIGHTS = {"small": "a" * 64, "large": "b" * 64}
SIGNAL = st.builds(
    Signals,
    lead=st.floats(0, 20),
    logprob=st.floats(-40, 0),
    decoded=st.integers(0, 60),
    behind=st.integers(0, 60),
    lookup=st.integers(-1, 1),
    last=st.integers(0, 2),
    spelling=st.integers(0, 1),
    kind=st.integers(0, 10),
)


def tables(seed: float = 0.5) -> dict[str, tuple[float, ...]]:
    """Return a weight for every bin, all different."""
    return {
        name: tuple(seed * (index + 1) * (-1) ** place for place in range(len(EDGES[name]) + 1))
        for index, name in enumerate(SIGNALS)
    }


@given(signals=SIGNAL, bias=st.floats(-3, 3))
def test_the_rule_is_the_sum_of_its_bins(signals, bias):
    """It exits where bias and the weights of the signals' bins are more than nothing, found by counting edges."""
    weights = tables()
    score = bias + sum(weights[name][sum(getattr(signals, name) >= edge for edge in EDGES[name])] for name in SIGNALS)
    assert ExitRule(ExitPoint(energy_saving=50, bias=bias, weights=weights)).exits(signals) == (score > 0)


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (b"", 0), (b":\n", 1), (b"    ", 2), (b"name", 3), (b" name", 4), (b"_x", 3), ("é".encode(), 3), (b" 1", 5),
        (b"(", 6), (b"),", 7), (b' "', 8), (b".", 9), (b" =", 10),
    ],
)  # fmt: skip
def test_kinds_of_tokens(piece, kind):
    """Each has its own bin."""
    assert kind_of(piece) == kind
    assert len(EDGES["kind"]) == 10


def agent() -> ExitAgent:
    """Return an agent of two points."""
    points = tuple(ExitPoint(energy_saving=saving, bias=0.1 * saving, weights=tables()) for saving in (25, 75))
    return ExitAgent(weights=WEIGHTS, points=points, made_from={"places": 1})


def test_an_agent_comes_back_from_its_file(tmp_path):
    """What was saved is loaded; an energy saving has the point below it, none below the first."""
    agent().save(tmp_path / "exit.json")
    loaded = load_agent(tmp_path / "exit.json", WEIGHTS)
    assert [loaded.at(saving) is not None for saving in (0, 24, 25, 74, 75, 100)] == [False, False, *[True] * 4]
    assert (loaded.at(74)._bias, loaded.at(75)._bias) == (2.5, 7.5)
    assert load_agent(tmp_path / "none.json", WEIGHTS) is None


def test_an_agent_for_other_weights_is_refused(tmp_path):
    """The pair trained anew is another pair."""
    agent().save(tmp_path / "exit.json")
    with pytest.raises(EngineError, match="made for other weights; `scripts/train_exit` makes another"):
        load_agent(tmp_path / "exit.json", WEIGHTS | {"large": "c" * 64})


@pytest.mark.parametrize("harm", ["{", "{}", "version", "table"])
def test_a_damaged_agent_is_one_sentence(tmp_path, harm):
    """It says which file, and what to do."""
    data = dataclasses.asdict(agent())
    if harm == "version":
        data["version"] = 99
    if harm == "table":
        data["points"][0]["weights"]["lead"] = [1.0]
    (tmp_path / "exit.json").write_text(harm if harm.startswith("{") else json.dumps(data))
    with pytest.raises(EngineError, match=r"exit\.json cannot be used .*; `scripts/train_exit` makes another\."):
        load_agent(tmp_path / "exit.json", WEIGHTS)
