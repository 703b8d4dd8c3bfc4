"""One request from end to end, with models that write what the test says."""

import contextlib
import dataclasses
import math
from dataclasses import replace

import pytest
from tests.pipeline.places import place

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Feedback, Generation, Prompt
from jouline.energy.costbook import CostBook
from jouline.energy.ledger import Ledger
from jouline.energy.meter import open_meters
from jouline.errors import ConfigError, EngineError
from jouline.pipeline.account import Account, AlwaysLarge
from jouline.pipeline.books import Books
from jouline.pipeline.costs import Costs
from jouline.pipeline.exclusions import Exclusions
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.serve import Pipeline
from jouline.router.cascade import ConfidenceRouter
from jouline.router.gate_learned import OpenGate

PLACE = "import os\nresult = $0\n"
OPTIONS = PipelineOptions(max_document_chars=5_000)


def written(text: str, chance: float) -> Generation:
    """Return a model's text with its own estimate that it is right."""
    return Generation(
        text=text,
        tokens=(1, 2),
        logprob=math.log(chance),
        logprobs=(math.log(chance), 0.0),
        margins=(chance, 1.0),
        stop="line",
        prompt_tokens=10,
        prompt_evaluated=4,
        prompt_work=4.0,
        generated_tokens=2,
        prompt_ms=1.0,
        generate_ms=2.0,
    )


class Models:
    """Both models of a pair; each writes one text, and both remember what they were asked."""

    def __init__(self) -> None:
        self.small, self.large = written("sure(small)", 0.99), written("sure(large)", 0.99)
        self.others = ()
        self.asked = []
        self.error: BaseException | None = None

    def generate(self, request, tier, _cancel, limits):
        self.asked.append((tier, limits))
        if self.error:
            raise self.error
        return getattr(self, tier)

    def candidates(self, request, tier, cancel, limits, count):
        return [getattr(self, tier), *(written(text, 0.2) for text in self.others)][:count]

    def prompt(self, _request, _tier, _room):
        return Prompt(tokens=(1, 2, 3))

    def standing(self, _request, _tier, _room):
        return 1.0

    @property
    def tiers(self) -> list[str]:
        return [tier for tier, _ in self.asked]


@pytest.fixture
def models() -> Models:
    """Return models that are sure of their text."""
    return Models()


@pytest.fixture(scope="module")
def meters():
    """Open this machine's meters."""
    with contextlib.closing(open_meters()) as opened:
        yield opened


@pytest.fixture
def books(tmp_path):
    """Open the books of a session with a ledger of its own."""
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        yield Books(ledger, session="test")


@pytest.fixture
def pipeline(models, meters, books) -> Pipeline:
    """Return a pipeline with the cascade by confidence."""
    costs = Costs(meters, CostBook(None), {"small": "little", "large": "big"}, "a processor")
    return Pipeline(
        completer=models,
        router=ConfidenceRouter(),
        account=Account(meters, costs, AlwaysLarge(8.0), "big"),
        books=books,
        model_ids={"small": "little", "large": "big"},
        options=OPTIONS,
    )


def ask(pipeline: Pipeline, fixture: str = PLACE, **wishes):
    """Have one place answered."""
    return pipeline.serve(place(fixture, **wishes), CancelToken())


def test_a_sure_draft_of_the_small_model_is_the_answer(pipeline, models):
    """The large model is not asked, and the answer says who wrote it."""
    answer = ask(pipeline)
    assert (answer.text, answer.action, answer.model, answer.model_id) == ("sure(small)", "generate", "small", "little")
    assert models.tiers == ["small"]
    assert answer.confidence == pytest.approx(0.99)


def test_a_doubtful_draft_goes_to_the_large_model_once(pipeline, models):
    """The large model's text is the answer, whatever it thinks of it itself as long as that is enough to be shown."""
    models.small, models.large = written("small", 0.3), written("large", 0.6)
    answer = ask(pipeline)
    assert (answer.text, answer.model, answer.models_run) == ("large", "large", ("small", "large"))
    assert (answer.tokens.prompt_evaluated, answer.tokens.generated) == (8, 4)


def test_a_hopeless_draft_is_not_shown_and_not_tried_again(pipeline, models):
    """Nothing is offered; the same place stays silent without any inference, until someone asks by hand."""
    models.small = written("hopeless", 0.001)
    silent, again, by_hand = ask(pipeline), ask(pipeline), ask(pipeline, trigger="invoked")

    assert (silent.action, silent.text, silent.model) == ("none", "", None)
    assert (again.action, again.text, again.models_run) == ("cache", "", ())
    assert by_hand.text == "hopeless"
    assert models.tiers == ["small", "small"]


def test_what_is_typed_along_needs_no_model(pipeline, models):
    """The rest of a suggestion comes from the cache and fits what stands right of the cursor now."""
    models.small = written("compute(x)", 0.99)
    ask(pipeline)
    rest = ask(pipeline, "import os\nresult = compute($0)\n")
    assert (rest.text, rest.replace, rest.action, rest.models_run) == ("x)", 1, "cache", ())
    assert rest.model is rest.model_id is None
    assert rest.energy.saved_joules == 0.0


class Shut(OpenGate):
    """A gate that lets nothing through, or hides every draft."""

    def __init__(self, *, before: bool) -> None:
        super().__init__()
        self.shut_before = before

    def before(self, request):
        reason = "Hardly ever taken." if self.shut_before else None
        return dataclasses.replace(super().before(request), reason=reason, p_accept=0.01, at_once=False)

    def after(self, request, before, draft):
        return dataclasses.replace(super().after(request, before, draft), reason="Hardly ever taken, like this.")


@pytest.mark.parametrize("before", [True, False])
def test_the_gate_holds_back_what_is_not_asked_for_by_hand(pipeline, models, before):
    """Before inference no model runs; after it the text is not shown; who asks by hand or waives the gate gets it."""
    pipeline.gate = Shut(before=before)
    held = ask(pipeline, cache=False)
    assert (held.text, held.action) == ("", "skip" if before else "none")
    assert held.reason.startswith("Hardly ever taken")
    assert models.tiers == ([] if before else ["small"])
    assert ask(pipeline, cache=False, trigger="invoked").text == ask(pipeline, cache=False, gate=False).text != ""


def test_a_key_that_needs_no_inference_starts_none(pipeline, models):
    """Typing along an offer, deleting, moving into words and pausing at the same place run no model at all."""
    models.small = written("compute(x)", 0.99)
    ask(pipeline)
    asked = len(models.asked)
    for typed in ("c", "co", "comp", "compute", "compute("):
        assert ask(pipeline, f"import os\nresult = {typed}$0\n").action == "cache"
    assert ask(pipeline).action == "cache"
    assert ask(pipeline, "import os\nresul$0\n", deleted=True).action == "skip"
    assert ask(pipeline, "import os\nres$0ult = \n").action == "skip"
    assert ask(pipeline, "import os\nprint(os)$0\n").action == "skip"
    assert len(models.asked) == asked


def test_what_waits_and_what_does_not(pipeline):
    """Only an automatic request that a model will be asked, at an unpromising place, waits for a pause."""
    pipeline.gate = Shut(before=False)
    place_now = place(PLACE, usual_gap_ms=150.0)
    assert pipeline.wait_ms(place_now) == pytest.approx(150.0)
    assert pipeline.wait_ms(place_now, factor=2.0) == pytest.approx(300.0)
    assert pipeline.wait_ms(place(PLACE, trigger="invoked")) == 0.0
    assert pipeline.wait_ms(place("import os\nres$0ult = \n")) == 0.0
    ask(pipeline)
    assert pipeline.wait_ms(place_now) == 0.0  # known now


def test_an_unsure_text_asked_for_by_hand_is_not_offered_later(pipeline, models):
    """Who asked by hand saw it; typing along it brings up nothing, and nothing is asked twice at its place."""
    models.small = written("compute(x)", 0.001)
    assert ask(pipeline, trigger="invoked").text == "compute(x)"
    later = ask(pipeline)
    assert (later.text, later.action) == ("", "cache")
    assert ask(pipeline, "import os\nresult = com$0\n").text == ""
    assert ask(pipeline, "import os\nresult = com$0\n", trigger="invoked").text == "pute(x)"


def test_without_stopping_early_texts_are_written_to_their_end(pipeline, models):
    """The peers' way: the display threshold decides what is shown, not when decoding ends."""
    ask(pipeline, cache=False, stop_early=False)
    ask(pipeline, cache=False)
    (_, natural), (_, ours) = models.asked
    assert natural.min_logprob is None
    assert ours.min_logprob is not None


def test_energy_saving_0_is_always_the_large_model(pipeline, models):
    """And a fixed route or a catalogue id is obeyed."""
    ask(pipeline, energy_saving=0, cache=False)
    for route in ("small", "large", "little", "big"):
        ask(pipeline, route=route, cache=False)
    assert models.tiers == ["large", "small", "large", "small", "large"]


def test_an_unknown_route_is_one_sentence(pipeline, models):
    """It names the routes that there are, and no model runs."""
    with pytest.raises(ConfigError, match=r"'huge' .* auto, small, large, little, big\.$"):
        ask(pipeline, route="huge")
    assert not models.asked


def test_the_gate_and_the_size_limit_decline_without_a_model(pipeline, models):
    """A hopeless place and a huge file get a reason; who waives the gate passes it."""
    inside = "import os\nresult = comp$0ute(values)\n"
    huge = "x = 1\n" * 1000 + "y = $0\n"
    declined = [ask(pipeline, inside), ask(pipeline, huge), ask(pipeline, huge, gate=False, trigger="invoked")]
    assert [(one.action, one.text, one.models_run) for one in declined] == [("skip", "", ())] * 3
    assert all(one.reason.endswith(".") for one in declined)
    assert not models.asked
    assert ask(pipeline, inside, gate=False).models_run == ("small",)


def test_only_automatic_requests_stop_below_the_display_threshold(pipeline, models):
    """Who asks by hand, and a benchmark, gets the text whatever its confidence."""
    for wishes in ({}, {"trigger": "invoked"}, {"show_all": True}):
        ask(pipeline, cache=False, route="large", **wishes)
    floors = [limits.min_logprob for _, limits in models.asked]
    assert floors[0] is not None
    assert floors[0] < 0
    assert floors[1:] == [None, None]


def test_several_lines_end_with_the_block(pipeline, models):
    """Only a wish for several lines gives them room, up to the first line indented no deeper than the cursor's."""
    ask(pipeline, "def f():\n    if x:$0\n", multiline="always", cache=False)
    ask(pipeline, "def f():\n    if x:$0\n", multiline="never", cache=False)
    (_, block), (_, line) = models.asked
    assert (block.single_line, block.block_indent, block.max_tokens) == (False, 4, OPTIONS.max_block_tokens)
    assert (line.single_line, line.max_tokens) == (True, OPTIONS.max_line_tokens)


def test_without_the_cache_nothing_is_remembered(pipeline, models):
    """A benchmark's rows do not answer each other, nor anybody else."""
    ask(pipeline, cache=False)
    ask(pipeline, cache=False)
    ask(pipeline)
    assert models.tiers == ["small"] * 3


def test_a_text_that_does_not_fit_is_not_offered(pipeline, models):
    """What the filters decline has the filter's reason, and no model is named as its author."""
    models.small = written("compute(x)", 0.99)
    answer = ask(pipeline, "import os\nresult = $0\nresult = compute(x)\n")
    assert (answer.action, answer.text, answer.model) == ("none", "", None)
    assert answer.reason == "It would only repeat the next line."
    assert answer.models_run == ("small",)


def test_cancelled_work_is_booked_and_nothing_else(pipeline, models, books):
    """A token set before the start runs nothing; one set while a model runs leaves a row of what it cost."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        pipeline.serve(place(PLACE), token)
    assert not models.asked
    assert books.session().cancelled == 0

    models.error = Cancelled()
    with pytest.raises(Cancelled):
        ask(pipeline)
    assert books.session().cancelled == 1
    assert books.session().requests == 0


def test_a_broken_model_does_not_break_the_pipeline(pipeline, models):
    """Its error reaches the caller; the next request is answered."""
    models.error = EngineError("The model is gone.")
    with pytest.raises(EngineError):
        ask(pipeline)
    models.error = None
    assert ask(pipeline).text == "sure(small)"


def test_times_and_counts_add_up(pipeline, models, books):
    """Waiting, routing and models are parts of the whole; every answer is in the books."""
    answer = pipeline.serve(place(PLACE), CancelToken(), queue_ms=5.0)
    times = answer.timings
    assert (times.queue_ms, times.prompt_ms, times.generate_ms) == (5.0, 1.0, 2.0)
    assert times.total_ms >= times.queue_ms + times.route_ms
    assert (answer.tokens.prompt, answer.tokens.prompt_evaluated, answer.tokens.generated) == (10, 4, 2)
    assert answer.id != ask(pipeline).id
    assert books.session().by_source == {"small": 1, "cache": 1}


def test_what_is_surely_wrong_is_not_offered_even_by_hand(pipeline, models):
    """In an empty file a small model writes something of which it knows itself that it is wrong."""
    models.small = written("garbage", 0.00001)
    answer = ask(pipeline, "$0", trigger="invoked")
    assert (answer.text, answer.action) == ("", "none")
    assert answer.reason == "The small model does not know how to go on here."
    assert ask(pipeline, "$0", trigger="invoked", show_all=True).text == "garbage"


def test_up_to_three_candidates_each_text_once(pipeline, models):
    """They fit what stands right of the cursor, as the first does; texts that become the same are one."""
    models.others = ("other)", "sure(small)", "other")
    answer = ask(pipeline, "import os\nresult = f($0)\n", trigger="invoked", candidates=4)
    assert [answer.text, *(other.text for other in answer.others)] == ["sure(small)", "other)", "other"]
    assert [answer.replace, *(other.replace for other in answer.others)] == [0, 1, 0]
    assert answer.tokens.generated > 2
    assert ask(pipeline, "import os\nresult = f($0)\n").others == ()


def test_several_candidates_are_never_answered_from_the_cache(pipeline, models):
    """It holds one text a place; who cycles wants others."""
    ask(pipeline)
    assert ask(pipeline).action == "cache"
    models.others = ("another",)
    answer = ask(pipeline, trigger="invoked", candidates=3)
    assert (answer.action, len(answer.others)) == ("generate", 1)


def test_the_rest_of_another_candidate_needs_no_model(pipeline, models):
    """A word of the second or third was taken: its rest is offered from the cache, though the first begins alike."""
    models.small, models.others = written("total(values)", 0.99), ("total(values, start=1)", "sorted(values)")
    answer = ask(pipeline, trigger="invoked", candidates=3)
    assert len(answer.others) == 2
    asked = len(models.asked)
    third = ask(pipeline, "import os\nresult = sorted$0\n")
    assert (third.text, third.action) == ("(values)", "cache")
    assert ask(pipeline, "import os\nresult = total$0\n").text == "(values)"
    pipeline.feedback(Feedback(completion_id=answer.id, outcome="partial", chars=5, candidate=1))
    second = ask(pipeline, "import os\nresult = total$0\n")
    assert (second.text, second.action, second.models_run) == ("(values, start=1)", "cache", ())
    assert len(models.asked) == asked


def test_a_part_taken_of_an_unsure_text_makes_it_welcome(pipeline, models):
    """Its rest is offered unasked; before, it would only have answered who asks by hand."""
    models.small = written("compute(x)", 0.001)
    answer = ask(pipeline, trigger="invoked")
    assert ask(pipeline, "import os\nresult = compute$0\n").text == ""
    pipeline.feedback(Feedback(completion_id=answer.id, outcome="partial", chars=7))
    assert ask(pipeline, "import os\nresult = compute($0)\n").text == "x)"


def test_a_block_is_written_where_one_begins(pipeline, models):
    """Line after line, by the model that wrote the first; a wish for one line is kept."""
    place_of_body = "def compute(x):\n    $0\n"
    ask(pipeline, place_of_body, multiline="never", cache=False)
    assert len(models.asked) == 1
    answer = ask(pipeline, place_of_body, cache=False)
    assert len(models.asked) == 3
    assert answer.text == "sure(small)"  # the next line was not indented
    assert answer.tokens.generated == 4


def test_no_model_is_shown_a_file_of_secrets(pipeline, models):
    """Whatever is asked there, also by hand, has its reason; a user's globs add to the list."""
    for trigger in ("automatic", "invoked"):
        answer = ask(pipeline, PLACE, uri="file:///home/me/.env", trigger=trigger)
        assert (answer.action, answer.text) == ("skip", "")
        assert "secrets" in answer.reason
    pipeline.exclusions = Exclusions(["*.py"])
    assert "jouline.exclude" in ask(pipeline).reason
    assert not models.asked


def test_what_is_left_after_a_part_was_taken_needs_no_model(pipeline, models):
    """A word, or a line of a block: the rest is offered from the cache, on the next line too."""
    models.small = written("total = first(values)", 0.99)
    body = "def compute(values):\n    $0\n"
    ask(pipeline, body)
    asked = len(models.asked)
    word = ask(pipeline, "def compute(values):\n    total = $0\n")
    assert (word.text, word.action) == ("first(values)", "cache")
    assert len(models.asked) == asked

    entry = place(body)
    pipeline._cache.put(entry, replace(pipeline._cache.get(entry), text="total = 1\n    return total"))
    line = ask(pipeline, "def compute(values):\n    total = 1\n$0\n")
    assert (line.text, line.action) == ("    return total", "cache")
    assert len(models.asked) == asked
