"""Places: which lines hold them, and how they are drawn."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.lab.places import draw, lines_with_room, sources

MODULE = '''"""Module docstring
over two lines."""
import os  # why


def area(width,
         height):
    """Docstring."""
    # only a comment
    text = """kept
    as code"""
    return width * height
'''


def code_lines(text, language="python"):
    """Return the texts of the lines that hold places."""
    return [text[line.start : line.end] for line in lines_with_room(text, language)]


def test_blank_comment_and_docstring_lines_hold_no_places():
    """Only code lines hold places; a string that is a value is code, a docstring is not."""
    expected = [
        "import os  # why",
        "def area(width,",
        "         height):",
        '    text = """kept',
        '    as code"""',
        "    return width * height",
    ]

    assert code_lines(MODULE) == expected


def test_a_place_has_three_characters_written_and_three_left():
    """The cursor stands 3 characters after the indentation at least, 3 characters other than blanks before the end."""
    (line,) = lines_with_room("    x = a + bc  \n", "python")

    assert (line.first, line.last) == (7, 10)


def test_a_line_too_short_for_both_holds_none():
    """Where 3 written and 3 left do not fit, there is no place."""
    assert lines_with_room("a = b\n", "python") == []
    assert len(lines_with_room("ab = cd\n", "python")) == 1


def test_python_that_does_not_tokenise_holds_none():
    """Text that is no Python gives no places rather than wrong ones."""
    assert lines_with_room("def f(:\n    'open\n", "python") == []


def test_other_languages_skip_blank_and_comment_lines():
    """Without a tokeniser of ours, lines that begin as a comment are left out."""
    assert code_lines("// note\n\nlet total = 1;\n", "rust") == ["let total = 1;"]


@given(text=st.text(alphabet="ab =\n(#'", max_size=200), seed=st.integers(0, 9))
def test_every_place_drawn_keeps_the_rule(text, seed):
    """Whatever the text, a drawn place has its 3 characters on either side, in one line."""
    for walk in draw(lines_with_room(text, "plaintext"), 5, per_line=3, rng=random.Random(seed)):
        assert len(set(walk.offsets)) == len(walk.offsets) <= 3
        for offset in walk.offsets:
            left = text[walk.line.start : offset]
            assert "\n" not in text[walk.line.start : walk.line.end]
            assert len(left.lstrip()) >= 3
            assert sum(not char.isspace() for char in text[offset : walk.line.end]) >= 3


def test_longer_lines_are_drawn_more_often():
    """A line's chance grows with its room, so that places fall evenly over characters."""
    text = "abcdefg\n" + "x" * 100 + "\n"
    lines = lines_with_room(text, "plaintext")
    drawn = [draw(lines, 1, per_line=1, rng=random.Random(seed))[0].line.start for seed in range(300)]

    assert drawn.count(8) > 270


def test_the_same_seed_draws_the_same_places():
    """Drawing is repeatable."""
    lines = lines_with_room(MODULE, "python")

    assert draw(lines, 3, per_line=2, rng=random.Random(1)) == draw(lines, 3, per_line=2, rng=random.Random(1))


@pytest.mark.parametrize("folder", ["tests", "_vendor"])
def test_sources_are_grouped_by_package_without_tests_and_vendored_code(tmp_path, folder):
    """A root's name is the group of its files; tests and vendored code are left out."""
    package = tmp_path / "attrs"
    (package / "attr" / folder).mkdir(parents=True)
    (package / "attr" / "core.py").write_text("value = 1\n")
    (package / "attr" / folder / "other.py").write_text("value = 1\n")

    assert [(source.name, source.group) for source in sources([package])] == [("attrs/attr/core.py", "attrs")]
