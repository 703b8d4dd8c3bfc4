"""The quality floor on streams that change, and estimates shrunk to what other rows bear out."""

import json

import numpy as np
import pytest

from jouline.cli.main import main
from jouline.lab.floor import Trial, run
from jouline.lab.grid import grid
from jouline.lab.outcomes import write
from jouline.lab.queries import Encoder
from jouline.lab.routers.borne_out import BorneOut
from jouline.lab.routers.logistic import Logistic
from jouline.lab.routers.quality_floor import QualityFloor
from tests.lab.rows import made_up

ENDS = ("small", "large")


def grids():
    """Return a train and a test grid of one law."""
    return (grid(made_up(600, seed=seed, groups=60), ENDS, *ENDS) for seed in (1, 2))


def test_mean_quality_stays_above_the_bound_at_less_cost():
    """In all runs, also after the change, and for less than always-large costs."""
    train, test = grids()
    found = run(train, test, Trial(runs=10, requests=2000, percent=85))

    assert found["bound"] == pytest.approx(0.85 * train.quality[:, 1].mean())
    assert found["runs_not_below_bound_less_a_point"]["whole"] == 1.0
    assert found["runs_not_below_bound_less_a_point"]["after_change"] >= 0.9
    assert found["saved_vs_always_large_percent"]["mean"] > 10


def test_a_bound_that_cannot_be_kept_ends_at_the_best_there_is():
    """Above what the large model can do the queue grows until cost counts no more: quality is about always-large's."""
    train, test = grids()
    found = run(train, test, Trial(runs=2, requests=2000, percent=130))

    assert found["quality"]["before_change"]["mean"] > test.quality[:, 1].mean() - 0.03
    assert found["runs_not_below_bound_less_a_point"]["whole"] == 0.0


def test_an_estimate_that_tells_nothing_becomes_the_mean():
    """Taught on noise the margins shrink to nothing; taught on a law they stay."""
    rows = made_up(300, seed=3, groups=30)
    encoder, given = Encoder(rows, ("in_comment",)), grid(rows, ENDS, *ENDS)
    noise = np.random.default_rng(0).integers(0, 2, given.quality.shape).astype(float)
    spreads = []
    for rewards in (noise, given.quality):
        router = BorneOut(lambda: Logistic(ENDS))
        router.learn(encoder.queries(rows), rewards)
        worth = router.worth(encoder.queries(rows))
        spreads.append(np.ptp(worth[:, 1] - worth[:, 0]))
        assert worth.mean(axis=0) == pytest.approx(rewards.mean(axis=0), abs=0.02)

    assert spreads[0] < 0.1
    assert spreads[1] > 0.4


def test_the_queue_begins_where_the_bound_is_just_kept():
    """On the rows it begins with, the choices keep the bound, and those of a shorter queue do not."""
    train, _ = grids()
    encoder = Encoder(train.rows, ("in_comment", "in_string"))
    estimate = BorneOut(lambda: Logistic(ENDS))
    estimate.learn(encoder.queries(train.rows), train.quality)
    bound = 0.9 * train.quality[:, 1].mean()
    floor = QualityFloor(estimate, train.cost.mean(axis=0), bound)
    floor.begin_at(estimate.unseen, train.quality)

    def kept(queue):
        floor.queue = queue
        chosen = [floor.choose(row) for row in estimate.unseen]
        return train.quality[np.arange(len(train)), chosen].mean() >= bound

    begun = floor.queue
    assert begun > 0
    assert kept(begun)
    assert not kept(0.9 * begun)


def test_the_command_runs_on_ten_rows(tmp_path, capsys):
    """Ten rows are enough; JSON is all of stdout; text says the same in words."""
    write(tmp_path / "t.jsonl", made_up(10, groups=5))
    options = ["--train", str(tmp_path / "t.jsonl"), "--runs", "2", "--requests", "50"]
    assert main(["lab", "floor", *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert main(["lab", "floor", *options, "--seen", "0.2"]) == 0

    assert (report["kind"], report["runs"], report["cost_unit"]) == ("floor", 2, "cpu_seconds")
    assert "2 runs of 50 requests" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["lab", "floor", *options, "--seen", "0"])
