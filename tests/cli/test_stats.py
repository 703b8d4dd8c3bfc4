"""`jouline stats`: the ledger's sums as table, JSON and CSV; an empty ledger is zeros and unknown joules."""

import argparse
import contextlib
import csv
import io
import json
import sqlite3
import time

import pytest

from jouline.cli import stats
from jouline.cli.main import main
from jouline.energy.entry import Entry
from jouline.energy.ledger import FILE_NAME, Ledger
from jouline.energy.savings import SavedBy


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Give an empty home; returns where the ledger will be."""
    monkeypatch.setenv("JOULINE_HOME", str(tmp_path))
    return tmp_path / "data" / FILE_NAME


def run(*arguments):
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser()
    stats.register(parser.add_subparsers())
    args = parser.parse_args(["stats", *arguments])
    return args.run(args)


def fill(path, count=12, **facts):
    """Record so many requests that saved 3 J of 4."""
    with Ledger(path) as ledger:
        for _ in range(count):
            entry = {
                "joules": 1.0,
                "joules_low": 0.5,
                "joules_high": 2.0,
                "method": "estimated",
                "model": "small",
                "baseline_joules": 4.0,
                "saved_joules": 3.0,
                "saved_stddev": 0.2,
                "outcome": "shown",
            }
            ledger.record(Entry(**entry | facts))


def test_an_empty_ledger_has_counts_of_zero_and_unknown_joules(home, capsys):
    """Zero requests happened; joules are null, not zero; and looking makes no file."""
    assert run("--json") == 0
    out = json.loads(capsys.readouterr().out)
    assert (out["requests"], out["accepted"], out["shown"]) == (0, 0, 0)
    assert (out["joules"], out["saved_joules"], out["saved_percent"]) == (None, None, None)
    assert out["joules_method"] == "unavailable"
    assert out["by_day"] == {}
    assert not home.exists()


def test_an_empty_ledger_is_a_sentence_for_a_person(home, capsys):
    """No empty table."""
    assert run() == 0
    assert capsys.readouterr().out.strip() == stats.EMPTY


def test_json_has_the_sums(home, capsys):
    """By route, by model, by day; the headline net of overhead."""
    fill(home)
    fill(home, 2, model="large", accepted_chars=10, outcome="accepted", saved_joules=0.0, baseline_joules=1.0)
    assert run("--json") == 0
    out = json.loads(capsys.readouterr().out)
    assert out["requests"] == 14
    assert out["joules"] == pytest.approx(14.0)
    assert out["joules_method"] == "estimated"
    assert (out["accepted"], out["accepted_chars"]) == (2, 20)
    assert out["saved_joules"] == pytest.approx(36.0)
    assert out["saved_percent"] == pytest.approx(100 * 36 / 50)
    assert {route: each["requests"] for route, each in out["by_route"].items()} == {"small": 12, "large": 2}
    assert sum(day["requests"] for day in out["by_day"].values()) == 14


def test_csv_has_one_line_a_day(home, capsys):
    """Unknown is an empty field."""
    fill(home, at=1.7e9)
    fill(home, at=1.7e9 + 3 * 86_400)
    assert run("--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["requests"] for row in rows] == ["12", "12"]
    assert rows[0]["residency_joules"] == ""


def test_tables_mark_estimates(home, capsys):
    """An estimate carries its tilde, the saving its error, and the class is said."""
    fill(home)
    assert run() == 0
    out = capsys.readouterr().out
    assert "~12 J" in out
    assert "(estimated)" in out
    assert "≈ saved 75 % (36 ± " in out


def test_a_mixture_of_classes_is_said(home, capsys):
    """Estimates and measurements are never one undivided number."""
    fill(home, 3, saved_by=SavedBy(route=2.0, stop=1.0, gate=9.0))
    fill(home, 2, method="measured")
    assert run() == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "The sum mixes classes: 2 measured, 3 estimated." in out
    assert "Saved by routing ~6 J, stopping early ~3 J." in out
    assert "not in the saving: ~27 J by the gate" in out


def test_every_row_of_the_tables_carries_its_class(home, capsys):
    """A measured route has no tilde and says so; an estimated one has both; every kind of work has its line."""
    fill(home, 12, method="measured")
    fill(home, 12, model="large", accepted_chars=10, outcome="accepted")
    for kind in ("load", "residency", "cancelled", "prefetch"):
        fill(home, 1, kind=kind)
    assert run() == 0
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "large 12 12 12 120 ~12 J estimated ~36 J" in out
    assert "small 12 12 0 0 12 J measured ~36 J" in out
    assert "Apart from answers: cancelled ~1 J, prefetched ~1 J, loading ~1 J, residency ~1 J." in out
    assert "~4.6 accepted characters a joule, ~0.22 J each." in out


def test_since_leaves_out_what_is_older(home, capsys):
    """An age counts back from now."""
    fill(home, 1, at=time.time() - 7200)
    fill(home, 2)
    assert run("--json", "--since", "1h") == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 2
    assert run("--since", "2099-01-01") == 0
    assert "Nothing was completed in that time" in capsys.readouterr().out


def test_forget_deletes_what_is_older(home, capsys):
    """It says how many rows it deleted, apart from the data."""
    fill(home, 3, at=time.time() - 86_400 * 100)
    fill(home, 2)
    assert run("--forget", "90d", "--json") == 0
    printed = capsys.readouterr()
    assert "Forgot 3 rows" in printed.err
    assert json.loads(printed.out)["requests"] == 2


def test_grams_are_shown_only_where_the_grid_is_named(home, capsys):
    """No CO2 by default: nobody knows the grid."""
    fill(home)
    assert run("--json") == 0
    assert json.loads(capsys.readouterr().out)["grams_co2e"] is None
    assert run("--json", "--grams-per-kwh", "360") == 0
    assert json.loads(capsys.readouterr().out)["grams_co2e"] == pytest.approx(12 * 1e-4)
    assert run("--grams-per-kwh", "360") == 0
    assert "~0.0012 g of CO2 equivalent" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("--grams-per-kwh", "lots")


@pytest.mark.parametrize("text", ["yesterday", "1y", "-1d", "", "2026-13-40"])
def test_a_wrong_age_is_wrong_usage(home, text, capsys):
    """Exit status 2 and an example of a right one."""
    with pytest.raises(SystemExit) as stopped:
        run(f"--since={text}")
    assert stopped.value.code == 2
    assert "1d" in capsys.readouterr().err


def test_a_ledger_that_cannot_be_written_is_still_read(home, capsys):
    """The rows of a newer program's ledger are summed; one sentence goes to stderr."""
    fill(home)
    with contextlib.closing(sqlite3.connect(home)) as db:
        db.execute("PRAGMA user_version = 9999")
    assert run("--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["requests"] == 12
    assert printed.err.count("jouline:") == 1


def check_is_one_sentence(capsys, place):
    """Check that stats in any form say one sentence about a place and show no sums."""
    for form in ((), ("--json",), ("--csv",)):
        assert main(["stats", *form]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("jouline: ")
        assert err.count("\n") == 1
        assert str(place) in err


def test_a_ledger_that_cannot_be_made_is_not_called_empty(tmp_path, home, capsys, monkeypatch):
    """Nothing is ever kept in a home that is a file: the sentence says that."""
    closed = tmp_path / "file"
    closed.write_text("")
    monkeypatch.setenv("JOULINE_HOME", str(closed))
    check_is_one_sentence(capsys, closed)


def test_a_ledger_that_cannot_be_read_is_not_called_empty(home, capsys):
    """What is no file holds no sums of nothing: the sentence says that it cannot be used."""
    home.mkdir(parents=True)
    check_is_one_sentence(capsys, home)


def test_a_damaged_ledger_is_told_once_and_kept(home, capsys):
    """It is put aside with a sentence instead of the word that nothing has been completed; then counting begins."""
    home.parent.mkdir()
    home.write_bytes(b"no database at all" * 99)
    assert run() == 0
    out, err = capsys.readouterr()
    (kept,) = home.parent.glob("*.damaged-*[0-9]")

    assert (out, err.count("\n")) == ("", 1)
    assert f"was damaged; it is kept as {kept.name}" in err
    assert run() == 0
    assert capsys.readouterr() == (stats.EMPTY + "\n", "")
