"""Evaluation: the contract's report on rows whose law is known, and every command of the bench."""

import json

import pytest

from jouline.cli.main import main
from jouline.lab.evaluate import evaluate_tables
from jouline.lab.outcomes import write
from jouline.lab.report import as_text
from tests.lab.rows import made_up

pytestmark = pytest.mark.slow

FIELDS = {
    "auc", "apgr", "cost_apgr", "cpt50", "cpt80", "aiq", "saving_at_parity_percent", "saving_vs_interpolated_percent",
    "saving_vs_interpolated_of_random_percent", "quality_at_half_cost", "oracle_gap_closed_percent", "route_ms_p95",
    "ci95", "curve",
}  # fmt: skip
ROUTERS = "random,threshold,logistic,place,classifier,cascade"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return a folder with three tables that share no package."""
    folder = tmp_path_factory.mktemp("tables")
    for seed, part in enumerate(("train", "validate", "test")):
        write(folder / f"{part}.jsonl.gz", made_up(600, seed=seed, groups=8))
    return folder


@pytest.fixture(scope="module")
def report(tables):
    """Return the evaluation of all routers."""
    paths = {part: [tables / f"{part}.jsonl.gz"] for part in ("train", "validate", "test")}
    return evaluate_tables(**paths, models=("small", "large"), routers=ROUTERS.split(","), times=200)


def test_every_router_has_the_fields_of_the_contract(report):
    """All fields are there for each router, the fixed policies and the oracle are always among them."""
    found = report["routers"]

    assert {"always-small", "always-large", "always-large-lossless", "random", "oracle"} <= found.keys()
    for name in (*ROUTERS.split(","), "oracle"):
        assert found[name].keys() >= FIELDS
        assert len(found[name]["curve"]) == 101
    json.dumps(report, allow_nan=False)


def test_routers_stand_in_the_order_of_what_they_know(report):
    """A coin is on the line, who knows the place is above it, who knows all is above that."""
    area = {name: report["routers"][name]["cost_apgr"] for name in ("random", "place", "oracle")}

    assert area["random"] == pytest.approx(0.5, abs=0.1)
    assert area["place"] > 0.65
    assert area["oracle"] > area["place"]
    assert report["routers"]["oracle"]["oracle_gap_closed_percent"] == 100.0


def test_a_router_that_knows_the_place_saves_at_parity(report):
    """At the point fixed on the validation table quality is kept on the test table, for less."""
    place = report["routers"]["place"]

    assert place["parity_shown"]
    assert place["saving_at_parity_percent"] > 5
    assert place["saving_vs_interpolated_percent"] > 10


def test_intervals_hold_their_values(report):
    """A value lies in its own interval."""
    for name in ("place", "classifier"):
        for metric, (low, high) in report["routers"][name]["ci95"].items():
            value = report["routers"][name].get(metric)
            if value is not None and low is not None:
                assert low - 1e-9 <= value <= high + 1e-9


def test_the_report_reads_as_markdown(report):
    """Every policy and router has its rows."""
    text = as_text(report)

    for name in ("always-small", "always-large", "random", "oracle", "classifier"):
        assert f"| {name} |" in text


def test_every_command_of_the_bench_runs(tables, tmp_path, capsys):
    """Train, calibrate and evaluate work one after the other from the command line; JSON is all of stdout."""
    router = tmp_path / "router"
    parts = {part: str(tables / f"{part}.jsonl.gz") for part in ("train", "validate", "test")}
    assert main(["lab", "train", "--outcomes", parts["train"], "--router", "classifier", "--out", str(router)]) == 0
    assert main(["lab", "calibrate", "--router", str(router), "--outcomes", parts["validate"]]) == 0
    capsys.readouterr()
    options = ["--train", parts["train"], "--test", parts["test"], "--routers", "cascade", "--router", str(router)]
    assert main(["lab", "evaluate", *options, "--quality", "shown", "--resamples", "50", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)

    assert {"cascade", "shipped", "always-large"} <= report["routers"].keys()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["evaluate", "--train", "none.jsonl", "--test", "none.jsonl"], "There is no outcome table"),
        (["evaluate", "--train", "{train}", "--test", "{train}"], "shares groups"),
        (["evaluate", "--train", "{train}", "--test", "{test}", "--routers", "tarot"], "There is no router 'tarot'"),
        (["evaluate", "--train", "{train}", "--test", "{test}", "--small", "x"], "no outcome of x"),
        (["collect", "none", "--models", "small,large", "--out", "t.jsonl"], "There is no none"),
        (["collect", ".", "--models", "a,b", "--out", "t.jsonl"], "no model called 'a'"),
        (["collect", ".", "--models", "small,small", "--out", "t.jsonl"], "named twice"),
        (["collect", ".", "--models", "none.gguf,small", "--out", "t.jsonl"], "none.gguf"),
        (["collect", ".", "--models", "small,large", "--out", "t.parquet"], "cannot grow"),
        (["calibrate", "--router", "none", "--outcomes", "{train}"], "no trained router"),
    ],
)
def test_bad_input_is_told_in_one_sentence(tables, capsys, arguments, told):
    """What cannot be done ends with status 1 and one sentence, nothing on stdout."""
    paths = {part: str(tables / f"{part}.jsonl.gz") for part in ("train", "test")}
    status = main(["lab", *(argument.format(**paths) for argument in arguments)])
    out, err = capsys.readouterr()

    assert (status, out) == (1, "")
    assert told in err
    assert err.startswith("jouline: ")
    assert len(err.strip().splitlines()) == 1
