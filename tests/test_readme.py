"""The README's commands run as they stand there."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]


def test_the_readme_is_short() -> None:
    """A user reads it in one sitting: under 200 lines."""
    assert len(README.splitlines()) < 200


def test_its_pictures_and_documents_are_there() -> None:
    """Every file that it names as a picture exists."""
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)

    assert pictures
    assert all((ROOT / name).is_file() for name in pictures)


@pytest.mark.e2e
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(command: str, tmp_path: Path) -> None:
    """A command of the README succeeds in the source tree and says something."""
    environment = {**os.environ, "JOULINE_HOME": str(tmp_path)}
    done = subprocess.run(
        shlex.split(command), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr
