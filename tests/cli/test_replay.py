"""`jouline replay` and `jouline demo` as commands: arguments, bad input, output."""

import io
import json
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest
from tests.replay.fakes import ScriptedApp, completion, right, silent

from jouline.cli import demo, replay
from jouline.cli.main import main
from jouline.completion import Completion, CompletionRequest
from jouline.errors import ConfigError, JoulineError

CODE = "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n"


class OpenedApp(ScriptedApp):
    """A scripted app that closes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OpenedApp:
    """Stand in for the models, with a home of its own."""
    opened = OpenedApp(right(CODE, chars=30))
    monkeypatch.setenv("JOULINE_HOME", str(tmp_path / "home"))
    for command in (replay, demo):
        monkeypatch.setattr(command, "open_app", lambda *_, **__: opened)
    return opened


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return a file of code."""
    path = tmp_path / "code" / "read.py"
    path.parent.mkdir()
    path.write_text(CODE)
    return path


def run(*arguments: object) -> int:
    """Run one of the two commands."""
    parser = ArgumentParser()
    commands = parser.add_subparsers()
    replay.register(commands)
    demo.register(commands)
    args = parser.parse_args([str(argument) for argument in arguments])
    return args.run(args)


def test_json_is_one_document(app: OpenedApp, code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one JSON document on stdout and nothing else."""
    assert run("replay", code, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == 1
    assert report["accepted"] > 0
    assert app.closed


def test_a_person_gets_a_table(app: OpenedApp, code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the figures are told in words, estimates with a tilde and the method named."""
    assert run("replay", code) == 0
    told = capsys.readouterr().out
    for words in ("characters in 1 file", "without suggestions", "~", "estimated: test", "p50"):
        assert words in told


def test_the_unknown_is_a_dash(app: OpenedApp, code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine without a meter gets dashes, not zeros."""
    app.answer = lambda _: completion(energy=type(completion().energy)(), cpu_seconds=None)
    assert run("replay", code) == 0
    assert "spent         —" in capsys.readouterr().out.replace("  always-large", "")


def test_a_narrow_terminal_gets_question_marks(app: OpenedApp, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout knows few characters the others become question marks, and nothing fails."""
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    for command in ("demo", "replay"):
        assert main([command, str(code)]) == 0
    assert b"?with open" in raw.getvalue()


def bad_inputs(folder: Path) -> dict[str, Path]:
    """Make one of each kind of file that cannot be typed again."""
    (folder / "empty_folder").mkdir()
    files = {
        "latin.py": "é = 1".encode("latin-1"),
        "huge.py": b"a = 1\n" * 2_000_000,
        "empty.py": b"",
        "binary.py": b"\0\1\2",
        "prose.py": b"# only a comment\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in (*files, "missing.py", "empty_folder")}


def test_bad_files_cost_one_sentence_each_and_the_rest_goes_on(
    app: OpenedApp, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not UTF-8, huge, empty, binary, prose, missing or a folder without code is named, and no more."""
    bad = bad_inputs(tmp_path)
    assert run("replay", *bad.values(), code, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["files"] == 1
    sentences = err.strip().split("\n")
    assert len(sentences) == len(bad)
    for path in bad.values():
        assert sum(str(path) in sentence for sentence in sentences) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "name", ["latin.py", "huge.py", "empty.py", "binary.py", "prose.py", "missing.py", "empty_folder"]
)
def test_nothing_left_to_type_is_an_error(app: OpenedApp, tmp_path: Path, name: str) -> None:
    """Where no file is left, both commands end with one sentence."""
    path = bad_inputs(tmp_path)[name]
    for command in ("replay", "demo"):
        with pytest.raises(JoulineError):
            run(command, path)


def test_a_folder_gives_its_code(app: OpenedApp, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder stands for the code files below it, hidden and foreign folders left out, at most as many as wished."""
    for name in ("a.py", "b/c.ts", "notes.md", ".hidden/d.py", "node_modules/e.js", "b/empty.py"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if "empty" in name else CODE)
    app.answer = silent
    assert run("replay", tmp_path / "tree", "--json", "--chars", 40) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 2
    assert run("replay", tmp_path / "tree", "--json", "--chars", 40, "--files", 1) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["files"] == 1
    assert "1 of 2 files" in err


@pytest.mark.parametrize(
    "arguments",
    [("--speed", "0"), ("--speed", "fast"), ("--seed", "x"), ("--policy", "none"), ("--chars", "-1"), ("--files", "0")],
)
def test_wrong_usage_is_told_by_the_parser(code: Path, arguments: tuple[str, str]) -> None:
    """An option that cannot be is wrong usage: exit status 2."""
    with pytest.raises(SystemExit) as left:
        run("replay", code, *arguments)
    assert left.value.code == 2


def test_route_and_energy_saving_reach_every_request(app: OpenedApp, code: Path) -> None:
    """--route and --energy-saving are what each request asks for."""
    asked = []

    def answer(request):
        asked.append((request.route, request.energy_saving))
        return completion()

    app.answer = answer
    assert run("replay", code, "--json", "--route", "large", "--energy-saving", 75) == 0
    assert set(asked) == {("large", 75)}


def test_the_demo_without_a_terminal_tells_plain_lines(
    app: OpenedApp, code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on a terminal the demo prints lines, no escape sequences, and ends by itself with the totals."""
    assert run("demo", code) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "with open(path) as file:" in told
    assert "accepted: all of it" in told
    assert "saved ~" in told


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stdout a terminal of 80 x 24, on which no time passes but by sleeping."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(demo, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))


ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def test_the_demo_leaves_the_terminal_as_it_was(
    app: OpenedApp, code: Path, terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the show has a screen of its own, and the totals stand on the usual one afterwards."""
    assert run("demo", code) == 0
    told = capsys.readouterr().out
    assert told.count(ENTER) == told.count(LEAVE) == 1
    show, after = told.split(LEAVE)
    assert "this key" in show
    assert "this key" not in after
    assert "requests" in after


def test_ctrl_c_ends_the_demo_cleanly(
    app: OpenedApp, code: Path, terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl+C leaves the show's screen, closes the app and still tells the totals so far."""
    count = iter(range(100))

    def answer(_: CompletionRequest) -> Completion:
        if next(count) == 9:
            raise KeyboardInterrupt
        return completion()

    app.answer = answer
    assert run("demo", code) == 0
    after = capsys.readouterr().out.split(LEAVE)[1]
    assert "9 requests" in after
    assert app.closed


def test_the_demo_ends_by_itself(
    app: OpenedApp, tmp_path: Path, terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """However slow the typing, the show is over in less than a minute."""
    path = tmp_path / "slow.py"
    path.write_text("value = function(argument)\n" * 50)
    app.answer = silent
    assert run("demo", path, "--speed", "0.5") == 0
    assert demo.time.monotonic() < 60


def test_the_demo_s_own_file_can_be_typed(app: OpenedApp, capsys: pytest.CaptureFixture[str]) -> None:
    """With no file named the demo types one that comes with Jouline."""
    app.answer = silent
    assert run("demo") == 0
    assert "store.py" in capsys.readouterr().out


def test_reading_refuses_an_empty_file(tmp_path: Path) -> None:
    """An empty file has nothing to type."""
    path = tmp_path / "empty.py"
    path.write_text(" \n")
    with pytest.raises(ConfigError, match=r"empty\.py is empty"):
        replay.read(path)
