"""The figures of the goals, what bounds them, and what features are worth: each from tables and a router's folder."""

import json
import math

import pytest

from jouline.lab import ablation, evidence, worth
from jouline.lab.outcomes import write
from jouline.lab.product import calibrate_router, train_router
from jouline.lab.table import table
from tests.lab.rows import HARD, NOISE, made_up


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder of tables of different packages, and the folder of the router made from them."""
    tables = tmp_path_factory.mktemp("tables")
    rows = {part: made_up(300, seed=seed) for seed, part in enumerate(("train", "validate", "test"))}
    for part, found in rows.items():
        write(tables / f"{part}.jsonl.gz", found)
    train_router(table(rows["train"], "small", "large"), tables / "router", pair="p", weights={})
    calibrate_router(tables / "router", table(rows["validate"], "small", "large"))
    return tables


def test_a_router_that_learned_the_law_is_worth_something(made, capsys):
    """It recovers more of the gap than a coin, saves at parity, and its own cost is told."""
    assert worth.main([str(made), str(made / "router"), "--resamples", "50", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert found["places"] == 300
    for kind in ("exact", "shown"):
        assert found[kind]["cost_apgr"]["value"] > 0.6
        assert found[kind]["above"]["random"]["cost_apgr"] > 0
    natural = found["shown"]["saving_at_parity_vs_always_large_percent"]["value"]
    assert natural >= found["shown"]["saving_at_parity_percent"]["value"]  # stopping early saves on top
    assert found["router"]["look_ms_mean"] > 0
    assert max(found["calibration_error"].values()) < 0.15
    assert "| cost_apgr above place |" in worth.as_lines(found)


def test_evidence_is_paid_for(made, capsys):
    """The oracle is best; a draft that costs as much as it does here is not worth it."""
    assert evidence.main([str(made), str(made / "router")]) == 0
    rows = {line.split(" | ")[0]: line.split(" | ")[-1] for line in capsys.readouterr().out.splitlines()[2:]}
    values = {label.strip("| "): float(cell.strip(" |")) for label, cell in rows.items()}

    assert max(values, key=values.__getitem__) == "oracle"
    assert values["place, small model's draft"] < values["oracle"]
    assert all(math.isfinite(value) for value in values.values())


def test_without_what_the_law_is_in_the_loss_rises(made, capsys, monkeypatch):
    """Without the feature of hard places more is lost than without the one of noise."""
    monkeypatch.setattr(ablation, "GROUPS", {"hard": (HARD,), "noise": (NOISE,)})
    assert ablation.main([str(made), str(made / "router")]) == 0
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    loss = {label: float(cells[1]) for label, *cells in lines}

    assert loss["less hard"] > loss["less noise"]
    assert loss["less hard"] > loss["all"]


@pytest.mark.parametrize("module", [worth, evidence, ablation])
def test_a_folder_without_a_router_is_told(module, made, tmp_path, capsys):
    """One sentence, exit 1."""
    assert module.main([str(made), str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("jouline: ")
