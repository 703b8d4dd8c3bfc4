"""Tokenising by lines gives what tokenising the whole gives, and tokenises little."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.engine import tiny

from jouline.engine.llama import Weights
from jouline.pipeline.lines import LineTokens

CODE = st.text(st.sampled_from("ab_( .,'\t\n\r\f\x0b\x1c\x85  ){1é漢😀"), max_size=80)


@pytest.fixture(scope="module")
def plain(tiny_files):
    """Return the tiny models' tokeniser, with Qwen2's pre-tokeniser."""
    with contextlib.closing(Weights(tiny_files.whole)) as opened:
        yield opened.tokenise


@given(texts=st.lists(CODE | st.text(max_size=30), min_size=1, max_size=4))
@example(texts=["a\n\n  \n\tb", "){\n\n\n", "\r\n\r\n    b", "a\rb\n\rc", "x \n \n", "\n", ""])
def test_lines_put_together_are_the_text(plain, texts):
    """Whatever was tokenised before, and whatever stands for a line break."""
    lines = LineTokens(plain)
    for text in texts:
        assert lines(text) == plain(text)


def test_typing_tokenises_the_cursors_line_alone(plain):
    """What stands above it is known."""
    asked = []
    lines = LineTokens(lambda text: asked.append(text) or plain(text))
    above = tiny.SAMPLE * 3
    lines(above + "    x")
    asked.clear()
    lines(above + "    x =")
    assert asked == ["    x ="]
    lines(above.replace("self.path = path", "self.path = road") + "    x =")
    assert asked[1:] == ["        self.path = road\n"]


def test_a_tokeniser_that_needs_the_whole_text_gets_it():
    """One that puts a mark before each text is noticed and not asked for lines."""
    whole = lambda text: [0, *map(ord, text)]  # noqa: E731
    assert LineTokens(whole)("a\nb\nc") == whole("a\nb\nc")
