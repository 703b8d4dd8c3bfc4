"""`jouline energy`: one JSON document, tables for people, every number with its class."""

import argparse
import json
import re

import pytest
from tests.energy.fakes import Powercap, tree

from jouline.cli import energy
from jouline.cli.doctor import check_meters
from jouline.config import Config, Folders
from jouline.energy.entry import Entry
from jouline.energy.ledger import FILE_NAME, Ledger
from jouline.energy.meter import open_meters
from jouline.energy.survey import Overhead, survey


def run(*arguments):
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser()
    energy.register(parser.add_subparsers())
    args = parser.parse_args(["energy", *arguments])
    return args.run(args)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Give a machine without counters."""
    monkeypatch.setenv("JOULINE_SYSFS", str(tmp_path))
    return tmp_path


def test_json_is_one_document_with_an_estimate_that_says_so(bare, capsys):
    """Without counters: estimated, bounds, unknown gross null, and why nothing can be read."""
    assert run("--json", "--seconds", "0.01") == 0
    out = json.loads(capsys.readouterr().out)
    assert out["method"] == "estimated"
    assert out["gross_joules"] is None
    assert out["ours_joules_low"] <= out["ours_joules"] <= out["ours_joules_high"]
    assert out["watts"] == pytest.approx(out["joules"] / out["seconds"])
    assert {"rapl", "nvml"} <= {each["name"] for each in out["unavailable"]}
    assert all(each["method"] == "estimated" for each in out["by_meter"])
    assert out["verify"] is None


def test_json_shows_what_each_counter_covers(bare, capsys):
    """A still counter shows zero joules, measured; the total counts the package and not the platform."""
    powercap = Powercap(bare)
    powercap.zone("intel-rapl:0", "package-0")
    powercap.zone("intel-rapl:1", "psys")
    assert run("--json", "--seconds", "0.01") == 0
    out = json.loads(capsys.readouterr().out)
    meters = {each["name"]: each for each in out["by_meter"]}
    assert out["method"] == "measured"
    assert out["joules"] == 0.0
    assert meters["rapl package-0"]["counted"] is True
    assert meters["rapl psys"]["counted"] is False
    assert "all programs" in meters["rapl package-0"]["covers"]
    assert meters["rapl package-0"]["overhead_s"] > 0


def test_the_tables_name_reason_and_class(bare, capsys):
    """A person reads what is estimated, why nothing was measured, and what measuring costs."""
    tree(bare, {"class/power_supply/BAT0/type": "Battery", "class/power_supply/BAT0/status": "Discharging"})
    assert run("--seconds", "0.01") == 0
    out = capsys.readouterr().out
    assert "estimated" in out
    assert "rapl cannot be read" in out
    assert "battery BAT0 cannot be read" in out
    assert "Measuring itself" in out


def test_verify_adds_the_second_opinion(bare, capsys):
    """With nothing to compare it says so and claims nothing."""
    assert run("--json", "--seconds", "0.01", "--verify") == 0
    verify = json.loads(capsys.readouterr().out)["verify"]
    assert verify["agree"] is None
    assert verify["reason"]


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x", "1e9"])
def test_a_wrong_length_is_wrong_usage(bare, seconds, capsys):
    """Exit status 2 and a sentence, before anything is read."""
    with pytest.raises(SystemExit) as stopped:
        run(f"--seconds={seconds}")
    assert stopped.value.code == 2
    assert "number of seconds" in capsys.readouterr().err


def test_a_switch_of_method_is_shown_with_its_time(bare, capsys):
    """In the document and in the text: what fell silent, when, and what counts from then on."""
    Powercap(bare).zone("intel-rapl:0", "package-0")
    with open_meters(bare, sampling=False) as meters:
        (bare / "class/powercap/intel-rapl:0/energy_uj").write_text("")
        with meters.window():
            pass
        reading, own = survey(meters, 0.0), Overhead(window_s=0.0, window_cpu_s=0.0, idle_percent_of_core=0.0)
        told = energy.document(meters, reading, own, None)["switches"]
        energy._print_tables(meters, reading, own, None)
    assert [sorted(each) for each in told] == [["at_s", "text"]]
    assert "estimated from now on" in told[0]["text"]
    assert re.search(r"\d\d:\d\d:\d\d: .*estimated from now on", " ".join(capsys.readouterr().out.split()))


def test_doctor_tells_of_a_day_that_mixed_methods(bare, capsys):
    """A ledger with attributed and estimated requests: the method changed; with one kind alone nothing is said."""
    folders = Folders.find({"JOULINE_HOME": str(bare)})
    for method, mixed in (("estimated", False), ("attributed", True)):
        with Ledger(folders.data / FILE_NAME) as ledger:
            ledger.record(Entry(joules=1.0, method=method))
        assert ("the method changed: 1 attributed, 1 estimated" in check_meters(Config(), folders)[1]) is mixed
