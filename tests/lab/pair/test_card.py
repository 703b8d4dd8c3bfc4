"""The card says what the run's own files say, and that the rest was not measured."""

import json
from pathlib import Path

import pytest

from jouline.lab.pair import card

ESTIMATE = {"mean": 0.25, "low": 0.125, "high": 0.5}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run that has been trained and not measured."""
    losses = {"front": 3.0, "whole": 2.5, "front_middle": 3.25, "whole_middle": 2.75}
    entries = [{"tokens_millions": 1.0, "rate": 1.0}, {"tokens_millions": 2.0, "final": True, "validation": losses}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")
    (tmp_path / "description.json").write_text(json.dumps({"shape": "A shape.", "training": "word " * 60}), "utf-8")
    return tmp_path


def test_what_was_not_measured_is_said_to_be_so(run: Path) -> None:
    """Five measurements, five sentences; the loss curve and every licence are there all the same."""
    text = card.render(run, "q8_0")
    assert text.count(card.UNMEASURED) == 5
    assert "| 2.00 | 0 | 3.000 | 2.500 | 3.250 | 2.750 |" in text
    assert "| flask 3.1.3 (held out) | BSD-3-Clause |" in text
    assert "| zod@4.6.7 (held out) | MIT |" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 125


def test_figures_stand_with_their_intervals(run: Path) -> None:
    """A figure that one language has and another has not is a dash for the other."""
    found = {"Python": {"bits_per_byte": {"small": ESTIMATE}, "rest_of_line": {"places": 2000}}, "Other": {}}
    (run / "evaluation.json").write_text(json.dumps(found), "utf-8")
    text = card.render(run, "q8_0")
    assert "| bits per byte, small | 0.250 (0.125 to 0.500) | - |" in text
    assert "| rest of line: places | 2,000 | - |" in text
    assert text.count(card.UNMEASURED) == 4
