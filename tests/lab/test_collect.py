"""Collection: with a completer that is made up, and interrupted."""

from pathlib import Path

import pytest

from jouline.energy.meter import open_meters
from jouline.lab.collect import Collector, plan
from jouline.lab.outcomes import read
from jouline.lab.parses import parses
from jouline.lab.places import sources
from jouline.lab.table import draft, request, table
from jouline.router.features import FeatureExtractor
from tests.router.test_draft import generation

MODELS = Path(__file__).parents[2] / "models"
CODE = "import os\n\n\ndef area(width, height):\n    total = width * height\n    return total\n"


class Knowing:
    """The small model writes `pass`, the large one always the true rest of the line."""

    def __init__(self, text, interrupt_after=None):
        self.lines = {line.strip()[:3]: line for line in text.split("\n")}
        self.left = interrupt_after
        self.seen = []

    def generate(self, request, tier, cancel, limits):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        assert request.rest_of_line == ""
        self.seen.append((tier, request.line_prefix))
        line = self.lines.get(request.line_prefix.strip()[:3], "")
        return generation("pass" if tier == "small" else line[len(request.line_prefix) :])


@pytest.fixture
def package(tmp_path):
    """Return a package of two equal files."""
    (tmp_path / "shapes").mkdir()
    for name in ("a.py", "b.py"):
        (tmp_path / "shapes" / name).write_text(CODE)
    return tmp_path / "shapes"


def collector(completer):
    """Return a collector with this completer and the real rest."""
    return Collector(
        completer=completer,
        extractor=FeatureExtractor(MODELS / "tokenizer.json"),
        meters=open_meters(),
        small="small",
        large="large",
    )


def drawn(package):
    """Draw places in the package."""
    return list(plan(sources([package]), places=12, per_line=2, seed=3))


def test_rows_hold_what_both_models_did(package, tmp_path):
    """Every place drawn gives one row with truth, features, quality and cost of both models."""
    plans = drawn(package)
    written = collector(Knowing(CODE)).collect(plans, tmp_path / "t.jsonl.gz")
    rows = read(tmp_path / "t.jsonl.gz")

    assert written == len(rows) == sum(len(walk.offsets) for _, _, walks in plans for walk in walks)
    for row in rows:
        assert CODE.split("\n").count((row["prefix"] + row["truth"]).split("\n")[-1]) == 1
        assert row["outcomes"]["large"]["quality"] == 1.0
        assert row["outcomes"]["small"]["quality"] == 0.0
        assert row["group"] == "shapes"
        assert row["outcomes"]["large"]["cost_after"]["small"] >= 0.0


def test_a_row_gives_back_the_request_and_the_draft_it_was_made_from(package, tmp_path):
    """The features and the draft's text fit the request that the row describes."""
    collector(Knowing(CODE)).collect(drawn(package), tmp_path / "t.jsonl")
    whole = table(read(tmp_path / "t.jsonl"), "small", "large")
    row = whole.rows[0]
    again = FeatureExtractor(MODELS / "tokenizer.json").extract(request(row))

    assert whole.has_drafts
    assert draft(row["outcomes"]["small"]).text == "pass"
    assert again["line_chars"] == pytest.approx(row["features"]["line_chars"], abs=1e-5)


def test_models_know_the_line_before_anything_is_measured(package, tmp_path):
    """Each line begins with the large and the small model at its start."""
    completer = Knowing(CODE)
    collector(completer).collect(drawn(package)[:1], tmp_path / "t.jsonl")

    assert completer.seen[:2] == [("large", ""), ("small", "")]


def test_an_interrupted_collection_goes_on_where_it_stopped(package, tmp_path):
    """What was written stays, nothing is written twice, and all places are there in the end."""
    path = tmp_path / "t.jsonl.gz"
    plans = drawn(package)
    calls = Knowing(CODE)
    collector(calls).collect(plans[:1], tmp_path / "first.jsonl")
    with pytest.raises(KeyboardInterrupt):
        collector(Knowing(CODE, interrupt_after=len(calls.seen) + 1)).collect(plans, path)
    first = [row["query_id"] for row in read(path)]
    collector(Knowing(CODE)).collect(plans, path)
    rows = [row["query_id"] for row in read(path)]

    assert rows[: len(first)] == first
    assert len(rows) == len(set(rows)) == sum(len(walk.offsets) for _, _, walks in plans for walk in walks)
    assert collector(Knowing(CODE)).collect(plans, path) == 0


@pytest.mark.parametrize(
    ("fixture", "completion", "valid"),
    [
        ("def f(a):\n    return $0\n\n\nx = 1\n", "a + 1", True),
        ("def f(a):\n    return $0\n\n\nx = 1\n", "a +", False),
        ("x = (1,\n     $0\n)\ny = 2\n", "2", True),
        ("if a:\n    b = 1\nelse:\n    $0\n", "b = 2", True),
        ("def f(:\n    x = $0\n", "1", None),
    ],
)
def test_validity_is_that_of_the_statement_around_the_cursor(fixture, completion, valid):
    """Prefix + completion + suffix parses or does not; where the file itself is broken it cannot be told."""
    offset = fixture.index("$0")

    assert parses(fixture.replace("$0", ""), offset, completion) is valid
