"""Which parts of a file are drawn."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.replay.strategies import texts

from jouline.replay.passages import choose_passages
from jouline.replay.sources import SourceFile

CODE = '''"""Module docstring
over two lines."""

import os


def f(a):
    """What it does."""
    # why it does it
    b = a + 1
    return b
'''


@given(texts(), st.integers(0, 100), st.integers(1, 300))
def test_passages_are_whole_lines_that_do_not_overlap(text: str, seed: int, chars: int) -> None:
    """Each passage ends where a line ends and begins where one ends or the file begins; no two share a character."""
    chosen = sorted(choose_passages(text, language="python", seed=seed, chars=chars), key=lambda p: p.start)
    for passage in chosen:
        assert passage.length > 0
        assert passage.start == 0 or text[passage.start] in "\r\n"
        assert passage.end == len(text) or text[passage.end] in "\r\n"
    for left, right in itertools.pairwise(chosen):
        assert left.end <= right.start


def test_the_seed_alone_decides() -> None:
    """The same seed draws the same passages, another seed another order."""
    draws = [choose_passages(CODE * 9, language="python", seed=seed, chars=100) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_prose_is_not_typed() -> None:
    """Docstrings, comments and blank lines are in no passage."""
    for seed in range(30):
        for passage in choose_passages(CODE, language="python", seed=seed, chars=400):
            lines = CODE[passage.start : passage.end].split("\n")[1:]
            assert {line.split()[0] for line in lines} <= {"import", "def", "b", "return"}


def test_about_as_much_is_drawn_as_wished() -> None:
    """The passages together stay within the wish where the file has enough of them."""
    drawn = sum(p.length for p in choose_passages(CODE * 40, language="python", seed=3, chars=600))
    assert 500 <= drawn <= 600


def test_a_bracket_alone_is_typed_with_its_block_only() -> None:
    """A line with hardly a character on it is no passage of its own."""
    text = "f(\n)\n" * 20
    for passage in choose_passages(text, language="python", seed=1, chars=100):
        assert text[passage.start : passage.end].strip() != ")"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("a\n", "    "),
        ("if a {\n\tb\n}\n", "\t"),
        ("a {\n  b\n  c {\n    d\n", "  "),
        ("a:\n    b(\n          c)\n    d:\n        e", "    "),
    ],
)
def test_the_file_s_own_step_of_indentation_is_used(text: str, unit: str) -> None:
    """Enter indents as the file does: by tabs, or by its usual number of spaces."""
    assert SourceFile(path=Path("f"), language="python", text=text).indent_unit == unit


def test_a_file_of_prose_gives_nothing() -> None:
    """Where no line is code, nothing is drawn."""
    assert choose_passages("# only\n\n# comments\n", language="python", seed=0, chars=100) == []
