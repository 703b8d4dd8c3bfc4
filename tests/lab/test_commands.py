"""Every command of the bench on ten rows: little data is no reason to fail."""

import json

import pytest

from jouline.cli.main import main
from jouline.lab.outcomes import write
from jouline.lab.routers.names import ROUTERS
from tests.lab.rows import made_up

FROM_ROWS = [name for name in ROUTERS if name not in {"classifier", "random", "oracle"}]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return three tables of ten rows that share no package."""
    folder = tmp_path_factory.mktemp("ten")
    for seed, part in enumerate(("train", "validate", "test")):
        rows = made_up(10, seed=seed, groups=3)
        rows[0]["outcomes"]["small"]["quality"], rows[1]["outcomes"]["small"]["quality"] = 0.0, 1.0
        rows[0]["outcomes"]["large"]["quality"] = 1.0
        for row in rows:
            row["outcomes"]["small"]["evidence"]["logprob"] = sum(row["outcomes"]["small"]["logprobs"])
        write(folder / f"{part}.jsonl", rows)
    return {part: str(folder / f"{part}.jsonl") for part in ("train", "validate", "test")}


def printed(capsys, *arguments):
    """Return the JSON that a command printed."""
    assert main(["lab", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_runs_every_router(tables, capsys):
    """All routers of the contract, but ours, which needs all four outcomes, learn from ten rows."""
    options = ["--train", tables["train"], "--validate", tables["validate"], "--test", tables["test"]]
    report = printed(capsys, "evaluate", *options, "--routers", ",".join(FROM_ROWS), "--resamples", 10, "--json")

    assert set(FROM_ROWS) <= report["routers"].keys()
    assert report["routers_left_out"] == {}


@pytest.mark.parametrize("name", ["mf", "sw-ranking", "knn", "logistic", "bert-like", "linucb", "cascade"])
def test_train_calibrate_and_evaluate_go_one_after_the_other(tables, tmp_path, capsys, name):
    """A router is kept with its card, its point is fixed by share, floor or saving, and it is evaluated from there."""
    folder = tmp_path / "router"
    card = printed(capsys, "train", "--outcomes", tables["train"], "--router", name, "--out", folder)
    fixed = [
        printed(capsys, "calibrate", "--router", folder, "--outcomes", tables["validate"], *wanted)
        for wanted in (["--large-share", "0.5"], ["--quality-floor", "50"], ["--energy-saving", "30"], [])
    ]
    options = ["--train", tables["train"], "--test", tables["test"], "--router", folder, "--resamples", 10, "--json"]
    report = printed(capsys, "evaluate", *options)

    assert (card["router"], card["small"], card["large"]) == (name, "small", "large")
    assert "`small` to `large`" in (folder / "card.md").read_text()
    assert [point["energy_saving"] for point in fixed[2:]] == [30, 50]
    assert all(0 <= point["share_large"] <= 1 for point in fixed)
    assert "shipped" in report["routers"]


def test_a_network_is_written_as_onnx_and_tells_the_same(tmp_path, capsys):
    """The encoder of bert-like, opened by ONNX, gives chances that sum to 1 for the features it was taught on."""
    import numpy as np

    from jouline.scorer import Scorer

    write(tmp_path / "t.jsonl", made_up(80, groups=8))
    printed(capsys, "train", "--outcomes", tmp_path / "t.jsonl", "--router", "bert-like", "--out", tmp_path / "r")
    scorer = Scorer(tmp_path / "r" / "encoder.onnx")

    assert scorer.n_features == 3
    assert scorer.predict(np.zeros(3, dtype=np.float32)).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["train", "--outcomes", "{train}", "--router", "tarot", "--out", "{out}"], "There is no router 'tarot'"),
        (["calibrate", "--router", "{out}", "--outcomes", "{train}", "--quality-floor", "900"], "keeps 900 %"),
        (
            ["evaluate", "--train", "{train}", "--test", "{test}", "--router", "{out}", "--models", "small,small"],
            "twice",
        ),
    ],
)
def test_what_cannot_be_is_told(tables, tmp_path, capsys, command, told):
    """One sentence, status 1."""
    printed(capsys, "train", "--outcomes", tables["train"], "--router", "knn", "--out", tmp_path / "r")
    arguments = [part.format(out=tmp_path / "r", **tables) for part in command]

    assert main(["lab", *arguments]) == 1
    assert told in capsys.readouterr().err


def test_a_damaged_folder_is_told(tables, tmp_path, capsys):
    """What is no card any more is named, with the remedy."""
    printed(capsys, "train", "--outcomes", tables["train"], "--router", "knn", "--out", tmp_path / "r")
    (tmp_path / "r" / "router.json").write_text("{}")

    assert main(["lab", "calibrate", "--router", str(tmp_path / "r"), "--outcomes", tables["test"]]) == 1
    assert "train it again" in capsys.readouterr().err
