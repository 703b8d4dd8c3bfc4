"""Positions and edits: the server's document is the editor's, in every encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from jouline.lsp.documents import Document, Documents
from jouline.lsp.positions import Encoding, code_points, line_starts, offset_at, position_at, units

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
# All that tells lines, encodings and Python's own idea of lines apart.
TEXTS = st.text(alphabet=["a", " ", "\n", "\r", "\x0c", "\x85", "\u2028", "é", "漢", "😀", "\t"], max_size=24)
encodings = pytest.mark.parametrize("encoding", ENCODINGS)


def editors_lines(text: str) -> list[str]:
    """Return the lines as LSP counts them, each with its end."""
    lines = [""]
    for index, character in enumerate(text):
        lines[-1] += character
        if character == "\n" or (character == "\r" and text[index + 1 : index + 2] != "\n"):
            lines.append("")
    return lines


@given(TEXTS)
def test_lines_end_where_lsp_says_and_nowhere_else(text: str):
    """Line starts are those of the specification's three line ends; form feeds and the like end nothing."""
    lengths = [len(line) for line in editors_lines(text)]
    assert list(line_starts(text)) == [sum(lengths[:index]) for index in range(len(lengths))]


@encodings
@given(text=TEXTS, data=st.data())
def test_a_position_and_its_offset_are_one(encoding: Encoding, text: str, data: st.DataObject):
    r"""Offset to position to offset gives the same offset, except between the halves of a `\r\n`."""
    offset = data.draw(st.integers(0, len(text)))
    starts = line_starts(text)
    line, character = position_at(text, starts, offset, encoding)
    between = text[offset - 1 : offset + 1] == "\r\n" if offset else False
    assert offset_at(text, starts, line, character, encoding) == (offset - 1 if between else offset)


@encodings
@given(text=TEXTS, line=st.integers(-1, 9), character=st.integers(-1, 40))
def test_any_position_of_a_line_lies_within_the_line(encoding: Encoding, text: str, line: int, character: int):
    """A character beyond the end means the end before the line break; no such line gives None."""
    starts, lines = line_starts(text), editors_lines(text)
    offset = offset_at(text, starts, line, character, encoding)
    if not 0 <= line < len(lines):
        assert offset is None
        return
    assert offset is not None
    assert starts[line] <= offset <= starts[line] + len(lines[line].rstrip("\r\n"))


@encodings
@given(text=TEXTS, length=st.integers(0, 60))
def test_units_count_whole_characters(encoding: Encoding, text: str, length: int):
    """The characters within so many units are the most that fit, never half of one."""
    count = code_points(text, length, encoding)
    assert units(text, encoding) == len(text.encode(CODECS[encoding])) // WIDTHS[encoding]
    assert units(text[:count], encoding) <= length
    assert count == len(text) or units(text[: count + 1], encoding) > length


@encodings
@given(text=TEXTS, inserted=TEXTS, data=st.data())
def test_an_edit_gives_the_text_the_editor_has(encoding: Encoding, text: str, inserted: str, data: st.DataObject):
    """Replacing the range between two positions is replacing that slice of the text."""
    document = Document(uri="file:///a", language="python", text=text)
    first, second = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    there = types.Range(start=document.position(first, encoding), end=document.position(second, encoding))
    start, end = (document.offset(place, encoding) for place in (there.start, there.end))
    change = types.TextDocumentContentChangePartial(range=there, text=inserted)
    assert document.edited(change, encoding).text == text[:start] + inserted + text[end:]


@given(TEXTS, TEXTS)
def test_an_edit_without_a_range_is_the_whole_text(text: str, whole: str):
    """A client may always send the full text."""
    document = Document(uri="file:///a", language="python", text=text)
    change = types.TextDocumentContentChangeWholeDocument(text=whole)
    assert document.edited(change, "utf-16").text == whole


def test_an_edit_beyond_the_end_is_one_at_the_end():
    """Editors append so; nothing is lost."""
    document = Document(uri="file:///a", language="python", text="a\n")
    far = types.Position(line=9, character=0)
    change = types.TextDocumentContentChangePartial(range=types.Range(start=far, end=far), text="b")
    assert document.edited(change, "utf-16").text == "a\nb"


def test_half_a_surrogate_pair_becomes_a_replacement_character():
    """JSON can carry one; a tokenizer cannot. Whole pairs and every length in UTF-16 stay."""
    document = Document(uri="file:///a", language="python", text="a\ud83db😀")
    assert document.text == "a\ufffdb😀"
    assert document.offset(types.Position(line=0, character=3), "utf-16") == 3


def test_edits_of_a_document_that_is_not_open_are_nobodys():
    """A closed document is forgotten, and edits after that change nothing."""
    documents = Documents()
    documents.open(types.TextDocumentItem(uri="file:///a", language_id="python", version=1, text="a"))
    documents.close("file:///a")
    documents.change("file:///a", [types.TextDocumentContentChangeWholeDocument(text="b")], "utf-16")
    assert documents.get("file:///a") is None


def test_edits_in_one_message_are_applied_in_order():
    """LSP 3.18: each change is relative to the document after the one before it."""
    documents = Documents()
    documents.open(types.TextDocumentItem(uri="file:///a", language_id="python", version=1, text="ac"))
    here = types.Range(start=types.Position(line=0, character=1), end=types.Position(line=0, character=1))
    twice = [types.TextDocumentContentChangePartial(range=here, text=text) for text in ("\n", "b")]
    documents.change("file:///a", twice, "utf-16")
    document = documents.get("file:///a")
    assert document is not None
    assert document.text == "ab\nc"
