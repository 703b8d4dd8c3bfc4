"""pygls' protocol with what it lacks for us: exact documents, plain payloads, and an answer to every request."""

import time
from collections.abc import Iterator
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    default_converter,
    lsp_method,
)

from jouline.lsp.documents import Documents
from jouline.lsp.positions import Encoding
from jouline.pipeline.trigger import Keystrokes

MALFORMED = "$/malformed"


def plain_converter() -> Converter:
    """Return pygls' converter, except that payloads it has no type for stay the JSON data they are."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    for kind in (JsonRPCNotification, JsonRPCRequestMessage, JsonRPCResponseMessage):
        converter.register_structure_hook(kind, lambda data, cls: cls(**data))
    return converter


class Protocol(LanguageServerProtocol):
    """The connection to one client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.documents = Documents()
        self.keystrokes = Keystrokes()
        self.clock = time.monotonic

    @property
    def encoding(self) -> Encoding:
        """The units in which this client counts characters; UTF-16 until it has said."""
        encoding = self._workspace.position_encoding if self._workspace else None
        return "utf-8" if encoding == "utf-8" else "utf-32" if encoding == "utf-32" else "utf-16"

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Iterator[Any]:
        """Take up a document, then tell the server's own handler."""
        self.documents.open(params.text_document)
        if handler := self.fm.features.get(types.TEXT_DOCUMENT_DID_OPEN):
            yield handler, (params,), None  # as pygls has its built-in handlers call a server's own

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply edits to a document."""
        self.documents.change(params.text_document.uri, params.content_changes, self.encoding)
        written = "".join(change.text for change in params.content_changes)
        self.keystrokes.changed(self.clock() * 1e3, written=written, deleted=not written)

    def since_last_key_ms(self) -> float:
        """Return the time since the last change of any document; infinite before the first."""
        last = self.keystrokes.last_key_ms
        return float("inf") if last is None else max(0.0, self.clock() * 1e3 - last)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        self.documents.close(params.text_document.uri)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Return a message as an object; a request that cannot be read is answered with the error at once.

        pygls leaves such a request without any answer, and its client waiting for ever.
        """
        own = "method" in data and self.get_message_type(data["method"]) is None
        try:
            return super().structure_message({"params": None, **data} if own else data)
        except JsonRpcException as error:
            return self._refuse(data, error)
        except Exception:  # noqa: BLE001  whatever a message holds, the next one must be read
            return self._refuse(data, JsonRpcInternalError("The message could not be read."))

    def _refuse(self, data: dict[str, Any], error: JsonRpcException) -> JsonRPCNotification:
        if "id" in data and "method" in data:
            self._send_response(data["id"], error=error.to_response_error())
        return JsonRPCNotification(method=MALFORMED, jsonrpc=self.VERSION, params=None)
