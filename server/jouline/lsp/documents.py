"""The open documents, kept as the client's edits say.

Own code, because pygls counts form feeds and other separators as line ends and would apply edits at wrong places.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lsprotocol import types

from jouline.lsp.positions import Encoding, line_starts, offset_at, position_at, without_lone_surrogates

_VIEWS = frozenset({"git", "gitlens", "output", "debug", "review"})  # VS Code's schemes for what is only looked at

Change = types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument


@dataclass(frozen=True, kw_only=True)
class Document:
    """A text and the language its editor gave it; edits make a new one."""

    uri: str
    language: str
    text: str
    read_only: bool = False
    starts: Sequence[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        clean = without_lone_surrogates(self.text)
        object.__setattr__(self, "text", clean)
        object.__setattr__(self, "starts", line_starts(clean))

    def offset(self, position: types.Position, encoding: Encoding) -> int | None:
        """Return a position's offset in code points, or None if there is no such line."""
        return offset_at(self.text, self.starts, position.line, position.character, encoding)

    def position(self, offset: int, encoding: Encoding) -> types.Position:
        """Return the position of an offset in code points."""
        line, character = position_at(self.text, self.starts, offset, encoding)
        return types.Position(line=line, character=character)

    def edited(self, change: Change, encoding: Encoding) -> "Document":
        """Return the document after one edit; a position beyond the end means the end."""
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return replace(self, text=change.text)
        start, end = (self._reached(place, encoding) for place in (change.range.start, change.range.end))
        return replace(self, text=self.text[:start] + change.text + self.text[max(start, end) :])

    def _reached(self, position: types.Position, encoding: Encoding) -> int:
        offset = self.offset(position, encoding)
        return len(self.text) if offset is None else offset


def is_read_only(uri: str) -> bool:
    """Whether a document cannot be changed: a view that editors make of something else, or a file without the right."""
    parts = urlsplit(uri)
    if parts.scheme in _VIEWS:
        return True
    path = url2pathname(parts.path) if parts.scheme == "file" else ""
    return bool(path) and os.path.isfile(path) and not os.access(path, os.W_OK)  # noqa: PTH113  Path raises on odd names


class Documents:
    """The documents that are open in the editor, by URI."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}

    def get(self, uri: str) -> Document | None:
        """Return an open document; what is not open is never read from disk."""
        return self._open.get(uri)

    def open(self, item: types.TextDocumentItem) -> None:
        """Take up a document as the editor has it."""
        self._open[item.uri] = Document(
            uri=item.uri, language=item.language_id, text=item.text, read_only=is_read_only(item.uri)
        )

    def change(self, uri: str, changes: Sequence[Change], encoding: Encoding) -> None:
        """Apply edits in the order given; those of a document that is not open are nobody's."""
        document = self._open.get(uri)
        if document is None:
            return
        for change in changes:
            document = document.edited(change, encoding)
        self._open[uri] = document

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._open.pop(uri, None)
