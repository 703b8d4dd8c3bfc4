"""What is asked and how the answer looks, on texts with a cursor mark."""

import pytest
from lsprotocol import types

from jouline.completion import Completion
from jouline.config import Config
from jouline.lsp.documents import Document
from jouline.lsp.positions import Encoding
from jouline.lsp.translate import Question, answer, question

MARK = "‸"


def asked(marked: str, encoding: Encoding = "utf-16") -> Question:
    """Return the question at the cursor mark."""
    offset = marked.index(MARK)
    document = Document(uri="file:///a.py", language="python", text=marked.replace(MARK, ""))
    params = types.InlineCompletionParams(
        context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic),
        text_document=types.TextDocumentIdentifier(uri=document.uri),
        position=document.position(offset, encoding),
    )
    result = question(params, document, Config(), encoding)
    assert isinstance(result, Question)
    return result


def accepted(marked: str, text: str, replace: int = 0, encoding: Encoding = "utf-16") -> str:
    """Return the document after the editor took the item that answers with `text`."""
    put = asked(marked, encoding)
    completion = Completion(id="1", text=text, action="generate", reason="", replace=replace)
    (item,) = answer(put, completion, encoding).items
    assert isinstance(item.insert_text, str)
    change = types.TextDocumentContentChangePartial(range=item.range, text=item.insert_text)
    return put.document.edited(change, encoding).text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize(
    ("marked", "text", "replace", "expected"),
    [
        pytest.param("x = ‸\n", "1", 0, "x = 1\n", id="at the line's end"),
        pytest.param("print(‸)\n", "x)", 1, "print(x)\n", id="over an auto-closed bracket"),
        pytest.param("s = '😀' + f(‸)\n", "é)", 1, "s = '😀' + f(é)\n", id="after an astral character"),
        pytest.param("f(‸😀)\r\nx\r\n", "y)", 2, "f(y)\r\nx\r\n", id="over an astral character"),
        pytest.param("f(‸)\n\n", "y)", 9, "f(y)\n\n", id="never over the line's end"),
        pytest.param("f(‸", "y)", 3, "f(y)", id="never over the text's end"),
        pytest.param("a\x0cb = ‸\n", "1", 0, "a\x0cb = 1\n", id="after a form feed"),
        pytest.param("if a:‸\nb\n", "\n    c", 0, "if a:\n    c\nb\n", id="several lines"),
    ],
)
def test_taking_the_item_gives_the_text_meant(encoding, marked, text, replace, expected):
    """In every position encoding the item's range and text make what the engine meant, on one line."""
    assert accepted(marked, text, replace, encoding) == expected


def test_the_request_holds_the_place():
    """Prefix, rest of the line and suffix are those at the mark."""
    request = asked("a = 1\nb = f(‸)\nc = 3\n").request
    assert (request.prefix, request.rest_of_line, request.suffix) == ("a = 1\nb = f(", ")", "c = 3\n")
