"""Training and judging the gate on logs of replays and on recorded choices."""

import gzip
import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import CompletionRequest, Generation
from jouline.errors import ConfigError
from jouline.lab.gate_evaluation import calibration, calibration_error, evaluate_gate
from jouline.lab.gate_telemetry import as_they_choose, evaluate_telemetry
from jouline.lab.gate_training import card, fit, log_odds, points, read_log, requests, save, threshold
from jouline.router.gate_features import History, draft_features, place_features
from jouline.router.gate_learned import open_gate
from jouline.router.personal import Personal

pytestmark = pytest.mark.slow

DRAFT = Generation(
    text="x",
    tokens=(1,),
    logprob=-0.2,
    logprobs=(-0.2,),
    margins=(0.5,),
    stop="line",
    prompt_tokens=1,
    prompt_evaluated=1,
    prompt_work=1.0,
    generated_tokens=1,
    prompt_ms=0.0,
    generate_ms=0.0,
)
WEIGHTS = {"small": "a", "large": "b"}


def log(count: int, *, packages: int = 4, seed: int = 0) -> list[dict]:
    """Return rows in which text is taken after a dot and hardly ever elsewhere."""
    chance, rows = random.Random(seed), []
    blank = place_features(CompletionRequest(uri="", language="python", text="", offset=0), History())
    for number in range(count):
        after_dot = chance.random() < 0.3
        offered = chance.random() < (0.6 if after_dot else 0.05)
        taken = offered and chance.random() < 0.7
        seen = blank | {"after_dot": float(after_dot), "word_chars": chance.random()} | draft_features(DRAFT)
        seen["draft_logprob"] = -chance.random() - (0.0 if taken else 1.0)
        row = {"seen": seen, "offered": offered, "accepted_chars": chance.randint(2, 9) if taken else 0}
        rows.append(row | {"cpu_seconds": 0.003, "group": f"package {number % packages}"})
    return rows


@pytest.fixture(scope="module")
def learned():
    """Return rows and both stages fitted to them."""
    rows = requests(log(1500))
    return rows, fit(rows)


CHANCES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), min_size=1, max_size=60)


@given(rows=CHANCES, lost=st.floats(0, 1))
def test_a_threshold_loses_no_more_than_it_may(rows, lost):
    """What was accepted below the threshold is at most the allowed share; nothing allowed holds nothing back."""
    chances, taken = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    found = threshold(chances, taken, lost)
    assert taken[chances < found].sum() <= lost * taken.sum() + 1e-9
    assert found == 0.0 or lost > 0


def test_both_stages_rank_what_is_taken_first(learned):
    """On rows of the same kind that it has not seen, either stage is far better than a coin, and true to its word."""
    rows, stages = learned
    fresh = requests(log(1500, seed=1))
    report = evaluate_gate(stages, points(stages, rows), fresh)
    for stage in ("before", "after"):
        low, high = report[stage]["auc_ci95"]
        assert 0.7 < low <= report[stage]["auc"] <= high
    assert report["before"]["calibration_error"] < 0.05


def test_operating_points_save_more_the_more_they_may_lose(learned):
    """At energy saving 0 nothing is held back; from there on more and more requests are."""
    rows, stages = learned
    report = evaluate_gate(stages, points(stages, rows), rows)["points"]
    avoided = [point["requests_avoided"] for point in report]
    assert avoided == sorted(avoided)
    assert (avoided[0], report[0]["accepted_chars_lost"]) == (0.0, 0.0)
    assert report[2]["energy_saving"] == 50
    assert report[2]["accepted_chars_lost"] <= 0.05


def test_the_product_computes_what_the_lab_does(learned, tmp_path):
    """The chance of the written gate is that of the fitted stages, for each stage."""
    rows, stages = learned
    save(stages, card(rows, stages, points(stages, rows), pair="p", weights=WEIGHTS), tmp_path)
    gate = open_gate(tmp_path, weights=WEIGHTS, personal=Personal())
    request = CompletionRequest(uri="", language="python", text="value.name", offset=6)
    before = gate.before(request)
    after = gate.after(request, before, DRAFT)
    row = {"seen": after.seen, "offered": True, "accepted_chars": 0, "cpu_seconds": 0.0, "group": "g"}
    alone = requests([row])
    assert before.prior == pytest.approx(float(stages.before(alone)[0]), abs=1e-5)
    assert after.p_accept == pytest.approx(float(stages.after(alone)[0]), abs=1e-5)


def test_too_little_to_learn_from_is_one_sentence(tmp_path):
    """Few accepts, no answered request or a file that is no log: each is told with what to do."""
    with pytest.raises(ConfigError, match="replay more code"):
        fit(requests(log(20)))
    with pytest.raises(ConfigError, match="replay more code"):
        requests([])
    with pytest.raises(ConfigError, match="jouline replay --log"):
        read_log([tmp_path / "none.jsonl.gz"])


@given(chances=st.lists(st.floats(0.01, 0.99), min_size=5, max_size=50))
def test_calibration_bins_cover_every_request(chances):
    """Fifths of the requests, in order of their chance; the error lies between 0 and 1."""
    told, true = np.array(chances), np.array(chances) > 0.5
    bins = calibration(told, true)
    assert sum(part["requests"] for part in bins) == len(chances)
    assert [part["told"] for part in bins] == sorted(part["told"] for part in bins)
    assert 0.0 <= calibration_error(told, true) <= 1.0


def telemetry(path, rows: int = 240) -> None:
    """Write choices of six people who take what the model is sure of, without what is known only afterwards."""
    chance = random.Random(4)
    with gzip.open(path, "wt") as out:
        for number in range(rows):
            sure = -2.0 * chance.random()
            sizes = dict.fromkeys(("len_prompt", "words_prompt", "documentLength", "promptCharLen", "promptEndPos"), 90)
            sizes |= dict.fromkeys(("len_suggestion", "words_suggestion", "compCharLen", "numLines", "numTokens"), 4)
            taken = chance.random() < 1.2 + sure
            choice = {"user": number % 6, "event_index": number, "meanLogProb": sure, "meanAlternativeLogProb": -3.0}
            choice |= {"confidence": 0.5, "quantile": 0.5, "outcome": "Accepted" if taken else "Rejected"}
            out.write(json.dumps(sizes | choice) + "\n")


def test_telemetry_is_judged_without_what_is_known_only_afterwards(tmp_path):
    """Rows that lack those fields are enough; each stage comes with its interval over users."""
    telemetry(tmp_path / "t.jsonl.gz")
    report = evaluate_telemetry(tmp_path / "t.jsonl.gz")
    assert (report["rows"], report["users"]) == (240, 6)
    for stage in ("before", "after", "mean_logprob_alone"):
        low, high = report[stage]["auc_ci95"]
        assert low <= report[stage]["auc"] <= high
    assert report["after"]["auc"] > 0.7


@given(choices=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.05, 0.95), st.booleans()), max_size=30))
def test_nobody_is_judged_by_their_own_future_or_by_others(choices):
    """The chance told for a choice depends on the same person's earlier choices alone."""
    users, chances, taken = (np.array(column) for column in zip(*choices, strict=True)) if choices else ([], [], [])
    told = as_they_choose(np.array(chances, dtype=np.float64), np.array(taken, dtype=bool), np.array(users))
    for index in range(len(choices)):
        own = [place for place in range(index + 1) if users[place] == users[index]]
        alone = as_they_choose(chances[own], taken[own], users[own])
        assert told[index] == pytest.approx(alone[-1])
        assert own[0] != index or told[index] == pytest.approx(chances[index])


def test_log_odds_stay_finite():
    """Certainty has log-odds too."""
    assert np.isfinite(log_odds(np.array([0.0, 0.5, 1.0]))).all()
