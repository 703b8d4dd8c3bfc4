"""`jouline replay --table` as a command: cells are filled once, and tables of earlier runs are still read."""

import json
from pathlib import Path
from typing import Self

import pytest
from tests.replay.fakes import ScriptedApp, right

from jouline.cli import replay_table
from jouline.cli.main import main
from jouline.replay.table import variants

CODE = "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n"
NEWER = ("prompt_tokens_read", "prompt_tokens_own_order", "large_work")


class OpenedApp(ScriptedApp):
    """A scripted app that closes and can begin anew."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def forget(self) -> None:
        """Nothing is remembered."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Return the command on a file of code, with a home of its own and a scripted app in the models' place."""
    monkeypatch.setenv("JOULINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(replay_table, "open_app", lambda *_, **__: OpenedApp(right(CODE, chars=30)))
    (tmp_path / "read.py").write_text(CODE, "utf-8")
    return ["replay", str(tmp_path / "read.py"), "--chars", "60", "--table", str(tmp_path / "table.jsonl")]


def test_the_table_has_a_line_for_each_variant(command, capsys):
    """Figures and intervals are whole, not cut to the terminal, and what is estimated says so."""
    assert main(command) == 0
    out = capsys.readouterr().out
    assert all(f"\n{variant.name} " in out for variant in variants(50))
    assert "~: estimated" in out
    assert "…" not in out


def test_a_table_without_the_newer_counts_is_still_read(command, capsys, tmp_path, monkeypatch):
    """Cells that are there are not typed again; the estimate is left out, as a dash or null."""
    assert main(command) == 0
    path = tmp_path / "table.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    old = [json.dumps({name: value for name, value in row.items() if name not in NEWER}) for row in rows]
    path.write_text("\n".join(old) + "\n", "utf-8")
    monkeypatch.setattr(replay_table, "open_app", None)
    capsys.readouterr()
    assert main(command) == 0
    assert "—" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["cpu_ms_a_prompt_token"] is None
    assert {figures["cpu_seconds_own_order"] for figures in report["variants"].values()} == {None}
    assert len(path.read_text("utf-8").splitlines()) == len(rows)
