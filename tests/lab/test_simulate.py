"""Off-policy evaluation: against values worked out by hand, and on a log whose law is known."""

import json

import numpy as np
import pytest

from jouline.cli.main import main
from jouline.lab.logged import Log, read_log
from jouline.lab.simulate import POLICIES, estimates, replay, simulate

MODELS = ("good-at-a", "good-at-b")


def event(number, task, action, reward, **changes):
    """Return a logged choice."""
    return {
        "query_id": f"q{number}", "run": 0, "step": number, "task": task, "action": action, "propensity": 0.5,
        "reward": reward, "optimal_reward": 0.9,
    } | changes  # fmt: skip


def lawful(count, seed=0):
    """Return a uniformly random log in which the task decides which of two models earns .9, the other .1."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        task, action = rng.choice(["a", "b"]), MODELS[int(rng.integers(2))]
        found.append(event(number, str(task), action, 0.9 if action.endswith(task) else 0.1))
    return found


def written(path, events):
    """Write a log and return its path."""
    path.write_text("".join(json.dumps(each) + "\n" for each in events))
    return path


def by_hand(reward, propensity, action):
    """Return a log of two events of one query each."""
    return Log(
        rows=[{"query_id": "a", "task": "t", "text": ""}, {"query_id": "b", "task": "t", "text": ""}],
        models=("x", "y"), query=np.array([0, 1]), action=np.array(action), propensity=np.array(propensity),
        reward=np.array(reward), optimal=np.ones(2),
    )  # fmt: skip


def test_estimators_are_their_equations():
    """Two events: weights pi/p are 2 and 0 for a policy that always asks x."""
    log = by_hand(reward=[0.8, 0.4], propensity=[0.5, 0.5], action=[0, 1])
    chances = np.array([[1.0, 0.0], [1.0, 0.0]])
    model = np.array([[0.6, 0.0], [0.7, 0.0]])
    found = {name: above.sum() / below.sum() for name, (above, below) in estimates(log, chances, model).items()}

    assert found["ips"] == pytest.approx(2 * 0.8 / 2)
    assert found["snips"] == pytest.approx(0.8)
    assert found["doubly_robust"] == pytest.approx(((0.6 + 2 * (0.8 - 0.6)) + 0.7) / 2)


def test_a_perfect_model_needs_no_log():
    """Doubly robust is what the model expects where the model is right, whatever the weights."""
    log = by_hand(reward=[0.6, 0.3], propensity=[0.1, 0.9], action=[0, 1])
    chances = np.array([[0.5, 0.5], [0.5, 0.5]])
    model = np.array([[0.6, 0.2], [0.4, 0.3]])
    above, below = estimates(log, chances, model)["doubly_robust"]

    assert above.sum() / below.sum() == pytest.approx((0.4 + 0.35) / 2)


def test_a_replay_counts_and_teaches_matches_alone():
    """A policy that always asks x is told of the events in which the log did."""
    log = by_hand(reward=[0.8, 0.4], propensity=[0.5, 0.5], action=[0, 1])
    told = []
    found = replay(log, (lambda _: 0, lambda _context, column, reward: told.append((column, reward))), np.array([1, 0]))

    assert told == [(0, 0.8)]
    assert found.rewards.tolist() == [0.8]
    assert found.regrets.tolist() == pytest.approx([0.2])


def test_all_policies_are_valued_on_a_log_whose_law_is_known(tmp_path):
    """Random earns .5; one model at best a little more; who reads the task earns nearly .9. Truth lies in intervals."""
    log = read_log(written(tmp_path / "log.jsonl", lawful(600)))
    report = simulate(log, POLICIES, replays=5, times=200)
    found = report["policies"]

    assert found.keys() == set(POLICIES)
    assert found["random"]["ips"]["ci95"][0] <= 0.5 <= found["random"]["ips"]["ci95"][1]
    assert found["best-fixed"]["doubly_robust"]["mean_reward"] < 0.6
    for name in ("contextual-epsilon-greedy", "linear-epsilon-greedy", "linucb", "thompson", "knn"):
        assert found[name]["doubly_robust"]["mean_reward"] == pytest.approx(0.9, abs=0.05)
        assert found[name]["doubly_robust"]["mean_regret"] < 0.06
        assert found[name]["paired"]["p_holm"] < 0.2
    linucb = found["linucb"]["replay"]
    assert linucb["mean_reward"] > found["random"]["replay"]["mean_reward"] + 0.2
    assert [point["regret"] for point in linucb["curve"]] == sorted(point["regret"] for point in linucb["curve"])
    json.dumps(report, allow_nan=False)


def test_choices_logged_unevenly_are_thinned_for_replay(tmp_path):
    """Where one model was asked nine times as often, replay of random still earns what random would."""
    rng = np.random.default_rng(1)
    events = []
    for number in range(3000):
        action = int(rng.random() < 0.1)
        events.append(event(number, "t", MODELS[action], float(action), propensity=(0.9, 0.1)[action]))
    report = simulate(read_log(written(tmp_path / "log.jsonl", events)), ["random"], replays=5, times=50)
    found = report["policies"]["random"]

    assert found["replay"]["mean_reward"] == pytest.approx(0.5, abs=0.06)
    assert found["ips"]["mean_reward"] == pytest.approx(0.5, abs=0.06)


def test_the_command_runs_on_ten_rows(tmp_path, capsys):
    """Ten events are enough for every policy; without an optimum regret is null; texts may be there or not."""
    events = lawful(10)
    for each in events[:5]:
        del each["optimal_reward"]
    log = written(tmp_path / "log.jsonl", events)
    table = written(
        tmp_path / "texts.jsonl",
        [
            {"query_id": f"q{n}", "task": "a", "text": f"some text {n}", "cost_unit": "J", "outcomes": {}}
            for n in range(6)
        ],
    )
    assert main(["lab", "simulate", "--log", str(log), "--contexts", str(table), "--replays", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)

    assert report["policies"].keys() == set(POLICIES)
    assert report["policies"]["linucb"]["doubly_robust"]["mean_regret"] is None
    assert main(["lab", "simulate", "--log", str(log), "--policies", "linucb", "--replays", "2"]) == 0
    assert "| linucb |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"propensity": 0.0}, "propensity is not above 0"),
        ({"reward": "much"}, "reward is missing"),
        ({"action": None}, "action is missing"),
        ({"optimal_reward": "x"}, "optimal_reward is missing"),
    ],
)
def test_what_is_no_log_is_told_in_one_sentence(tmp_path, capsys, change, told):
    """The file, the line and what is wrong with it."""
    log = written(tmp_path / "log.jsonl", [event(0, "a", "x", 1.0), event(1, "a", "x", 1.0) | change])
    status = main(["lab", "simulate", "--log", str(log)])
    out, err = capsys.readouterr()

    assert (status, out) == (1, "")
    assert told in err
    assert "Line 2" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(("content", "told"), [("", "no logged choices"), ("{", "cannot be read to its end")])
def test_an_empty_or_damaged_log_is_told(tmp_path, capsys, content, told):
    """One sentence, status 1."""
    (tmp_path / "log.jsonl").write_text(content)

    assert main(["lab", "simulate", "--log", str(tmp_path / "log.jsonl")]) == 1
    assert told in capsys.readouterr().err


def test_an_unknown_policy_is_told(tmp_path, capsys):
    """The names to choose among are listed."""
    log = written(tmp_path / "log.jsonl", lawful(5))

    assert main(["lab", "simulate", "--log", str(log), "--policies", "tarot"]) == 1
    assert "'tarot'" in capsys.readouterr().err
