"""The command as a whole: its exit status and where it speaks."""

import importlib

import pytest

from jouline import __version__
from jouline.cli import main as command
from jouline.cli.main import main
from jouline.errors import EngineError


def test_the_version_is_the_packages(capsys):
    """`--version` prints it on stdout and is done."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr() == (f"jouline {__version__}\n", "")


WRONG_USAGE = [
    [],
    ["no-such-command"],
    ["complete"],
    ["complete", "a.py:1:1", "--no-such-option"],
    ["complete", "a.py:1:1", "--energy-saving", "101"],
    ["complete", "a.py:1:1", "--energy-saving", "-1"],
    ["complete", "a.py:1:1", "--energy-saving", "half"],
    ["complete", "a.py:1:1", "--energy-saving", "9" * 5000],
    ["infill", "--in", "a.jsonl"],
    ["infill", "--in", "a.jsonl", "--out", "b.jsonl", "--multiline", "sometimes"],
]


@pytest.mark.parametrize("arguments", WRONG_USAGE, ids=lambda arguments: " ".join(arguments)[:60])
def test_wrong_usage_is_status_2(arguments, capsys):
    """The usage and what is wrong go to stderr, nothing to stdout."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    out, err = capsys.readouterr()
    assert (stopped.value.code, out) == (2, "")
    assert err.startswith("usage: jouline")


def raising(error: BaseException):
    """Return a stand-in for a command group whose one command fails."""

    def run(_args):
        raise error

    class Group:
        @staticmethod
        def register(commands):
            commands.add_parser("fail").set_defaults(run=run)

    return lambda _name: Group


FAILURES = [
    (EngineError("The model is gone; fetch it again."), "jouline: The model is gone; fetch it again.\n"),
    (KeyboardInterrupt(), "jouline: stopped.\n"),
]


@pytest.mark.parametrize(("error", "said"), FAILURES, ids=["error", "Ctrl-C"])
def test_what_fails_is_one_sentence_and_status_1(error, said, capsys, monkeypatch):
    """An expected failure is told on stderr, without a traceback."""
    monkeypatch.setattr(command, "_GROUPS", ("fail",))
    monkeypatch.setattr(importlib, "import_module", raising(error))
    assert main(["fail"]) == 1
    assert capsys.readouterr() == ("", said)


def test_every_command_explains_itself(capsys):
    """`--help` works for each command and says what it is for."""
    parser = command.build_parser()
    (commands,) = (action for action in parser._actions if action.choices)
    assert set(command._GROUPS) <= set(commands.choices)
    for name in commands.choices:
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: jouline {name}")
