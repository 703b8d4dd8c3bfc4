"""The requests under way: of one document only the newest is wanted."""

import contextlib
from collections.abc import Iterator

from jouline.cancel import CancelToken


class Running:
    """The token of each document's newest request."""

    def __init__(self) -> None:
        self._tokens: dict[str, CancelToken] = {}

    @contextlib.contextmanager
    def newest(self, uri: str) -> Iterator[CancelToken]:
        """Give the token of a document's newest request and cancel the one before it."""
        if older := self._tokens.get(uri):
            older.cancel()
        cancel = self._tokens[uri] = CancelToken()
        try:
            yield cancel
        finally:
            if self._tokens.get(uri) is cancel:
                del self._tokens[uri]

    def cancel_all(self) -> None:
        """Cancel every request."""
        for cancel in self._tokens.values():
            cancel.cancel()
