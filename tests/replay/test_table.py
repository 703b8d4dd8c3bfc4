"""The table of ways to ask: cells, ratios, intervals."""

import itertools
from pathlib import Path

import pytest
from tests.replay.fakes import ScriptedApp, right, silent

from jouline.replay.asking import EMBEDDED_PACE
from jouline.replay.policy import PEERS
from jouline.replay.sources import SourceFile
from jouline.replay.table import SOURCES, cell, summarise, variants

TEXT = (
    "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n\n\nprint(read('a'))\n"
)
SOURCE = SourceFile(path=Path("read.py"), language="python", text=TEXT, group="p")


class Forgetful(ScriptedApp):
    """A scripted app that can begin anew."""

    forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1


def row(variant: str, package: int, *, keys: int, cpu: float, ms: float) -> dict:
    """Return a cell of a hundred keys unaided."""
    counts = dict.fromkeys(
        ("requests", "skipped", "cache_hits", "inferences", "shown", "accepted", "accepted_chars", "cancelled"), 5
    )
    counts |= {"prompt_tokens_evaluated": 7, "generated_tokens": 9}
    cells = {"variant": variant, "file": f"f{package}", "group": f"g{package}", "seed": 0, "cpu_seconds": cpu}
    latency = {source: [ms, ms + 2.0, ms + 4.0] if source in {"large", "all"} else [] for source in SOURCES}
    return counts | cells | {"keystrokes": 100 - keys, "keystrokes_unaided": 100, "latency_ms": latency}


def table(**more) -> list[dict]:
    """Return a small table: a peer that saves 20 keys for 4 s, one that saves 10, and ours."""
    shape = {"jouline": (19, 1.0, 60.0), "llama.vscode": (20, 4.0, 70.0), "continue": (10, 1.0, 400.0)} | more
    return [
        row(name, package, keys=keys, cpu=cpu, ms=ms)
        for package, (name, (keys, cpu, ms)) in itertools.product(range(3), shape.items())
    ]


def test_the_reference_is_the_peer_that_saves_most_keys():
    """Ratios, medians and sums are those of all packages together."""
    report = summarise(table())
    assert report["reference"] == "llama.vscode"
    ours = report["variants"]["jouline"]
    assert ours["keystrokes_saved_of_reference_percent"] == pytest.approx(95.0)
    assert ours["cpu_of_reference_percent"] == pytest.approx(25.0)
    assert ours["latency_ms_p50"] == pytest.approx(62.0)
    assert ours["latency_ms_p50_by_source"] == {"small": None, "large": 62.0, "cache": None, "all": 62.0}
    assert ours["requests"] == 15


def test_intervals_hold_the_figure_and_are_of_packages():
    """Packages that are all alike leave no doubt; packages that differ do."""
    alike = summarise(table())["variants"]["jouline"]["ci95"]["keystrokes_saved_percent"]
    assert alike == [19.0, 19.0]
    rows = [cells if cells["group"] != "g0" else cells | {"keystrokes": 60} for cells in table()]
    figures = summarise(rows)["variants"]["jouline"]
    low, high = figures["ci95"]["keystrokes_saved_percent"]
    assert low < figures["keystrokes_saved_percent"] < high


def test_only_cells_that_every_variant_has_are_compared():
    """A run that was broken off compares what is there for all."""
    rows = [cells for cells in table() if (cells["variant"], cells["group"]) != ("continue", "g2")]
    report = summarise(rows)
    assert (report["cells"], report["variants"]["jouline"]["requests"]) == (2, 10)


def test_a_cell_begins_anew_and_tells_where_it_belongs():
    """Every cell forgets the one before; what it counts is what was typed."""
    app = Forgetful(right(TEXT, chars=30))
    for variant in variants(50):
        made = cell(app, SOURCE, variant, seed=1, chars=150, pace=EMBEDDED_PACE)
        assert (made["variant"], made["file"], made["group"]) == (variant.name, "p/read.py", "p")
        assert made["inferences"] == made["requests"] - made["skipped"] - made["cache_hits"]
        assert made["keystrokes"] < made["keystrokes_unaided"]
    assert app.forgotten == len(variants(50))


def test_a_file_without_code_is_no_cell():
    """There is nothing to type again."""
    blank = SourceFile(path=Path("blank.py"), language="python", text="# nothing\n")
    assert cell(Forgetful(silent), blank, variants(50)[0], seed=1, chars=99, pace=None) is None


def test_each_part_is_switched_off_alone():
    """Gate, waiting, cache, stopping, exit and route, always-large, and every peer with the large model."""
    made = {variant.name: variant for variant in variants(50)}
    ours = made["jouline"]
    assert {variant.off for variant in made.values()} == {"", "gate", "waiting", "cache", "stopping", "exit", "route"}
    assert made["no route"].policy == ours.policy
    assert all(
        made[name].wishes == ours.wishes for name in ("no gate", "no waiting", "no cache", "no stopping", "no exit")
    )
    assert all(made[name].wishes.route == "large" for name in (*PEERS, "always-large"))
