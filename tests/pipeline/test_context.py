"""Which part of a document a model sees."""

from hypothesis import example, given
from hypothesis import strategies as st

from jouline.pipeline.context import suffix_window, window_start

LINES = st.lists(st.integers(0, 60).map(lambda width: "x" * width + "\n"), max_size=60).map("".join)
BUDGET = st.integers(0, 400)
STEP = st.integers(1, 300)


@given(text=LINES, data=st.data(), budget=BUDGET, step=STEP)
def test_the_window_fits_and_uses_a_third_of_the_budget(text, data, budget, step):
    """The prefix is never longer than the budget and, where there is more, never shorter than a third of it."""
    offset = data.draw(st.integers(0, len(text)))
    start = window_start(text, offset, budget, step)

    assert 0 <= start <= offset
    assert offset - start <= budget
    assert offset - start >= min(offset, budget // 3)
    assert start == 0 if offset <= budget else start > 0


@given(text=LINES, budget=BUDGET, step=STEP)
@example(text=("x" * 60 + "\n") * 40, budget=300, step=100)
@example(text="x" * 1500, budget=300, step=100)
def test_typing_forward_moves_the_window_in_steps(text, budget, step):
    """From cursor to cursor the start only moves forward, and no more than twice for each step gone."""
    starts = [window_start(text, offset, budget, step) for offset in range(len(text) + 1)]
    real_step = max(1, min(step, budget // 3))

    assert starts == sorted(starts)
    assert len(set(starts)) <= 2 + 2 * len(text) / real_step


@given(width=st.integers(0, 30), lines=st.integers(0, 80), budget=st.integers(150, 400))
def test_with_ordinary_lines_it_stands_at_a_line_start(width, lines, budget):
    """Where lines are shorter than a step, the window begins with a whole line."""
    text = ("x" * width + "\n") * lines
    start = window_start(text, len(text), budget, 50)
    assert start == 0 or text[start - 1] == "\n"


def test_a_line_end_behind_a_long_line_does_not_empty_the_window():
    """Pressing Enter at the end of a very long line keeps most of what was in view."""
    text = "x" * 5000 + "\nprint("
    assert len(text) - window_start(text, len(text), 2700, 1000) > 900


@given(suffix=st.text("ab\n\r", max_size=80), budget=st.integers(1, 60))
@example(suffix="\n" * 50, budget=5)
@example(suffix="a" * 80, budget=5)
def test_the_suffix_is_cut_behind_a_line(suffix, budget):
    """It is a beginning of the suffix that fits: whole lines, or a part of the first if that alone is too long."""
    window = suffix_window(suffix, budget)

    assert suffix.startswith(window)
    assert len(window) <= budget
    assert window in {suffix, suffix[:budget]} or window.endswith("\n")
    assert window or not suffix
