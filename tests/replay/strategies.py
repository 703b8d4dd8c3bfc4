"""Files that people might have, for the laws of typing."""

from hypothesis import strategies as st

from jouline.replay.passages import Passage

_LINES = st.one_of(
    st.sampled_from(
        [
            "def f(a, b=(1, 2)):",
            "    return a[b]",
            "    if a == 'x':",
            "        pass",
            "x = foo(",
            "    1,",
            ")",
            "y = [",
            "    {'k': \"v\"},",
            "]",
            '    """Docstring with an apostrophe: don\'t."""',
            "# comment (with a bracket",
            "\tif tabs {",
            "      odd = 3",
            "",
            "    ",
            "s = f'{x!r}' + r\"\\\" ",
        ]
    ),
    st.text(alphabet="ab1 _.:,()[]{}'\"\\\t#é𝄞=", max_size=25),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Code-like text with either kind of line break."""
    line_break = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return line_break.join(draw(st.lists(_LINES, min_size=1, max_size=12)))


@st.composite
def passages(draw: st.DrawFn) -> tuple[str, Passage]:
    """Draw a text and any part of it."""
    text = draw(texts())
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    return text, Passage(start=start, end=end)
