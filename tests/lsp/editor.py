"""A client as an editor is one: it says what an editor says and keeps what it is told."""

import asyncio
import functools
from functools import partial
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from jouline.lsp.wire import plain_converter

URI = "file:///project/module.py"
PATIENCE_S = 60.0
VS_CODE = types.ClientCapabilities(
    window=types.WindowClientCapabilities(work_done_progress=True),
    workspace=types.WorkspaceClientCapabilities(configuration=True),
)


@functools.cache
def _converter() -> Converter:
    return plain_converter()  # what it learns of each message's form, the next client need not


class Editor:
    """A client as an editor is one, with what it was told."""

    def __init__(self) -> None:
        self.client = LanguageClient("editor", "1", converter_factory=_converter)
        self.statuses: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.progress: list[str] = []
        self.settings: Any = None
        self.pulls = 0
        self.news = asyncio.Event()
        self._listen()

    def _listen(self) -> None:
        feature = self.client.feature
        feature("jouline/status")(partial(self._on_status))
        feature(types.WINDOW_SHOW_MESSAGE)(partial(self._on_message))
        feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)(lambda _params: None)
        feature(types.PROGRESS)(partial(self._on_progress))
        feature(types.WORKSPACE_CONFIGURATION)(partial(self._on_pull))

    def _on_status(self, params: dict[str, Any]) -> None:
        self.statuses.append(params)
        self.news.set()

    def _on_message(self, params: types.ShowMessageParams) -> None:
        self.messages.append(params.message)
        self.news.set()

    def _on_progress(self, params: types.ProgressParams) -> None:
        value: Any = params.value
        self.progress.append(value["kind"] if isinstance(value, dict) else value.kind)
        self.news.set()

    def _on_pull(self, _params: types.ConfigurationParams) -> list[Any]:
        self.pulls += 1
        self.news.set()
        return [self.settings]

    async def until(self, holds: Any) -> None:
        """Wait for news until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def state(self, state: str) -> dict[str, Any]:
        """Wait until the last status told is this one."""
        await self.until(lambda: bool(self.statuses) and self.statuses[-1]["state"] == state)
        return self.statuses[-1]

    async def initialize(
        self, options: Any = None, capabilities: types.ClientCapabilities = VS_CODE, process_id: int | None = None
    ) -> types.InitializeResult:
        """Shake hands."""
        params = types.InitializeParams(
            capabilities=capabilities, initialization_options=options, process_id=process_id
        )
        result = await asyncio.wait_for(self.client.initialize_async(params), PATIENCE_S)
        self.client.initialized(types.InitializedParams())
        return result

    async def ready(self, options: Any = None, capabilities: types.ClientCapabilities = VS_CODE) -> None:
        """Shake hands and wait until completions are given."""
        await self.initialize(options or {"jouline": {}}, capabilities)
        await self.state("ready")

    def open(self, text: str, language: str = "python", uri: str = URI) -> None:
        """Open a document."""
        item = types.TextDocumentItem(uri=uri, language_id=language, version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def complete(self, line: int, character: int, uri: str = URI, **context: Any) -> "asyncio.Future[Any]":
        """Send a request; the caller waits for the answer, or does not."""
        context.setdefault("trigger_kind", types.InlineCompletionTriggerKind.Automatic)
        params = types.InlineCompletionParams(
            context=types.InlineCompletionContext(**context),
            text_document=types.TextDocumentIdentifier(uri=uri),
            position=types.Position(line=line, character=character),
        )
        answer = self.client.text_document_inline_completion_async(params)
        return asyncio.ensure_future(asyncio.wait_for(answer, PATIENCE_S))

    async def request(self, method: str, params: Any) -> Any:
        """Send a request of our own."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.client.protocol.send_request_async(method, params)
