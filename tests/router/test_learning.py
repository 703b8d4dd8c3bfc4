"""What use teaches: hindsight on suggestions, experience by language, the quality floor, and the file that keeps it."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import CompletionRequest, Feedback
from jouline.router.classifier import Chances
from jouline.router.experience import DRIFT, Experience
from jouline.router.floor import LONGEST, SHADOW_EVERY, QualityQueue
from jouline.router.hindsight import REMEMBERED, Guess, Hindsight
from jouline.router.memory import forget, recall

CHANCES = Chances(both=0.3, only_large=0.2, only_small=0.05, neither=0.45)


def at(source, uri="a.py"):
    """Return the request at the cursor mark."""
    return CompletionRequest(uri=uri, language="python", text=source.replace("$0", ""), offset=source.index("$0"))


def guessed(text="total", *, source="def f():\n    return $0\n"):
    """Return a hindsight that remembers one guess of the small model at the source's mark, under the id `x`."""
    hindsight = Hindsight()
    hindsight.guessed("x", at(source), [Guess(tier="small", text=text, expected=0.6)])
    return hindsight


@pytest.mark.parametrize(
    ("later", "outcome", "taken"),
    [
        ("def f():\n    return total\n$0", None, [1.0]),  # typed by hand as it was suggested
        ("def f():\n    return other\n$0", None, [0.0]),
        ("def f():\n    return tota\n$0", "accepted", [0.8]),  # taken, then changed
        ("def f():\n    return total\n$0", "rejected", [1.0]),  # turned away, then written
        ("def g():\n    return total\n$0", None, []),  # the text before has changed: nothing can be told
        ("def g():\n    return total\n$0", "accepted", [1.0]),
        ("def f():\n    return total$0\n", "accepted", []),  # the cursor is still there
    ],
)
def test_hindsight_asks_the_file(later, outcome, taken):
    """A guess is judged once the cursor has left its line, by what stands there, else by what the person did."""
    hindsight = guessed()
    if outcome:
        hindsight.feedback(Feedback(completion_id="x", outcome=outcome, chars=5))
    judged = hindsight.judge(at(later))

    assert [pytest.approx(one.outcomes[0].taken) for one in judged] == taken
    assert all(one.outcomes[0].expected == 0.6 for one in judged)


def test_a_place_is_judged_once():
    """What was judged is forgotten, and another document tells nothing of it."""
    hindsight, later = guessed(), at("def f():\n    return total\n$0")

    assert hindsight.judge(replace(later, uri="b.py")) == []
    assert len(hindsight.judge(later)) == 1
    assert hindsight.judge(later) == []


def test_what_is_offered_again_counts_for_the_first_offer():
    """Accepting what a cache gave for the rest of a suggestion accepts the suggestion."""
    hindsight = guessed()
    hindsight.again("y", at("def f():\n    return to$0\n"), "tal")
    hindsight.feedback(Feedback(completion_id="y", outcome="accepted", chars=3))

    assert hindsight.judge(at("def g():\n    return total\n$0"))[0].outcomes[0].taken == 1.0


def test_a_shadow_is_judged_beside_the_answer():
    """Both models' texts are held against what was written."""
    hindsight = guessed("width")
    hindsight.compared("x", Guess(tier="large", text="total", expected=0.7))
    (judged,) = hindsight.judge(at("def f():\n    return total\n$0"))

    assert judged.shadow
    assert [(one.tier, one.taken) for one in judged.outcomes] == [("small", 0.0), ("large", 1.0)]


def test_only_the_latest_are_remembered():
    """Memory stays bounded."""
    hindsight = Hindsight()
    for number in range(REMEMBERED + 10):
        hindsight.guessed(str(number), at("x = $0\n"), [Guess(tier="small", text="1", expected=0.5)])

    assert len(hindsight.judge(at("x = 1\n$0"))) == REMEMBERED


def lived(small, large, language="python", times=300):
    """Return an experience of suggestions expected at 1/2, kept at these rates."""
    experience = Experience()
    for _ in range(times):
        experience.learn(language, "small", expected=0.5, taken=small)
        experience.learn(language, "large", expected=0.5, taken=large)
    return experience


def mean_gain(experience, language="python"):
    """Return the mean of many drawn gains."""
    rng = random.Random(0)
    return sum(experience.gain(language, CHANCES, rng) for _ in range(400)) / 400


def test_the_model_whose_suggestions_are_kept_is_asked_more():
    """A large model that is taken more than expected gains, one that is taken less loses, in that language alone."""
    assert mean_gain(lived(0.3, 0.6)) > CHANCES.net_gain + 0.02
    assert mean_gain(lived(0.6, 0.3)) < CHANCES.net_gain - 0.02
    assert mean_gain(lived(0.3, 0.6), "go") == pytest.approx(CHANCES.net_gain)


def test_a_person_who_takes_little_changes_nothing():
    """What is taken less from both models alike leaves the choice between them as it was calibrated."""
    assert mean_gain(lived(0.25, 0.25)) == pytest.approx(CHANCES.net_gain, abs=0.01)


@given(
    st.lists(st.tuples(st.sampled_from(["small", "large"]), st.floats(0, 1), st.floats(0, 1)), max_size=60),
    st.integers(0, 99),
)
def test_the_drift_is_bounded(events, seed):
    """Whatever was lived, a gain never moves further than `DRIFT` from the calibrated one."""
    experience = Experience()
    for tier, expected, taken in events:
        experience.learn("python", tier, expected=100 * expected, taken=100 * taken)

    assert abs(experience.gain("python", CHANCES, random.Random(seed)) - CHANCES.net_gain) <= DRIFT + 1e-12


def test_memory_survives_a_restart(tmp_path):
    """What was learned is there again, for the same router alone."""
    path = tmp_path / "data" / "pair.learned.json"
    memory = recall(path, made_for="a")
    memory.experience.learn("python", "large", expected=0.5, taken=1.0)
    memory.floor("python").compared(floor=0.9, served=0.0, large=1.0)
    memory.save()
    again = recall(path, made_for="a")

    assert again.experience == memory.experience
    assert again.floors == memory.floors
    assert again.problem is None
    assert recall(path, made_for="b").experience.suggestions == 0
    assert forget(path)
    assert not forget(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 99}',
        '{"version": 1}',
        '{"version": 1, "made_for": "a", "floors": {}, "languages": {"python": {"small": [-1, 0], "large": [0, 0]}}}',
    ],
)
def test_a_damaged_memory_is_told_once_and_starts_anew(tmp_path, text):
    """A file that cannot be read gives the calibrated start and one sentence."""
    path = tmp_path / "learned.json"
    path.write_text(text)
    memory = recall(path, made_for="a")

    assert memory.experience == Experience()
    assert memory.problem is not None
    assert memory.problem.endswith("it starts from its calibration again.")


def test_a_memory_without_a_path_writes_nothing(tmp_path):
    """What is replayed is not the user's own work."""
    memory = recall(None, made_for="a")
    memory.save()

    assert list(tmp_path.iterdir()) == []


def test_memory_holds_no_source_text(tmp_path):
    """The file holds numbers under language names."""
    memory = recall(tmp_path / "learned.json", made_for="a")
    memory.experience.learn("python", "small", expected=0.5, taken=0.5)
    memory.save()

    assert json.loads((tmp_path / "learned.json").read_text()) == {
        "version": 1,
        "made_for": "a",
        "languages": {"python": {"small": [0.5, 0.5], "large": [0.0, 0.0]}},
        "floors": {},
    }


def test_falling_short_of_the_floor_takes_energy_saving_back():
    """The further behind, the less may be saved; at the longest queue nothing; being better pays it back."""
    queue = QualityQueue()
    assert queue.allowed(60) == 60
    queue.compared(floor=0.9, served=0.0, large=1.0)
    assert queue.behind == pytest.approx(0.9 * SHADOW_EVERY)
    assert queue.allowed(60) < 60
    for _ in range(50):
        queue.compared(floor=0.9, served=0.0, large=1.0)
    assert (queue.behind, queue.allowed(60)) == (LONGEST, 0.0)
    for _ in range(500):
        queue.compared(floor=0.9, served=1.0, large=1.0)
    assert queue.allowed(60) == 60


def test_the_large_models_own_answers_pay_back_what_is_short():
    """An answer of the large model is worth more than a floor below 100 percent asks for."""
    queue = QualityQueue(behind=10.0)
    for _ in range(100):
        queue.large_served(floor=0.9, p_large_ok=0.5)

    assert queue.behind == pytest.approx(5.0)
