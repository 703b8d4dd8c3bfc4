"""One line or a block, by the code around the cursor; and a block written line after line."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.golden import block_places
from tests.pipeline.places import place

from jouline.completion import Generation
from jouline.pipeline.blocks import wants_block
from jouline.pipeline.continuation import go_on

PLACES = block_places()


@pytest.mark.parametrize(("rule", "fixture", "block"), PLACES, ids=[rule for rule, _, _ in PLACES])
def test_golden_places(rule, fixture, block):
    """A block is wanted where an empty one begins, and nowhere else."""
    assert wants_block(place(fixture, language=rule.split(":")[0])) == block


@given(before=st.text('ab:{(\n "#', max_size=20), behind=st.text("ab:}\n ", max_size=12))
def test_any_place_has_an_answer(before, behind):
    """No text makes the decision fail, and in the middle of a line it is one line."""
    for language in ("python", "rust", "css"):
        wanted = wants_block(place(f"{before}$0{behind}", language=language))
        assert not (wanted and behind.split("\n")[0].strip())


def line(text: str, *, logprob: float = -0.1, stop: str = "line") -> Generation:
    """Return one line that a model wrote."""
    return Generation(
        text=text,
        tokens=(1, 2),
        logprob=logprob,
        logprobs=(logprob, 0.0),
        margins=(1.0, 1.0),
        stop=stop,
        prompt_tokens=10,
        prompt_evaluated=2,
        prompt_work=2.0,
        generated_tokens=2,
        prompt_ms=1.0,
        generate_ms=1.0,
    )


class Writer:
    """Writes the lines it was given, one a request, and remembers what it was asked."""

    def __init__(self, *lines: Generation) -> None:
        self.lines = list(lines)
        self.asked = []

    def __call__(self, request, limits):
        self.asked.append((request, limits))
        return self.lines.pop(0)


def written(fixture: str, *lines: Generation, floor: float | None = None, language: str = "python") -> str:
    """Return the text of the first line with those that follow it."""
    writer = Writer(*lines[1:])
    whole = go_on(lines[0], place(fixture, language=language), writer, floor=floor, line_tokens=48, room=160)
    return whole.text


BODY = "def f(x):\n    $0\n"


def test_a_body_is_written_to_its_end():
    """Its lines follow each other up to one that is not indented as they are."""
    text = written(BODY, line("y = x"), line("    return y"), line("def g(x):"))
    assert text == "y = x\n    return y"


def test_a_blank_line_ends_it():
    """What follows is another thought."""
    assert written(BODY, line("y = x"), line("")) == "y = x"


def test_a_line_that_opens_a_block_is_followed_by_it():
    """The model decides, where the place asks for a line only; the block is written, not what follows it."""
    text = written("x = 1\n$0\n", line("if x:"), line("    run(x)"), line("print(x)"))
    assert text == "if x:\n    run(x)"


def test_a_line_that_opens_none_stays_alone():
    """No model runs for more."""
    assert written("x = 1\n$0\n", line("y = 2")) == "y = 2"


def test_behind_a_head_the_body_begins_on_the_next_line():
    """The first line is empty then."""
    assert written("def f(x):$0\n", line(""), line("    return x"), line("")) == "\n    return x"


def test_the_line_that_closes_the_block_belongs_to_it():
    """Whether it stands below already is the filters' business."""
    lines = line("  run();"), line("}")
    assert written("$0\n", line("if (x) {"), *lines, language="javascript") == "if (x) {\n  run();\n}"


def test_unlikely_lines_are_left_out():
    """All lines together keep the floor; a line that would fall below it is not kept, those before are."""
    unlikely = line("    z = ", stop="unlikely", logprob=-5.0)
    writer = Writer(line("    y = 1"), unlikely)
    whole = go_on(line("x = 1"), place(BODY), writer, floor=math.log(0.5), line_tokens=48, room=160)
    assert whole.text == "x = 1\n    y = 1"
    assert whole.logprob == pytest.approx(-0.2)
    assert [limits.min_logprob for _, limits in writer.asked] == pytest.approx(
        [math.log(0.5) + 0.1, math.log(0.5) + 0.2]
    )


def test_every_line_counts_even_if_it_is_not_kept():
    """Tokens and prompt are those of all lines, text and probability those of the kept ones."""
    writer = Writer(replace(line("nothing indented"), prompt_evaluated=3))
    whole = go_on(line("return x"), place(BODY), writer, floor=None, line_tokens=48, room=160)
    assert (whole.text, whole.generated_tokens, whole.prompt_evaluated, whole.stop) == ("return x", 4, 5, "block")
    assert len(whole.logprobs) == 2


def test_each_line_is_asked_for_behind_those_before():
    """The document is what it will be once they are taken."""
    writer = Writer(line("    return y"), line(""))
    go_on(line("y = x"), place(BODY), writer, floor=None, line_tokens=48, room=160)
    assert [request.prefix for request, _ in writer.asked] == [
        "def f(x):\n    y = x\n",
        "def f(x):\n    y = x\n    return y\n",
    ]


def test_the_room_is_kept():
    """No line is begun once the tokens are spent."""
    writer = Writer(*[line("    y")] * 20)
    whole = go_on(line("y"), place(BODY), writer, floor=None, line_tokens=48, room=7)
    assert whole.generated_tokens == 8
    assert {limits.max_tokens for _, limits in writer.asked} == {48}


def test_an_unlikely_first_line_is_not_gone_on_with():
    """Who asks by hand may get it, alone."""
    assert written(BODY, line("y = x", logprob=-3.0), floor=math.log(0.5)) == "y = x"
