"""Tables of other makers: rows with a text, two outcomes and nothing else are enough to evaluate routers."""

import json
from pathlib import Path

import numpy as np
import pytest

from jouline.cli.main import main
from jouline.lab.described import describe, shared_features
from jouline.lab.evaluate import evaluate_tables
from jouline.lab.judge import FIELDS, MEASURES
from jouline.lab.outcomes import read, write
from jouline.lab.report import as_text
from jouline.lab.table import table
from tests.lab.rows import made_up

pytestmark = pytest.mark.slow

TABLES = Path(__file__).parent / "tables"
PAIR = ("mixtral-8x7b", "gpt-4-1106")
MODELS = ["--small", PAIR[0], "--large", PAIR[1]]
NINE = ["--small", "qwen2.5-7b-instruct", "--large", "gemma-2-9b-it"]


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Return the paths of two tables, each with every other row of the same public one."""
    rows, folder = read(TABLES / "routellm-gsm8k.jsonl"), tmp_path_factory.mktemp("halves")
    for start, name in enumerate(("train", "test")):
        write(folder / f"{name}.jsonl", rows[start::2])
    return [str(folder / "train.jsonl"), str(folder / "test.jsonl")]


def evaluated(train, test, *options):
    """Return the exit status of an evaluation with few resamples."""
    return main(["lab", "evaluate", "--train", train, "--test", test, "--resamples", "10", "--json", *options])


def lettered(count, seed):
    """Return rows that tell in one word of their text which model is right, and nothing more than they must."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        hard = bool(rng.random() < 0.5)
        rows.append(
            {
                "query_id": f"{seed}/{number}",
                "task": "any",
                "text": f"{'prove' if hard else 'greet'} number {rng.integers(1000)}",
                "cost_unit": "joules",
                "outcomes": {
                    "a": {"quality": float(not hard), "cost": 1.0},
                    "b": {"quality": 1.0, "cost": 3.0},
                },
            }
        )
    return rows


def test_a_public_table_without_evidence_is_evaluated(halves, capsys):
    """What can be told is; the routers that need evidence are named, one sentence each, and left out."""
    asked = ["--routers", "random,threshold,cascade,classifier,place,logistic,knn"]
    assert evaluated(*halves, *MODELS, *asked) == 0
    out, err = capsys.readouterr()
    routers = json.loads(out)["routers"]

    assert routers.keys() == {"always-small", "always-large", "random", "logistic", "knn", "oracle"}
    assert len(err.strip().splitlines()) == 4
    assert all(f"router {name} needs" in err for name in ("threshold", "cascade", "classifier", "place"))


def test_every_policy_has_every_field(halves, capsys):
    """Fixed policies, coin and oracle have the fields of the contract too, null where one means nothing."""
    assert evaluated(*halves, *MODELS, "--routers", "logistic") == 0
    routers = json.loads(capsys.readouterr().out)["routers"]

    for found in routers.values():
        assert found.keys() >= {*FIELDS, "ci95", "curve"}
        assert found["ci95"].keys() >= set(MEASURES)
    assert routers["always-small"]["apgr"] is None
    assert [point["share_large"] for point in routers["always-small"]["curve"]] == [0.0]
    assert [point["share_large"] for point in routers["always-large"]["curve"]] == [1.0]


def test_the_oracle_recovers_no_more_than_there_is(tmp_path):
    """Over the clipped cost position no area is larger than that of the best quality at every cost."""
    for seed, name in enumerate(("train", "test")):
        write(tmp_path / f"{name}.jsonl", lettered(120, seed))
    routers = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("a", "b"), routers=[],
        times=20,
    )["routers"]  # fmt: skip
    small, large = routers["always-small"]["quality"], routers["always-large"]["quality"]
    best = max(point["quality"] for point in routers["oracle"]["curve"])

    assert 0.5 < routers["oracle"]["cost_apgr"] <= (best - small) / (large - small)


def test_shares_of_a_gap_that_is_not_known_are_null(halves, capsys):
    """Where the interval of the gap in quality reaches 0, what divides by it is null; what does not is there."""
    assert evaluated(*halves, *MODELS, "--routers", "knn") == 0
    report = json.loads(capsys.readouterr().out)
    found = report["routers"]["knn"]

    assert report["gap"]["known"] is False
    assert [found[name] for name in ("apgr", "cost_apgr", "cpt50", "cpt80", "saving_vs_interpolated_percent")] == [
        None
    ] * 5
    assert None not in (found["aiq"], found["quality_at_half_cost"], found["oracle_gap_closed_percent"])


@pytest.mark.parametrize("costs", [(2.0, 2.0), (3.0, 1.0), (0.0, 0.0)], ids=["equal", "reversed", "free"])
def test_a_large_model_that_costs_no_more_is_no_reason_to_fail(tmp_path, costs):
    """Where there is nothing to save the report is whole all the same, with no number that is not one."""
    for seed, name in enumerate(("train", "test")):
        rows = lettered(60, seed)
        for row in rows:
            row["outcomes"]["a"] |= {"cost": costs[0], "evidence": {"logprob": -1.0}}
            row["outcomes"]["b"]["cost"] = costs[1]
        write(tmp_path / f"{name}.jsonl", rows)
    report = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("a", "b"),
        routers=["threshold", "logistic"], times=10,
    )  # fmt: skip

    json.dumps(report, allow_nan=False)
    assert as_text(report)


@pytest.mark.parametrize("router", ["logistic", "knn", "mf", "sw-ranking", "bert-like"])
def test_what_a_text_tells_is_learnt(tmp_path, router):
    """Where one word decides which model is right, a router of texts is nearly as good as the oracle."""
    for seed, name in enumerate(("train", "test")):
        write(tmp_path / f"{name}.jsonl", lettered(240, seed))
    report = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("a", "b"),
        routers=[router], times=20,
    )  # fmt: skip

    assert report["routers"][router]["auc"] > 0.9
    assert report["routers"][router]["oracle_gap_closed_percent"] > 70
    assert report["routers"][router]["paired"]["p_holm"] < 0.2
    assert report["routers"][router]["route_ms_p95"] > 0


def test_nothing_is_evaluated_where_all_that_was_asked_for_lacks_evidence(halves, capsys):
    """With no router of those asked for left the status is 1."""
    assert evaluated(*halves, *MODELS, "--routers", "threshold") == 1
    out, err = capsys.readouterr()

    assert out == ""
    assert "needs the small model's log p" in err


def test_log_p_in_the_evidence_is_enough_for_the_threshold(tmp_path):
    """A table that tells the log p of the small model's text only as evidence has a threshold router."""
    for seed, name in enumerate(("train", "test")):
        rows = lettered(60, seed)
        for row in rows:
            row["outcomes"]["a"]["evidence"] = {"logprob": -0.1 if row["outcomes"]["a"]["quality"] else -2.0}
        write(tmp_path / f"{name}.jsonl", rows)
    report = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("a", "b"),
        routers=["threshold"], times=10,
    )  # fmt: skip

    assert report["routers"]["threshold"]["auc"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["evaluate", "--train", "{0}", "--test", "{1}", "--quality", "shown", *MODELS], "only with log p by token"),
        (["evaluate", "--train", "{0}", "--test", "{0}", *MODELS], "(20 of 20: gsm8k/"),
        (["evaluate", "--train", "{0}", "--test", "{1}", "--small", "foo", *MODELS[2:]], "no outcome of foo, only of"),
        (["train", "--outcomes", "{0}", "--router", "classifier", "--out", "none", *MODELS], "`jouline lab collect`"),
    ],
)
def test_what_a_table_cannot_tell_is_said_in_one_short_sentence(halves, capsys, arguments, told):
    """Status 1 and one sentence, however many rows are concerned."""
    status = main(["lab", *(argument.format(*halves) for argument in arguments)])
    out, err = capsys.readouterr()

    assert (status, out) == (1, "")
    assert told in err
    assert len(err) < 400
    assert len(err.strip().splitlines()) == 1


def three_models(count, seed):
    """Return rows of three models: the word decides which of the dear ones alone is right; the cheap one never is."""
    rows = lettered(count, seed)
    for row in rows:
        hard = row["outcomes"]["a"]["quality"] == 0.0
        row["outcomes"] = {
            "a": {"quality": 0.0, "cost": 1.0},
            "b": {"quality": float(hard), "cost": 2.0},
            "c": {"quality": float(not hard), "cost": 3.0},
        }
    return rows


def test_routers_choose_among_any_number_of_models(tmp_path):
    """With three models the ends are the cheapest and the best; who knows the word is better than either end."""
    for seed, name in enumerate(("train", "test")):
        write(tmp_path / f"{name}.jsonl", three_models(240, seed))
    asked = ["knn", "logistic", "mf", "sw-ranking", "bert-like", "thompson", "quality-floor", "threshold", "cascade"]
    report = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("a", "b", "c"),
        routers=asked, times=20,
    )  # fmt: skip
    found = report["routers"]

    assert report["models"]["small"] == "a"
    assert report["models"]["large"] in {"b", "c"}
    assert report["routers_left_out"].keys() == {"threshold", "cascade"}
    assert {"always-b", "always-c"} & found.keys()
    assert found["knn"]["apgr"] is None  # no share of large calls among three
    assert found["logistic"]["curve"][50]["share_by_model"].keys() == {"a", "b", "c"}
    for name in ("knn", "logistic", "mf", "sw-ranking", "oracle"):
        assert max(point["quality"] for point in found[name]["curve"]) > 0.9
    json.dumps(report, allow_nan=False)
    assert as_text(report)


def test_a_chain_of_three_keeps_what_is_likely_right(tmp_path):
    """With log p of the first two, the cascade goes on where it is low or the text does not parse, and pays for all."""
    for seed, name in enumerate(("train", "test")):
        rows = three_models(200, seed)
        for number, row in enumerate(rows):
            right = number % 3
            for at, model in enumerate("abc"):
                row["outcomes"][model] |= {"quality": float(at >= right), "cost": 1.0 + 4.0 * at}
                sure = -0.1 if at >= right else -3.0
                row["outcomes"][model]["evidence"] = {"logprob": sure, "parses": float(number % 7 > 0 or at > 0)}
        write(tmp_path / f"{name}.jsonl", rows)
    report = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("a", "b", "c"),
        ends=("a", "c"), routers=["cascade"], times=20,
    )  # fmt: skip
    best = max(report["routers"]["cascade"]["curve"][1:], key=lambda point: point["quality"])

    assert best["quality"] > 0.9
    assert best["share_escalated"] > 0.5
    assert report["routers"]["cascade"]["calibration"]["expected_error"] < 0.35


def test_rows_without_both_models_are_left_out_and_counted(tmp_path, capsys):
    """A table in which some rows lack a model is evaluated on the others."""
    rows = read(TABLES / "ulab-code.jsonl")
    del rows[3]["outcomes"][NINE[1]]
    write(tmp_path / "train.jsonl", rows[:8])
    write(tmp_path / "test.jsonl", rows[8:])
    assert evaluated(str(tmp_path / "train.jsonl"), str(tmp_path / "test.jsonl"), *NINE) == 0
    out, err = capsys.readouterr()

    assert json.loads(out)["rows_left_out"] == 1
    assert "without an outcome of both models are left out: 1" in err


def test_features_are_used_where_every_row_has_them():
    """Of rows with features those that all share are read; one row without turns to the texts of all."""
    whole = table(made_up(10), "small", "large")
    texts = table(lettered(10, 0), "a", "b")

    assert shared_features((whole,)) == tuple(whole.rows[0]["features"])
    assert shared_features((whole, texts)) == ()
    assert describe(whole.rows, ("indent",)).shape == (10, 1)
    assert describe([*whole.rows, *texts.rows], ()).shape[0] == 20


def test_what_stops_early_stands_in_no_table_of_exact_matches(tmp_path):
    """Always-large-lossless counts what is shown: the JSON says so, and the table of exact matches leaves it out."""
    for seed, name in enumerate(("train", "test")):
        write(tmp_path / f"{name}.jsonl", made_up(200, seed=seed))
    report = evaluate_tables(
        train=[tmp_path / "train.jsonl"], validate=None, test=[tmp_path / "test.jsonl"], models=("small", "large"),
        routers=[], times=10,
    )  # fmt: skip

    assert "shown only" in report["routers"]["always-large-lossless"]["note"]
    assert "always-large |" in as_text(report)
    assert "lossless" not in as_text(report)


def test_every_row_is_tested_once_in_folds(tmp_path):
    """The test has all rows, points are fixed fold by fold, and what the word tells is learnt all the same."""
    write(tmp_path / "t.jsonl", lettered(150, 0))
    report = evaluate_tables(
        train=[tmp_path / "t.jsonl"], validate=None, test=None, models=("a", "b"), routers=["logistic"],
        folds=5, times=20,
    )  # fmt: skip
    found = report["routers"]["logistic"]

    assert (report["test"]["rows"], report["folds"]) == (150, 5)
    assert found["auc"] > 0.9
    assert found["parity_shown"]
    assert found["saving_at_parity_percent"] > 10
    assert len(found["curve"]) == 101
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize("options", [["--folds", "40"], ["--folds", "2", "--test", "{0}"]])
def test_folds_that_cannot_be_are_told(halves, capsys, options):
    """More folds than groups, or a test table of one's own: one sentence, status 1."""
    arguments = ["--train", halves[0], *MODELS, *(option.format(*halves) for option in options)]

    assert main(["lab", "evaluate", *arguments]) == 1
    assert "olds" in capsys.readouterr().err
