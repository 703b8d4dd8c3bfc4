"""Places in documents, written down with `$0` at the cursor."""

from typing import Any

from jouline.completion import CompletionRequest

MARK = "$0"


def place(fixture: str, **options: Any) -> CompletionRequest:
    """Return the request at the mark; the document is the fixture without it."""
    before, behind = fixture.split(MARK)
    options = {"uri": "file:///a.py", "language": "python", **options}
    return CompletionRequest(text=before + behind, offset=len(before), **options)


def accept(request: CompletionRequest, text: str, replace: int) -> str:
    """Return the document after the text was taken, with the mark behind it."""
    return request.prefix + text + MARK + request.text[request.offset + replace :]
