"""A replay through the real application with the embedded models."""

from pathlib import Path

import pytest

from jouline.app import build
from jouline.completion import CompletionRequest
from jouline.config import Config, Folders
from jouline.replay.asking import EMBEDDED_PACE
from jouline.replay.report import report_fields
from jouline.replay.run import Options, plan, replay
from jouline.replay.session import Wishes
from jouline.replay.sources import SourceFile
from jouline.replay.table import cell, variants

pytestmark = pytest.mark.model

ALIKE = (
    "keystrokes",
    "requests",
    "skipped",
    "cache_hits",
    "shown",
    "accepted",
    "accepted_chars",
    "by_model",
    "cancelled",
)

TEXT = """\
import json
from pathlib import Path


def load(path: Path) -> dict:
    with open(path) as file:
        return json.load(file)


def save(path: Path, data: dict) -> None:
    with open(path, "w") as file:
        json.dump(data, file)
"""


def test_the_report_agrees_with_the_app_s_own_books(tmp_path: Path) -> None:
    """Requests, joules, baseline and acceptance are those that the application itself has counted.

    At the fixed pace nothing is stopped in the engine: what came too late by the replay's clock was answered there.
    """
    source = SourceFile(path=tmp_path / "store.py", language="python", text=TEXT)
    options = Options(seed=1, chars=120, pace=EMBEDDED_PACE)
    folders = Folders.find({"JOULINE_HOME": str(tmp_path / "home")})
    with build(Config(), folders) as app:
        tally, around = replay(plan([source], options), app, options, lambda _: None)
        books = app.session_energy()
    report = report_fields(tally, around)
    assert report["requests"] == books.requests + books.cancelled
    assert books.cancelled == 0
    assert report["joules"] + report["cancelled_joules"] == pytest.approx(books.spent_joules or 0, abs=1e-5)
    assert report["accepted"] == books.accepted
    assert report["joules_method"] == books.method
    answered = sum(report["by_model"].values()) + report["skipped"] + report["cache_hits"]
    assert answered + report["cancelled"] == books.requests
    assert report["saved_by"]["gate"] == pytest.approx(books.saved_by.gate or 0.0, abs=1e-5)
    assert report["generated_tokens"] > 0


def test_at_a_fixed_pace_two_runs_are_alike(tmp_path: Path) -> None:
    """Two runs with one seed and one route agree in what the person sees and does, though the first warmed up."""
    source = SourceFile(path=tmp_path / "store.py", language="python", text=TEXT)
    options = Options(seed=3, chars=100, pace=EMBEDDED_PACE, wishes=Wishes(route="large"))
    told = []
    with build(Config(), Folders.find({"JOULINE_HOME": str(tmp_path / "home")}), keep_ledger=False) as app:
        for _ in range(2):
            app.forget()
            report = report_fields(*replay(plan([source], options), app, options, lambda _: None))
            told.append({name: report[name] for name in ALIKE})
    assert told[0] == told[1]


def test_the_peers_order_has_the_same_tokens_and_costs_more(tmp_path: Path) -> None:
    """A prompt in another order is ours with its parts exchanged; typed, it makes a server read the suffix again."""
    source = SourceFile(path=tmp_path / "store.py", language="python", text=TEXT, group="p")
    request = CompletionRequest(uri=source.uri, language="python", text=TEXT, offset=TEXT.index("def save"))
    with build(Config(), Folders.find({"JOULINE_HOME": str(tmp_path / "home")}), keep_ledger=False) as app:
        (ours,), (theirs,) = (app.prompts_in(order, [request]) for order in ("suffix-prefix", "prefix-suffix-middle"))
        peer = next(variant for variant in variants(50) if variant.name == "continue")
        made = cell(app, source, peer, seed=1, chars=120, pace=EMBEDDED_PACE)
    assert ours != theirs
    assert sorted(ours) == sorted(theirs)
    assert made is not None
    assert made["prompt_tokens_own_order"] > made["prompt_tokens_read"] >= made["prompt_tokens_evaluated"]
    assert made["large_work"][0][0] == made["inferences"] + made["cancelled"]
