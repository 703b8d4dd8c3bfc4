"""The pinned packages: split whole, and unknown to the pair."""

import re
from importlib.resources import files

import pytest

from jouline.errors import ConfigError
from jouline.lab import packages
from jouline.lab.packages import PARTS, fetch, locked


def names(lines):
    """Return the packages of requirement lines."""
    return {line.split("==")[0] for line in lines}


def trained_on():
    """Return the packages that the pair is trained on, from its own lock."""
    text = files("jouline.lab.pair").joinpath("corpus.lock").read_text(encoding="utf-8")
    return names(line for line in text.split("# Trained on.")[1].splitlines() if "==" in line)


def test_no_package_is_in_two_parts():
    """Train, validate and test never share a package."""
    parts = [names(locked()[part]) for part in PARTS]

    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts))


def test_the_pair_has_seen_none_of_them():
    """The router learns what the pair does with code that is new to it."""
    seen = trained_on()

    assert len(seen) > 50
    assert not seen & set().union(*(names(locked()[part]) for part in PARTS))


def test_the_test_packages_are_those_the_pair_is_judged_by():
    """The packages that are held out for judging only ever test."""
    assert names(locked()["test"]) == {"attrs", "click", "flask", "httpx", "requests"}


def test_every_package_is_pinned_by_version_and_hash():
    """Nothing but the very files named is read."""
    line = re.compile(r"[a-z0-9-]+==[\w.]+ --hash=sha256:[0-9a-f]{64}")

    assert all(line.fullmatch(found) for part in PARTS for found in locked()[part])


def test_what_is_there_is_not_fetched_again(tmp_path, monkeypatch):
    """Unpacked packages are used as they are; without an index the rest is told in one sentence."""
    for line in locked()["test"]:
        (tmp_path / "test" / line.split("==")[0]).mkdir(parents=True)
    monkeypatch.setattr(packages.subprocess, "run", pytest.fail)

    assert [root.name for root in fetch("test", tmp_path)] == [line.split("==")[0] for line in locked()["test"]]


def test_no_index_is_told_in_one_sentence(tmp_path, monkeypatch):
    """Where pip finds nothing, its last line is in the message."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")

    with pytest.raises(ConfigError, match="cannot be fetched"):
        fetch("test", tmp_path)
