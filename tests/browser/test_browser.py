"""The extension in a real VS Code workbench, driven in a real browser, with the real server and the real models."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "run"


def drive(*options: str) -> None:
    """Run the scenario; its progress is shown where the test fails, and the failure's own words in the summary."""
    with subprocess.Popen([RUN, *options], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        said = []
        for line in run.stdout:
            sys.stdout.write(line)
            said.append(line.rstrip())
    assert run.returncode == 0, failure(said)


def failure(said: list[str]) -> str:
    """Return the last step that went well and what failed after it."""
    at = next((at for at, line in enumerate(said) if line.startswith("FAILED:")), len(said) - 1)
    return " | ".join(said[max(at - 1, 0) : at + 3])


@pytest.mark.browser
def test_a_person_types_and_accepts():
    """Both models give ghost text, Tab puts it on disk, the status bar tells model and energy, nothing leaves."""
    drive()


@pytest.mark.browser
def test_the_oldest_workbench_serves():
    """What package.json's engines name as the oldest VS Code shows ghost text, takes it with Tab, and has the panel."""
    drive("--oldest")
