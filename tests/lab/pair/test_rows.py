"""Training rows show what the engine will show: the same order of parts, whole examples, honest block ends."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.catalogue.card import bundled_folder
from jouline.lab.pair import rows, tokenizer
from jouline.lab.pair.rows import Example

THING = """class Thing{i}:
    def method(self, value_{i}):
        if value_{i}:
            return self.other

        x = 1
"""
TEXT = "\n".join(THING.format(i=i) for i in range(60))


@pytest.fixture(scope="module")
def coding() -> tokenizer.Tokenizer:
    """Return the shipped tokenizer."""
    return tokenizer.load(bundled_folder() / "tokenizer.json")


@pytest.mark.parametrize(
    ("marked", "block"),
    [
        ("if a|:\n    b\n    c\nd", ":\n    b\n    c"),
        ("if a|:\n    b\n\n    c\n\nd", ":\n    b\n\n    c"),
        ("    x| = 1\n    y = 2", " = 1"),
        ("def f|():\n    if g:\n        h\nlast", "():\n    if g:\n        h"),
        ("x|", ""),
        ("for a in b|:\n    c", ":\n    c"),
        ("if (a|) {\n  b;\n\n  c;\n}\nd;", ") {\n  b;\n\n  c;"),
    ],
)
def test_a_block_is_the_rest_of_its_line_and_the_deeper_lines_below(marked: str, block: str) -> None:
    """Blank lines inside belong to it, those after it do not."""
    place, text = marked.index("|"), marked.replace("|", "")
    assert block == text[place : rows.block_end(text, place)]


@given(seed=st.integers(0, 2**32))
def test_an_example_is_a_cut_of_its_text(seed: int) -> None:
    """Before, middle and after follow one another in the text, the last from the next line on."""
    found = rows.example(TEXT, 1000, 4000, random.Random(seed))
    if found is None:
        return
    joined = found.before + found.middle
    place = TEXT.index(joined)
    if found.after:
        assert found.after.lstrip("\n") in TEXT[place + len(joined) :]
        assert TEXT[place + len(joined)] == "\n"
    assert len(found.middle) > 0


@given(lengths=st.lists(st.integers(300, 9000), min_size=1, max_size=5))
def test_segments_cover_a_text_without_gap_or_overlap(lengths: list[int]) -> None:
    """Cut at line ends, they join to the text again."""
    text = "".join("x" * (n % 70) + "\n" for n in range(0, sum(lengths), 37))
    assert text == "".join(text[a:b] for a, b in rows.segments(text))


def test_an_example_is_laid_out_as_the_engine_prompts(coding: tokenizer.Tokenizer) -> None:
    """Suffix marker, suffix, prefix marker, prefix and middle tokenised as one, end of text.

    The middle is counted from the first token that the cursor changes.
    """
    mark = tokenizer.markers(coding)
    cut = Example(after="    return total\n", before="def add(total, val", middle="ue):")
    [(ids, middle)] = rows.encode_examples(coding, [cut], random.Random(1))
    first = ids.index(mark.prefix)
    assert (ids[0], ids[-1]) == (mark.suffix, mark.end)
    assert coding.decode(ids[1:first]) == cut.after
    assert ids[first + 1 : -1] == coding.encode("def add(total, value):").ids
    assert coding.decode(ids[-middle:-1]).endswith("value):")


def test_a_long_suffix_is_cut_to_what_a_prompt_holds(coding: tokenizer.Tokenizer) -> None:
    """At most 64 tokens of it."""
    cut = Example(after="a + b\n" * 200, before="x", middle=" = 1")
    for seed in range(20):
        [(ids, _)] = rows.encode_examples(coding, [cut], random.Random(seed))
        assert ids.index(tokenizer.markers(coding).prefix) <= 1 + rows.SUFFIX_TOKENS


def test_rows_hold_whole_examples_in_the_share_there_is(coding: tokenizer.Tokenizer) -> None:
    """Every row is full; every suffix marker is followed by its end; the share of examples is that of the material."""
    made = rows.build([TEXT] * 30, coding, rows.Shape(length=640, infill_share=0.32), seed=3)
    mark = tokenizer.markers(coding)
    assert made.tokens.shape == made.middle.shape == (len(made.tokens), 641)
    inside = 0
    for row in made.tokens.tolist():
        for at in (i for i, token in enumerate(row) if token == mark.suffix):
            end = row.index(mark.end, at)
            assert mark.prefix in row[at:end]
            inside += end - at + 1
    assert 0.2 < inside / made.tokens.size < 0.45
    assert np.all(made.tokens[made.middle == 1] != mark.suffix)


def test_equal_seeds_make_equal_rows_and_texts_that_spell_markers_are_left_out(coding: tokenizer.Tokenizer) -> None:
    """A run can be repeated; source text never becomes a control token."""
    spelled = "x = '<|fim_prefix|>'  # zebra\n" * 30
    first, second = (rows.build([TEXT] * 20 + [spelled], coding, rows.Shape(), seed=5) for _ in range(2))
    assert np.array_equal(first.tokens, second.tokens)
    assert "zebra" not in coding.decode(first.tokens.reshape(-1).tolist())
