"""Collection with any models: one after the other, resumed where it stopped, judged by tests where there are any."""

import gzip
import json
from contextlib import contextmanager

import pytest

from jouline.cli.main import main
from jouline.energy.meter import open_meters
from jouline.errors import ConfigError
from jouline.lab.asks import of_places, of_problems
from jouline.lab.collect import plan
from jouline.lab.gather import Candidate, Gatherer, joined, part_of
from jouline.lab.outcomes import read
from jouline.lab.places import sources
from tests.lab.test_collect import CODE, MODELS, Knowing

PROBLEM = {
    "task_id": "t/1", "entry_point": "double", "prompt": "def double(x):\n    return ", "suffix": "\n",
    "canonical_solution": "2 * x", "test": "def check(f):\n    assert f(2) == 4\n",
}  # fmt: skip


@pytest.fixture
def asks(tmp_path):
    """Return asks in two files of one package."""
    (tmp_path / "shapes").mkdir()
    for name in ("a.py", "b.py"):
        (tmp_path / "shapes" / name).write_text(CODE)
    return of_places(list(plan(sources([tmp_path / "shapes"]), places=12, per_line=2, seed=3)))


class Log:
    """What was opened and closed, in order."""

    def __init__(self):
        self.seen = []

    def candidate(self, name, tier, interrupt_after=None):
        """Return a model that is made up; `large` knows the text."""

        @contextmanager
        def opened():
            self.seen.append(f"open {name}")
            yield Knowing(CODE, interrupt_after)
            self.seen.append(f"close {name}")

        return Candidate(name=name, tier=tier, opened=opened)


def gatherer(told=None):
    """Return a gatherer without features."""
    heard = told if told is not None else []
    return Gatherer(extractor=None, meters=open_meters(), tell=heard.append)


def test_models_answer_one_after_the_other_and_every_row_has_all(asks, tmp_path):
    """No two models are open at once; every row has both outcomes, judged alike; no part is left over."""
    log, told = Log(), []
    found = [log.candidate("a", "small"), log.candidate("b", "large")]
    added = gatherer(told).gather(found, asks, tmp_path / "t.jsonl.gz")
    rows = read(tmp_path / "t.jsonl.gz")

    assert log.seen == ["open a", "close a", "open b", "close b"]
    assert added == sum(told) == 2 * len(rows) == 2 * sum(map(len, asks))
    for row in rows:
        assert [row["outcomes"][name]["quality"] for name in ("a", "b")] == [0.0, 1.0]
        assert row["group"] == "shapes"
    assert list(tmp_path.glob(".*.part.*")) == []


def test_an_interrupted_model_goes_on_where_it_stopped(asks, tmp_path):
    """Whole files that were answered are not asked again, and nothing comes twice."""
    out, calls = tmp_path / "t.jsonl", Log()
    first = len(asks[0]) + sum(ask.before is not None for ask in asks[0])
    broken = [calls.candidate("a", "small"), calls.candidate("b", "large", interrupt_after=first + 1)]
    with pytest.raises(KeyboardInterrupt):
        gatherer().gather(broken, asks, out)
    assert not out.exists()
    assert part_of(out, "b").exists()
    again = Log()
    added = gatherer().gather([again.candidate("a", "small"), again.candidate("b", "large")], asks, out)

    assert again.seen == ["open b", "close b"]
    assert added == len(asks[1])
    assert len(read(out)) == sum(map(len, asks))


def test_a_model_is_added_to_a_table(asks, tmp_path):
    """Only the new one is asked; rows keep what they had."""
    out, log = tmp_path / "t.jsonl", Log()
    gatherer().gather([log.candidate("a", "small")], asks, out)
    gatherer().gather([log.candidate("a", "small"), log.candidate("b", "large")], asks, out)

    assert log.seen == ["open a", "close a", "open b", "close b"]
    assert all(row["outcomes"].keys() == {"a", "b"} for row in read(out))


def row(**changes):
    """Return a row of one outcome."""
    return {
        "query_id": "q", "task": "t", "text": "x", "cost_unit": "cpu_seconds",
        "outcomes": {"a": {"quality": 1.0, "cost": 2.0, "cpu_seconds": 2.0, "joules": 8.0}},
    } | changes  # fmt: skip


def test_costs_are_joules_where_all_are_measured():
    """One model without joules turns all to CPU-seconds; a table of another unit is not mixed in."""
    other = {"b": {"quality": 1.0, "cost": 1.0, "cpu_seconds": 1.0}}
    measured, mixed = joined([[row()]]), joined([[row()], [row(outcomes=other)]])

    assert (measured[0]["cost_unit"], measured[0]["outcomes"]["a"]["cost"]) == ("joules", 8.0)
    assert mixed[0]["cost_unit"] == "cpu_seconds"
    assert {name: found["cost"] for name, found in mixed[0]["outcomes"].items()} == {"a": 2.0, "b": 1.0}
    foreign = row(cost_unit="dollars", outcomes={"c": {"quality": 1.0, "cost": 5.0}})
    with pytest.raises(ConfigError, match="another unit"):
        joined([[foreign], [row(cost_unit="joules", outcomes={"a": {"quality": 1.0, "cost": 1.0}})]])


@pytest.mark.parametrize(("text", "quality", "exact"), [("x + x", 1.0, 0.0), ("2 * x", 1.0, 1.0), ("x", 0.0, 0.0)])
def test_problems_are_judged_by_their_tests(tmp_path, text, quality, exact):
    """What passes is right, whether or not it is the canonical text, which is told beside it."""
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(json.dumps(PROBLEM).encode()))
    ((ask,),) = of_problems(tmp_path / "p.jsonl.gz")

    @contextmanager
    def opened():
        knowing = Knowing("")
        knowing.lines = {"ret": "    return " + text}
        yield knowing

    out = tmp_path / "t.jsonl"
    gatherer().gather([Candidate(name="m", tier="large", opened=opened)], [[ask]], out)
    (found,) = read(out)

    assert found["group"] == "double"
    assert found["outcomes"]["m"]["quality"] == quality
    assert found["outcomes"]["m"]["exact_match"] == exact


def test_a_problem_without_tests_is_told(tmp_path):
    """The file, the line and what is missing."""
    (tmp_path / "p.jsonl").write_text(json.dumps({key: PROBLEM[key] for key in PROBLEM if key != "test"}))

    with pytest.raises(ConfigError, match=r"Line 1 of .*p\.jsonl .* test is not a text"):
        of_problems(tmp_path / "p.jsonl")


@pytest.mark.model
def test_the_command_asks_files_and_catalogue_models_in_any_language(tmp_path, capsys):
    """A GGUF file as a complete model beside a tier of the pair, on code and on a problem; then evaluated."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "area.py").write_text(CODE)
    (code / "area.js").write_text("function area(width, height) {\n  return width * height;\n}\n")
    (tmp_path / "p.jsonl").write_text(json.dumps(PROBLEM))
    table = tmp_path / "t.jsonl.gz"
    models = f"{MODELS / 'jouline-embedded-front.gguf'},large"
    options = ["--models", models, "--out", str(table), "--places", "8", "--per-line", "2"]
    assert main(["lab", "collect", str(code), str(tmp_path / "p.jsonl"), *options]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(["lab", "collect", str(code), str(tmp_path / "p.jsonl"), *options]) == 0
    rows = read(table)

    assert json.loads(capsys.readouterr().out)["outcomes_added"] == 0
    assert first["outcomes_added"] == 2 * len(rows)
    assert {row["language"] for row in rows} == {"python", "javascript"}
    assert {row["task"] for row in rows} == {"rest-of-line", "unit-tests"}
    for each in rows:
        assert each["outcomes"].keys() == {"jouline-embedded-front", "large"}
        assert each["features"]
        assert {"logprob", "margin_least"} <= each["outcomes"]["large"]["evidence"].keys()
        assert all(outcome["cost"] > 0 for outcome in each["outcomes"].values())
