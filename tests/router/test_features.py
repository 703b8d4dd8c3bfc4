"""Features of a place: what they say, and that their cost is bounded."""

import math
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import CompletionRequest
from jouline.errors import RouterError
from jouline.router.above import ABOVE_CHARS
from jouline.router.features import FeatureExtractor, Vector
from jouline.router.recurrence import MATCH_CHARS, longest_match, match_length
from jouline.router.syntax import char_class, scan, stub

TOKENIZER = Path(__file__).parents[2] / "models" / "tokenizer.json"


@pytest.fixture(scope="module")
def extractor():
    """Return the extractor with the shipped tokeniser."""
    return FeatureExtractor(TOKENIZER)


FRESH = partial(FeatureExtractor, TOKENIZER)


def place(fixture, language="python"):
    """Return the request at the fixture's mark."""
    offset = fixture.index("$0")
    return CompletionRequest(uri="", language=language, text=fixture.replace("$0", "", 1), offset=offset)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("def area(width):\n    return wi$0\n", {"start_return": 1, "stub_chars": 2, "stub_known": math.log1p(1)}),
        ("def area(width):\n    return wi$0\n", {"stub_rest": 3, "indent": 4, "previous_colon": 1}),
        ("x = 'hello $0'\n", {"in_string": 1, "after_assign": 1}),
        ("x = 1  # hello $0\n", {"in_comment": 1, "in_string": 0}),
        ("print(min(a, $0\n", {"line_depth": 2, "open_paren": 1, "char_space": 1}),
        ("self.$0\n", {"after_self": 1, "after_dot": 1, "char_dot": 1}),
        ("x = self.na$0\n", {"after_self": 1, "char_lower": 1}),
        ("values = [$0\n]\n", {"open_square": 1, "next_closes": 1}),
        ('"""Text that goes on\nand on $0\n', {"in_docstring": 1}),
        ("\nimport os\nimport $0\n", {"start_import": 1, "line_again": 1, "line_rest": 2}),
        ("$0", {"line_tokens": 0, "rank_1": -1, "stub_rest": -1}),
    ],
)
def test_a_place_is_described_by_what_stands_there(extractor, fixture, expected):
    """Each golden place shows the features that it is about."""
    found = extractor.extract(place(fixture))

    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_recurrence_tells_what_followed_before(extractor):
    """Of text seen twice before, the distance, what followed and how far the two agree are told."""
    found = extractor.extract(place("a = load(path, mode)\nb = load(path, size)\nc = load($0\n"))

    assert found["match_chars"] == len(" = load(")
    assert found["match_rest"] == len("path, size)")
    assert found["match_agree"] == len("path, ")


@given(text=st.text(max_size=300), data=st.data())
def test_every_text_gives_the_same_finite_names(extractor, text, data):
    """Whatever the text, all features are there, in the same order, and finite."""
    names = tuple(extractor.extract(place("x = $0")))
    offset = data.draw(st.integers(0, len(text)))
    found = extractor.extract(CompletionRequest(uri="", language="python", text=text, offset=offset))

    assert tuple(found) == names
    assert all(math.isfinite(value) for value in found.values())


def test_only_a_window_is_looked_at(extractor):
    """What stands further before the cursor's line than the window changes nothing."""
    code = "\nvalue = compute(first, second)" * 400
    near = place("x" * 50_000 + code + "\nvalue = comp$0")
    far = place("y = (1, 'a'" * 5_000 + code + "\nvalue = comp$0")
    assert len(code) > ABOVE_CHARS

    assert extractor.extract(near) == extractor.extract(far)


@given(st.lists(st.text(alphabet="ab .(\n", max_size=30), min_size=1, max_size=6), st.text(alphabet="ab\n", max_size=4))
def test_what_is_remembered_of_a_line_changes_nothing(extractor, pieces, below):
    """Typing on, with what stands above remembered, gives what a fresh look at every place gives."""
    text = ""
    for piece in pieces:
        text += piece
        request = CompletionRequest(uri="", language="python", text=f"{text}\n{below}", offset=len(text))
        assert extractor.extract(request) == FRESH().extract(request)


@given(st.text(alphabet="ab(", max_size=80))
def test_a_match_occurs_earlier(text):
    """`longest_match` finds a true recurrence of the text's end, whole at its place, and finds one if there is any."""
    length, end = longest_match(text)

    assert length == 0 or (text[end - length : end] == text[-length:] and end < len(text))
    assert length in (MATCH_CHARS, end, 0) or text[end - length - 1] != text[-length - 1]
    assert (length > 0) == (text[-1:] in text[:-1] and len(text) > 1)


@given(st.text(alphabet="ab", max_size=150), st.data())
def test_how_much_agrees_is_found_by_halving(text, data):
    """`match_length` equals counting character by character."""
    end = data.draw(st.integers(0, max(0, len(text) - 1)))
    counted = 0
    while counted < min(end, MATCH_CHARS) and text[end - counted - 1] == text[len(text) - counted - 1]:
        counted += 1

    assert match_length(text, end) == counted


def test_scan_ignores_brackets_in_strings_and_comments():
    """Open brackets are counted in code alone; escapes do not end a string."""
    assert scan("f('(', [1") == ("", 2, "[")
    assert scan(r"f('a\'(") == ("'", 1, "(")
    assert scan("f(1) # (") == ("#", 0, "")
    assert scan(")])") == ("", 0, "")


def test_the_stub_is_the_identifier_being_written():
    """Only an identifier that ends at the cursor counts, digits alone are none."""
    assert [stub("a.bc"), stub("x = 12"), stub("f("), stub("_n1")] == ["bc", "", "", "_n1"]


@given(st.characters())
def test_every_character_has_a_class(char):
    """No character is without a class."""
    assert char_class(char)


def test_an_unreadable_tokeniser_is_told_in_one_sentence(tmp_path):
    """A damaged tokeniser raises RouterError with its name."""
    (tmp_path / "tokenizer.json").write_text("{")

    with pytest.raises(RouterError, match=r"tokenizer\.json cannot be read"):
        FeatureExtractor(tmp_path / "tokenizer.json")


def test_a_vector_follows_the_names():
    """Features come out in the order asked for, as float32."""
    row = Vector(("b", "a"))({"a": 1.0, "b": 2.0})

    assert row.tolist() == [2.0, 1.0]
    assert row.dtype.name == "float32"
