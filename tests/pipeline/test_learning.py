"""Learning in use: what answers, feedback and shadow evaluations teach."""

import pytest
from tests.pipeline.places import place
from tests.router.test_draft import generation

from jouline.cancel import Cancelled
from jouline.completion import Completion, Feedback
from jouline.energy.ledger import Ledger
from jouline.energy.meter import open_meters
from jouline.pipeline.books import Books
from jouline.pipeline.learning import Learning
from jouline.pipeline.options import PipelineOptions
from jouline.router.calibration import BY_RULE
from jouline.router.floor import SHADOW_EVERY
from jouline.router.memory import Memory


class Large:
    """The large model: writes one text, and remembers how often it was asked."""

    def __init__(self):
        self.asked = 0
        self.text = "width * height"
        self.error = None

    def generate(self, _request, tier, _cancel, _limits):
        assert tier == "large"
        self.asked += 1
        if self.error:
            raise self.error
        return generation(self.text, (-0.1,))


class AtPower:
    """Meters that stand at a power source."""

    def __init__(self, meters, power):
        self._meters, self.power = meters, power

    def window(self):
        return self._meters.window()


@pytest.fixture
def learning(tmp_path):
    """Return a learning with a floor of 90 percent, at mains power, and a ledger on disk."""
    with open_meters() as meters, Ledger(tmp_path / "ledger.db") as ledger:
        learning = Learning(
            memory=Memory(path=tmp_path / "learned.json", made_for="a"),
            display=BY_RULE,
            large_quality=0.2,
            completer=Large(),
            meters=AtPower(meters, "ac"),
            books=Books(ledger, session="s"),
            options=PipelineOptions(),
        )
        learning.floor = 0.9
        learning.ledger = ledger
        yield learning


def answer(number, text="width", models=("small",), action="generate"):
    """Return an answer with an id of its own."""
    return Completion(id=str(number), text=text, action=action, reason="", models_run=models, confidence=0.5)


def type_lines(learning, count, *, models=("small",), text="width"):
    """Answer at so many lines, one below the other; at each, `width * height` is what the person then writes."""
    above = ""
    for number in range(count):
        learning.answered(place(f"{above}area = $0"), answer(number, text, models))
        above += "area = width * height\n"
    learning.answered(place(f"{above}$0"), answer("last", "", models))


def test_suggestions_teach_by_what_was_written(learning):
    """What was not written as suggested counts against the model that suggested it."""
    learning.floor = None
    type_lines(learning, 10)
    tally = learning.memory.experience.languages["python"]["small"]

    assert (tally.expected, tally.taken) == (5.0, 0.0)
    type_lines(learning, 10, text="width * height", models=("large",))
    assert learning.memory.experience.languages["python"]["large"].taken == 10.0
    learning.save()
    assert learning.memory.path.exists()


def test_what_is_accepted_teaches_where_the_file_cannot_tell(learning):
    """Feedback counts where the text before the suggestion has changed since."""
    learning.answered(place("area = $0"), answer(1))
    learning.feedback(Feedback(completion_id="1", outcome="accepted", chars=5))
    learning.answered(place("volume = width\n$0"), answer(2, ""))

    assert learning.memory.experience.languages["python"]["small"].taken == 1.0


def test_shadow_evaluations_are_rare_counted_and_judged(learning):
    """One in so many answers of the small model; the ledger has a row of its own kind; the floor hears of it."""
    type_lines(learning, 2 * SHADOW_EVERY)
    queue = learning.memory.floor("python")

    assert learning._completer.asked == 2
    assert queue.shadows == 2
    assert queue.behind > 0  # the small model was wrong where the large one was right
    assert learning.allowed("python", 60) < 60
    totals = learning.ledger.totals()
    assert totals.shadows == 2
    assert totals.shadow_joules is None or totals.shadow_joules >= 0


@pytest.mark.parametrize("off", ["battery", "switch", "no floor"])
def test_there_are_no_shadow_evaluations_on_battery_or_when_switched_off(learning, off):
    """Neither on battery power, nor with the switch off, nor where no floor asks for them."""
    if off == "battery":
        learning._meters.power = "battery"
    learning.shadows = off != "switch"
    learning.floor = None if off == "no floor" else 0.9
    type_lines(learning, 2 * SHADOW_EVERY)

    assert learning._completer.asked == 0
    assert learning.ledger.totals().shadows == 0


def test_a_shadow_makes_way(learning):
    """A shadow that a person's request stops is paid for and tells nothing."""
    learning._completer.error = Cancelled()
    type_lines(learning, SHADOW_EVERY)

    assert learning.memory.floor("python").shadows == 0
    assert learning.ledger.totals().shadows == 1


def test_requests_for_one_model_or_for_benchmarks_teach_nothing(learning):
    """Only what the router chose, and a person saw, is learned from."""
    for wish in ({"route": "small"}, {"show_all": True}):
        learning.answered(place("area = $0", **wish), answer(1))
        learning.answered(place("area = width\n$0", **wish), answer(2, ""))

    assert learning.memory.experience.languages == {}
