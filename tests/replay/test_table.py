"""The table of ways to ask: cells, ratios, intervals."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.replay.fakes import SUFFIX, ScriptedApp, completion, right, silent

from jouline.completion import CompletionRequest
from jouline.replay.asking import EMBEDDED_PACE
from jouline.replay.policy import PEERS, POLICIES
from jouline.replay.readings import Readings, seconds_a_prompt_token
from jouline.replay.sources import SourceFile
from jouline.replay.table import SOURCES, cell, summarise, variants

TEXT = (
    "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n\n\nprint(read('a'))\n"
)
SOURCE = SourceFile(path=Path("read.py"), language="python", text=TEXT, group="p")


PRICE = 0.001  # CPU-seconds of a prompt token in the rows below


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


def read_by(cells: dict, *, read: int, own: int) -> dict:
    """Return the cell with what its inferences read, in our order and in its own, at `PRICE` a prompt token."""
    asked = ((1, 1), (9, 3), (2, 8))
    points = np.array([[1.0, tokens, wrote, 0.01 + PRICE * tokens + 0.002 * wrote] for tokens, wrote in asked])
    work = (points.T @ points).tolist()
    return cells | {"prompt_tokens_read": read, "prompt_tokens_own_order": own, "large_work": work}


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


def test_a_peer_s_own_order_is_priced_at_what_a_token_costs_here():
    """Measured CPU-seconds plus the tokens read beyond the real ones at their price; ours stays what was measured."""
    own = {"jouline": 100, "llama.vscode": 4_100, "continue": 300}
    report = summarise([read_by(cells, read=100, own=own[cells["variant"]]) for cells in table()])
    ours, peer = report["variants"]["jouline"], report["variants"]["llama.vscode"]
    assert report["cpu_ms_a_prompt_token"] == pytest.approx(1.0)
    assert peer["cpu_seconds_own_order"] == pytest.approx(3 * (4.0 + PRICE * 4_000))
    assert ours["cpu_seconds_own_order"] == pytest.approx(3 * 1.0)
    assert ours["cpu_own_order_of_reference_percent"] == pytest.approx(12.5)
    assert ours["cpu_of_reference_percent"] == pytest.approx(25.0)
    assert ours["ci95"]["cpu_own_order_of_reference_percent"] == [12.5, 12.5]
    assert peer["cpu_seconds"] == pytest.approx(3 * 4.0)


@pytest.mark.parametrize("old", [{"jouline", "llama.vscode", "continue"}, {"llama.vscode"}])
def test_rows_without_the_counts_leave_the_estimate_out(old):
    """A table begun before they were kept is still read; what is unknown is null and nothing else changes."""
    rows = [cells if cells["variant"] in old else read_by(cells, read=100, own=100) for cells in table()]
    report = summarise(rows)
    ours, peer = report["variants"]["jouline"], report["variants"]["llama.vscode"]
    assert peer["prompt_tokens_own_order"] is peer["cpu_seconds_own_order"] is None
    assert ours["cpu_own_order_of_reference_percent"] is None
    assert ours["ci95"]["cpu_own_order_of_reference_percent"] == [None, None]
    assert ours["cpu_of_reference_percent"] == pytest.approx(25.0)


def test_the_price_is_found_and_no_price_is_made_up():
    """Least squares gives back the price of exact figures; too few kinds of inferences, or none, tell nothing."""
    sums = read_by({}, read=1, own=1)["large_work"]
    one = np.array([1.0, 5.0, 2.0, 0.1])
    work = np.array([sums, np.outer(one, one), np.zeros((4, 4))])
    assert seconds_a_prompt_token(work) == pytest.approx([PRICE, np.nan, np.nan], nan_ok=True)


def test_a_cell_counts_what_its_own_order_would_read():
    """Ours is what was read; a peer's reads its suffix again at every inference, late ones included."""
    app, made = Forgetful(right(TEXT, chars=30)), {}
    for variant in variants(50):
        made[variant.name] = cell(app, SOURCE, variant, seed=1, chars=150, pace=EMBEDDED_PACE)
    ours, peer = made["jouline"], made["llama.vscode"]
    assert ours["prompt_tokens_own_order"] == ours["prompt_tokens_read"] == 2 * ours["inferences"]
    assert peer["prompt_tokens_read"] == 2 * peer["inferences"]
    assert peer["prompt_tokens_own_order"] >= (SUFFIX + 1) * peer["inferences"] > 0
    assert peer["prompt_tokens_evaluated"] <= peer["prompt_tokens_read"]


def test_an_inference_that_was_stopped_leaves_the_count_unknown():
    """Nobody knows how far it had read; what is known of the others is not passed off as the whole."""
    readings = Readings()
    request = CompletionRequest(uri="", language="python", text="a", offset=1)
    readings(request, completion())
    assert readings.prompt_tokens_read == 2
    readings(request, None)
    assert readings.prompt_tokens_read is None
    assert readings.prompt_tokens_own_order(Forgetful(silent), POLICIES["jouline"]) is None


@pytest.mark.filterwarnings("error")
def test_where_the_reference_saves_nothing_there_is_no_ratio():
    """A package in which nothing is saved by anyone leaves the others' interval, and tells nobody of a division."""
    rows = [cells if cells["group"] != "g0" else cells | {"keystrokes": 100} for cells in table()]
    low, high = summarise(rows)["variants"]["jouline"]["ci95"]["keystrokes_saved_of_reference_percent"]
    assert low == high == pytest.approx(95.0)
    nothing = summarise([cells | {"keystrokes": 100} for cells in table()])["variants"]["jouline"]
    assert nothing["keystrokes_saved_of_reference_percent"] is None


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
