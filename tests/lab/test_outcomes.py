"""Outcome tables: the contract's rows in three formats."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.errors import ConfigError
from jouline.lab.outcomes import append, check, read, read_all, salvage, write


def row(query_id="q1", **changes):
    """Return a right row with changes."""
    found = {
        "query_id": query_id,
        "group": "g",
        "task": "rest-of-line",
        "prefix": "x = ",
        "suffix": "\n",
        "cost_unit": "joules",
        "features": {"indent": 4.0},
        "outcomes": {
            "small": {"quality": 0.0, "cost": 1.5, "evidence": {"logprob": -1.0}},
            "large": {"quality": 1.0, "cost": 3.0},
        },
    }
    return found | changes


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.parquet"])
def test_rows_come_back_as_they_were_written(tmp_path, name):
    """Every format gives the same rows back, also where they do not have the same fields."""
    rows = [row("q1"), row("q2", features={"other": 1.0}, text="whole", language="python")]
    write(tmp_path / name, rows)

    assert read(tmp_path / name) == rows


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"query_id": None}, "query_id"),
        ({"outcomes": []}, "outcomes"),
        ({"prefix": None}, "neither text nor prefix"),
        ({"outcomes": {"small": {"quality": 2, "cost": 1}}}, "quality of small"),
        ({"outcomes": {"small": {"quality": 1, "cost": -1}}}, "cost of small"),
        ({"outcomes": {"small": {"quality": 1, "cost": float("nan")}}}, "cost of small"),
        ({"outcomes": {"small": {"quality": 1, "cost": 1, "evidence": {"a": "b"}}}}, "evidence of small"),
        ({"features": {"a": None}}, "features"),
    ],
)
def test_what_is_no_outcome_is_refused_with_its_reason(tmp_path, changes, told):
    """A row that breaks the contract is neither written nor read, and the message names what is wrong."""
    problem = check(row(**changes))

    assert problem is not None
    assert told in problem
    with pytest.raises(ConfigError, match=told):
        write(tmp_path / "t.jsonl", [row(**changes)])


def test_a_query_may_not_come_twice(tmp_path):
    """Two rows of one query in a table, or in two tables given together, are refused."""
    write(tmp_path / "a.jsonl", [row("q1")])
    write(tmp_path / "b.jsonl", [row("q1")])
    append(tmp_path / "b.jsonl", [row("q1")])

    with pytest.raises(ConfigError, match="twice"):
        read(tmp_path / "b.jsonl")
    with pytest.raises(ConfigError, match="share a query"):
        read_all([tmp_path / "a.jsonl", tmp_path / "a.jsonl"])


def test_a_compressed_table_grows_by_members(tmp_path):
    """Rows appended later are read with the earlier ones."""
    path = tmp_path / "t.jsonl.gz"
    append(path, [row("q1")])
    append(path, [row("q2")])

    assert [found["query_id"] for found in read(path)] == ["q1", "q2"]


@given(cut=st.integers(0, 400))
def test_what_is_whole_survives_an_interruption(tmp_path_factory, cut):
    """Of a table whose writing was cut anywhere in its last member, the earlier rows are kept."""
    path = tmp_path_factory.mktemp("cut") / "t.jsonl.gz"
    append(path, [row("q1")])
    whole = path.stat().st_size
    append(path, [row("q2")])
    data = path.read_bytes()
    path.write_bytes(data[: max(whole, len(data) - cut)])

    assert [found["query_id"] for found in salvage(path)][:1] == ["q1"]


def test_a_damaged_or_missing_table_is_told_in_one_sentence(tmp_path):
    """A table that cannot be read to its end raises one sentence with its name."""
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"query_id": ')[:-4])

    with pytest.raises(ConfigError, match=r"t\.jsonl\.gz"):
        read(path)
    with pytest.raises(ConfigError, match="There is no outcome table"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="must end in"):
        read(tmp_path / "table.csv")
