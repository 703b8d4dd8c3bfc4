"""The extension in a real VS Code workbench, driven in a real browser, with the real server and the real models."""

import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "run"


@pytest.mark.browser
def test_a_person_types_and_accepts():
    """Both models give ghost text, Tab puts it on disk, the status bar tells model and energy, nothing leaves."""
    done = subprocess.run([RUN], check=False)  # its progress is shown where the test fails
    assert done.returncode == 0, "the browser test failed; its last lines name the screenshot and the logs"


@pytest.mark.browser
def test_the_oldest_workbench_serves():
    """What package.json's engines name as the oldest VS Code shows ghost text, takes it with Tab, and has the panel."""
    done = subprocess.run([RUN, "--oldest"], check=False)
    assert done.returncode == 0, "the browser test failed; its last lines name the screenshot and the logs"
