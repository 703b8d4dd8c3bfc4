"""What models cost, kept between sessions: found again under the same circumstances alone, never in the way."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.energy.costbook import FORMAT, KEPT, Circumstances, CostBook
from jouline.energy.savings import CostModel, Prior, Work

MAINS = Circumstances(model="tiny q8 abc", device="a processor", power="ac", unit="cpu-seconds")
WORK = Work(prompt_evaluated=20, generated=5)


def fitted(per_token):
    """Return a model that has seen requests of a known price."""
    model = CostModel(Prior(per_prompt_token=per_token, per_generated_token=per_token))
    for tokens in range(1, 20):
        model.observe(Work(prompt_evaluated=tokens, generated=tokens % 7), per_token * (tokens + tokens % 7))
    return model


@pytest.fixture
def path(tmp_path):
    """Return where the book lies; its folder is not there yet."""
    return tmp_path / "data" / "costs.json"


def saved(path, *kept):
    """Write models to a book."""
    book = CostBook(path)
    for circumstances, model in kept:
        book.keep(circumstances, model)
    book.save()


def test_what_was_learnt_is_known_in_the_next_session(path):
    """The same prediction with the same error, and learning goes on from there."""
    saved(path, (MAINS, fitted(0.5)))
    book = CostBook(path)
    model = book.recall(MAINS)
    assert model.predict(WORK) == fitted(0.5).predict(WORK)
    assert (model.count, book.problem) == (19, None)


@pytest.mark.parametrize("field", ["model", "device", "power", "unit"])
def test_other_circumstances_have_a_model_of_their_own(path, field):
    """Another file, device, power source or unit: not comparable, so not found."""
    saved(path, (MAINS, fitted(0.5)))
    assert CostBook(path).recall(replace(MAINS, **{field: "another"})) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"format": 99, "models": []}',
        '{"format": 1, "models": [{}]}',
        '{"format": 1, "models": 3}',
        "\x00" * 40,
        "[" * 100_000,
    ],
)
def test_a_damaged_or_foreign_file_is_one_sentence_and_a_new_start(path, text):
    """Nothing is recalled, nothing raises, and the next save makes the file good again."""
    path.parent.mkdir()
    path.write_text(text)
    book = CostBook(path)
    assert book.recall(MAINS) is None
    assert str(path) in book.problem
    assert book.problem.endswith(".")
    book.keep(MAINS, fitted(0.5))
    book.save()
    assert CostBook(path).recall(MAINS).count == 19


def test_a_damaged_entry_leaves_the_others(path):
    """One state that is none is told and dropped; its neighbour is recalled."""
    battery = replace(MAINS, power="battery")
    saved(path, (MAINS, fitted(0.5)), (battery, fitted(0.7)))
    document = json.loads(path.read_text())
    document["models"][0]["state"]["line"] = {"seen": "nothing"}
    path.write_text(json.dumps(document))
    book = CostBook(path)
    damaged, whole = (
        Circumstances(**{name: each[name] for name in Circumstances.__dataclass_fields__})
        for each in document["models"]
    )
    assert book.recall(damaged) is None
    assert "damaged" in book.problem
    assert book.recall(whole) is not None


def test_two_editors_keep_each_others_models(path):
    """A save reads the file again: only its own circumstances are replaced."""
    one, other = CostBook(path), CostBook(path)
    one.keep(MAINS, fitted(0.5))
    other.keep(replace(MAINS, power="battery"), fitted(0.7))
    one.save()
    other.save()
    book = CostBook(path)
    assert book.recall(MAINS) is not None
    assert book.recall(replace(MAINS, power="battery")) is not None


def test_the_file_keeps_the_latest_models_alone(path):
    """Whoever tries many models does not gather a file without end."""
    for number in range(KEPT + 3):
        book = CostBook(path, wall=lambda number=number: float(number))
        book.keep(replace(MAINS, model=str(number)), fitted(0.5))
        book.save()
    document = json.loads(path.read_text())
    assert (document["format"], len(document["models"])) == (FORMAT, KEPT)
    assert CostBook(path).recall(replace(MAINS, model="0")) is None
    assert CostBook(path).recall(replace(MAINS, model=str(KEPT + 2))) is not None


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path):
    """What was learnt is used until the end, and nothing raises."""
    (tmp_path / "data").write_text("a file where the folder should be")
    book = CostBook(tmp_path / "data" / "costs.json")
    book.keep(MAINS, fitted(0.5))
    book.save()
    assert book.recall(MAINS).count == 19


def test_a_replay_reads_and_does_not_write(path):
    """Read-only: what is known is used, what is learnt stays in memory."""
    saved(path, (MAINS, fitted(0.5)))
    before = path.read_bytes()
    book = CostBook(path, read_only=True)
    book.recall(MAINS).observe(WORK, 100.0)
    book.save()
    assert path.read_bytes() == before


@given(costs=st.lists(st.floats(0, 1e6), max_size=30))
def test_a_saved_model_is_the_same_model(tmp_path_factory, costs):
    """Whatever was observed, saving and reading changes no prediction."""
    path = tmp_path_factory.mktemp("book") / "costs.json"
    model = CostModel(Prior(per_prompt_token=0.1, per_generated_token=0.2))
    for number, cost in enumerate(costs):
        model.observe(Work(prompt_evaluated=number % 9, generated=number % 4), cost)
    saved(path, (MAINS, model))
    assert CostBook(path).recall(MAINS).predict(WORK) == model.predict(WORK)
