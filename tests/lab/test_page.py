"""The report: one page that needs nothing else, colours of its own for light and dark, PNG files beside it."""

import json
import re

import pytest

from jouline.cli.main import main
from jouline.lab.outcomes import write
from tests.lab.rows import made_up
from tests.lab.test_simulate import lawful, written

pytestmark = pytest.mark.slow


def printed(capsys, *arguments):
    """Return what a command printed."""
    assert main(["lab", *map(str, arguments)]) == 0
    return capsys.readouterr().out


@pytest.fixture
def runs(tmp_path, capsys):
    """Return runs of all kinds, each on few rows."""
    write(tmp_path / "t.jsonl", made_up(60, groups=12))
    table, log = tmp_path / "t.jsonl", written(tmp_path / "log.jsonl", lawful(40))
    commands = {
        "pair": ["evaluate", "--train", table, "--routers", "knn,logistic,cascade", "--resamples", 20],
        "chain": ["evaluate", "--train", table, "--models", "small,large", "--routers", "linucb", "--resamples", 20],
        "log & co": ["simulate", "--log", log, "--policies", "linucb,knn", "--replays", 2, "--resamples", 20],
        "floor": ["floor", "--train", table, "--runs", 2, "--requests", 60],
    }
    found = []
    for name, command in commands.items():
        path = tmp_path / f"{name}.json"
        path.write_text(printed(capsys, *command, "--json"))
        found.append(path)
    return found


def test_the_page_needs_nothing_else(runs, tmp_path, capsys):
    """No script, no address, every id once; every run has its section and its plots, which are PNG files too."""
    page = printed(capsys, "report", *runs, "--out", tmp_path / "out").strip()
    text = (tmp_path / "out" / "index.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    addresses = set(re.findall(r'(?:src|href)="([^"#][^"]*)"', text))

    assert page == str(tmp_path / "out" / "index.html")
    assert "<script" not in text
    assert addresses == set()
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert len(ids) == len(set(ids))
    assert text.count("<section") == 4
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {"pair-fronts.png", "pair-calibration.png", "pair-shares.png", "pair-overhead.png"} <= names
    assert {"log & co-regret.png", "log & co-rewards.png", "floor-floor.png"} <= names
    assert text.count("<svg") == len(names)
    assert all((tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_every_colour_of_a_plot_is_the_themes(runs, tmp_path, capsys):
    """Inside the drawings stands no colour but variables, and the style sheet has all of them for light and dark."""
    printed(capsys, "report", *runs, "--out", tmp_path / "out")
    text = (tmp_path / "out" / "index.html").read_text()
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    light, dark = re.findall(r":root\{([^}]*)\}", text)

    assert re.findall(r"#[0-9a-fA-F]{6}\b", drawings) == []
    for theme in (light, dark):
        assert used <= set(re.findall(r"(--[\w-]+):", theme))


@pytest.mark.parametrize(("content", "told"), [(None, "There is no run"), ("{", "cannot be read"), ("[]", "is no run")])
def test_what_is_no_run_is_told(tmp_path, capsys, content, told):
    """One sentence, status 1."""
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    assert main(["lab", "report", str(path), "--out", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err

    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_runs_of_the_same_name_are_told_apart(tmp_path, runs, capsys):
    """Two files of one name have two sections."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "floor.json").write_text(runs[3].read_text())
    printed(capsys, "report", runs[3], tmp_path / "other" / "floor.json", "--out", tmp_path / "out")

    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"floor-1-floor.png", "floor-2-floor.png"}
    assert json.loads(runs[3].read_text())["kind"] == "floor"
