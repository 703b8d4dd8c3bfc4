"""`jouline doctor` on the real installation, whole and damaged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.model]

PARTS = ["python", "engine", "folders", "models", "completion", "ledger", "energy"]


def doctor(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "jouline", "doctor", *arguments],
        env={**os.environ, "JOULINE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_installation_is_found_whole(tmp_path: Path):
    """Every part is looked at, none is broken, each has one line; exit code 0."""
    done = doctor(tmp_path, "--json")
    report = json.loads(done.stdout)
    assert [check["part"] for check in report["checks"]] == PARTS
    assert [check for check in report["checks"] if check["verdict"] == "broken"] == []
    assert (done.returncode, report["ok"]) == (0, True)


def test_what_is_broken_is_named_with_what_to_do(tmp_path: Path):
    """A model that nobody knows, a setting that does not fit and a folder that cannot be used: exit code 1."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('energy_saving = 900\n[model]\nsmall = "no-such-model"\n')
    (tmp_path / "log").write_text("a file where the folder should be")
    done = doctor(tmp_path)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line for line in lines if line.startswith("! settings:") and "jouline.energySaving" in line]
    assert [line for line in lines if line.startswith("! folders:") and str(tmp_path / "log") in line]
    assert [line for line in lines if line.startswith("✗ models:") and "no-such-model" in line]
    assert "Traceback" not in done.stderr


def test_a_damaged_ledger_is_one_warning(tmp_path: Path):
    """It is put aside, and that is said once; what else is looked at is whole."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").write_text("no database " * 99)
    done = doctor(tmp_path)
    (line,) = [line for line in done.stdout.splitlines() if "was damaged; it is kept as" in line]
    assert line.startswith("! ledger: ")
    assert (done.returncode, done.stderr) == (0, "")
