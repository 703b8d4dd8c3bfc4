"""The live view and the plain lines: what they show of what happened."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.replay.fakes import asking, completion, right
from tests.replay.strategies import passages

from jouline.completion import Completion, Energy
from jouline.replay.code_view import CodeView, Flash
from jouline.replay.events import Accepted, Answered, Began, Event, Rejected, Screen, Superseded, Typed
from jouline.replay.narration import Narrator
from jouline.replay.passages import Passage
from jouline.replay.policy import Policy
from jouline.replay.rhythm import Rhythm
from jouline.replay.session import Session, Wishes
from jouline.replay.sources import SourceFile
from jouline.replay.stage import Stage
from jouline.replay.tally import Tally
from jouline.replay.wording import price, totals, who

GOAL = "import os\n\n\ndef read(path, mode):\n    return open(path, mode).read()\n"


def drawn(text: str, *, ghost: Completion | None = None, width: int = 40, height: int = 6, goal: str = "") -> list[str]:
    """Draw a document with the cursor at its mark `|`; return the lines."""
    before, _, after = text.partition("|")
    view = CodeView(goal or before + after, "python")
    screen = Screen(before=before, pending="", after=after)
    return [line.rstrip() for line in view.draw(screen, ghost, None, width=width, height=height).plain.split("\n")]


def at_width(stage: Stage, width: int, height: int) -> str:
    """Draw the stage without colours on a terminal of this size."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(stage, height=height)
    return out.getvalue()


def played(goal: str = GOAL, passage: Passage | None = None, engine_ms: float = 9.0) -> list[Event]:
    """Type a passage with right suggestions."""
    session = Session(
        ask=asking(right(goal), engine_ms=engine_ms),
        policy=Policy(name="p", editor_delay_ms=0.0),
        rhythm=Rhythm(seed=1),
        wishes=Wishes(),
    )
    source = SourceFile(path=Path("f.py"), language="python", text=goal)
    return list(session.type(source, passage or Passage(start=goal.index("\n    return"), end=len(goal) - 1)))


def test_ghost_text_stands_at_the_cursor() -> None:
    """A suggestion is drawn from the cursor on, over what it takes the place of, and may have several lines."""
    assert drawn("a = f(|)\nb", ghost=completion("x)", replace=1)) == ["   1 a = f(x)", "   2 b"]
    assert drawn("if a:\n    |\nz", ghost=completion("b\n    c")) == [
        "   1 if a:",
        "   2     b",
        "   3     c",
        "   4 z",
    ]


def test_a_long_line_shows_the_cursor() -> None:
    """A line that does not fit is cut on the left, which is shown, so that cursor and suggestion are seen."""
    line = drawn("x = " + "a" * 60 + "|", ghost=completion("bcd"), width=30)[0]
    assert line.startswith("   1 …")
    assert "aaabcd" in line


@given(case=passages(), width=st.integers(20, 100), height=st.integers(1, 20), ghost=st.sampled_from(["", "x", "a\nb"]))
def test_the_view_never_outgrows_its_place(case: tuple[str, Passage], *, width: int, height: int, ghost: str) -> None:
    """Whatever the document, at most `height` lines of at most `width` columns are drawn, one of them the cursor's."""
    goal, passage = case
    view = CodeView(goal, "python")
    screen = Screen(before=goal[: passage.start], pending="", after=goal[passage.end :])
    offered = completion(ghost) if ghost else None
    text = view.draw(screen, offered, Flash(start=0, end=passage.start), width=width, height=height)
    lines = text.plain.split("\n")
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    row = screen.before.count("\n") + 1
    assert any(line.split()[:1] == [str(row)] for line in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 45), (60, 16), (110, 24)])
def test_the_stage_fills_the_terminal_and_no_more(width: int, height: int) -> None:
    """At every size the stage is as large as the terminal and shows code, request, suggestion and totals."""
    stage = Stage(SourceFile(path=Path("f.py"), language="python", text=GOAL), title="f.py", passages=1, seed=0)
    for event in played():
        stage.show(event)
        lines = at_width(stage, width, height).rstrip("\n").split("\n")
        assert len(lines) == height
        assert {len(line) for line in lines} == {width}
    screen = "\n".join(lines)
    for word in ("f.py", "this key", "last suggestion", "so far", "requests", "accepted"):
        assert word in screen


@pytest.mark.parametrize(("width", "height"), [(40, 10), (12, 3), (130, 2)])
def test_a_terminal_made_too_small_breaks_nothing(width: int, height: int) -> None:
    """When the window shrinks during the show, what fits is drawn."""
    stage = Stage(SourceFile(path=Path("f.py"), language="python", text=GOAL), title="f.py", passages=1, seed=0)
    for event in played():
        stage.show(event)
        assert len(at_width(stage, width, height).rstrip("\n").split("\n")) == height


def test_nothing_is_coloured_where_colour_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR leaves no colour in what is drawn."""
    monkeypatch.setenv("NO_COLOR", "1")
    stage = Stage(SourceFile(path=Path("f.py"), language="python", text=GOAL), title="f.py", passages=1, seed=0)
    for event in played():
        stage.show(event)
    out = io.StringIO()
    Console(file=out, width=80, height=24, force_terminal=True).print(stage, height=24)
    codes = [code for part in out.getvalue().split("\x1b[")[1:] for code in part.split("m")[0].split(";")]
    assert not [code for code in codes if code.isdigit() and 30 <= int(code) <= 107]


def test_the_narrator_tells_lines_offers_and_their_fate() -> None:
    """Each typed line is told once as the file has it, each suggestion with model, price and what became of it."""
    narrator = Narrator()
    events = played()
    lines = [line for event in events for line in narrator.tell(event)] + list(narrator.finish())
    told = "\n".join(lines)
    assert sum("    return open(path, mode).read()" in line for line in lines) == 1
    assert "[small, 9 ms; spent ~1 J, saved ~3 J] because" in told
    assert told.count("accepted: all of it") == sum(isinstance(event, Accepted) for event in events) > 0


def test_a_rejected_suggestion_is_told() -> None:
    """What is offered and not taken is not passed over."""
    screen = Screen(before="a = ", pending="", after="")
    offered = Answered(at_ms=1.0, completion=completion("1"), engine_ms=2.0, delay_ms=0.0, again=False, screen=screen)
    narrator = Narrator()
    lines = [*narrator.tell(offered), *narrator.tell(Rejected(at_ms=2.0, completion=offered.completion))]
    assert [line.strip() for line in lines][0::2] == ["? a = «1»", "not accepted"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (completion("a"), "spent ~1 J, saved ~3 J"),
        (
            completion("a", energy=Energy(joules=0.25, method="measured", saved_joules=-0.5)),
            "spent 0.25 J, ~0.5 J more than always-large",
        ),
        (
            completion("a", energy=Energy(joules=0.25, method="attributed", saved_joules=3.0)),
            "spent ~0.25 J, saved ~3 J",
        ),
        (completion(energy=Energy()), "spent —, saved —"),
        (completion("a", action="cache"), "spent ~1 J, saves none: always-large has the cache too"),
        (completion(action="skip"), "spent ~1 J, avoided ~4 J"),
    ],
)
def test_a_price_says_how_it_is_known(answer: Completion, expected: str) -> None:
    """Estimates carry a tilde, the unknown is a dash, and a saving is always an estimate."""
    assert price(answer) == expected


def test_who_answered_is_told_in_order() -> None:
    """Every model that ran is named in order, with the time and the last one's confidence."""
    screen = Screen(before="", pending="", after="")
    answer = completion("a", models_run=("small", "large"), confidence=0.5)
    event = Answered(at_ms=0.0, completion=answer, engine_ms=31.4, delay_ms=0.0, again=False, screen=screen)
    assert who(event).plain == "small, then large, 31 ms, sure 50%"


def test_totals_name_their_method() -> None:
    """The totals say how the joules are known and from what, and what went into stopped requests."""
    tally = Tally()
    for event in played():
        tally.add(event)
    tally.add(Superseded(at_ms=1.0, engine_ms=5.0, joules=0.5, cpu_seconds=0.1))
    told = "\n".join(line.plain for line in totals(tally))
    assert "estimated: test" in told
    assert "~0.5 J more on stopped requests" in told
    assert "75 % of what always-large takes" in told


def test_the_flash_marks_what_was_accepted() -> None:
    """What was just taken is highlighted until a later moment."""
    view = CodeView("ab\ncd", "python")
    screen = Screen(before="ab\ncd", pending="", after="")
    text = view.draw(screen, None, Flash(start=1, end=4), width=20, height=4)
    marked = "".join(text.plain[span.start : span.end] for span in text.spans if str(span.style) == "black on green")
    assert marked == "bc"


def test_a_passage_begins_with_its_gap() -> None:
    """The first thing that happens is that the person sees the file without the passage."""
    first = played()[0]
    assert isinstance(first, Began)
    assert first.screen.before + first.screen.after == "import os\n\n\ndef read(path, mode):\n"
    assert isinstance(played()[1], Typed)
