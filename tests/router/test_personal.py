"""What a person's own choices add to the gate's prior."""

from hypothesis import given
from hypothesis import strategies as st

from jouline.router.personal import Personal, load_personal

CHANCES = st.floats(0.001, 0.999)
OUTCOMES = st.lists(st.tuples(CHANCES, st.booleans()), max_size=60)


@given(chance=CHANCES, times=st.integers(1, 80))
def test_accepts_raise_and_rejects_lower_the_chance(chance, times):
    """It stays a chance, moves the way of the choices, and is the prior for one of whom nothing is known."""
    keen, weary = Personal(), Personal()
    assert keen.adjusted("python", chance) == chance
    for _ in range(times):
        keen.learn("python", keen.adjusted("python", chance), taken=True)
        weary.learn("python", weary.adjusted("python", chance), taken=False)
    assert 0 < weary.adjusted("python", chance) < chance < keen.adjusted("python", chance) < 1


@given(outcomes=OUTCOMES)
def test_no_run_of_luck_shuts_the_gate_for_good(outcomes):
    """A shift has bounds, so that after any history a place of even chances keeps at least one in sixty."""
    person = Personal()
    for chance, taken in outcomes:
        person.learn("python", chance, taken=taken)
    assert 1 / 60 < person.adjusted("python", 0.5) < 59 / 60


def test_languages_learn_from_each_other_a_little():
    """What was learned in one language counts elsewhere too, but less."""
    person = Personal()
    for _ in range(10):
        person.learn("python", 0.5, taken=True)
    assert 0.5 < person.adjusted("go", 0.5) < person.adjusted("python", 0.5)


@given(outcomes=OUTCOMES)
def test_what_was_learned_is_kept(tmp_path_factory, outcomes):
    """The next session knows the person as the last one did; the file holds numbers and language names alone."""
    path = tmp_path_factory.mktemp("person") / "personal.json"
    person = load_personal(path)
    for chance, taken in outcomes:
        person.learn("python", chance, taken=taken)
    person.save()
    again = load_personal(path)
    assert (again.outcomes, again.shifts) == (person.outcomes, person.shifts)


def test_a_damaged_file_is_nobody(tmp_path):
    """A file that cannot be read, or tells no numbers, is a person of whom nothing is known."""
    path = tmp_path / "personal.json"
    for damage in ("", "[]", "{", '{"outcomes": 3}', '{"outcomes": 1, "shifts": {"*": [NaN, 1]}}'):
        path.write_text(damage)
        assert load_personal(path).shifts == {}
