"""An engine that answers when the test says so, and a session of a real server with a real client around it."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from lsprotocol import types
from pygls.io_ import run_async
from pygls.lsp.client import LanguageClient

from jouline.cancel import Cancelled, CancelToken
from jouline.cli.form import completion_fields
from jouline.completion import Completion, CompletionRequest, Feedback, Method
from jouline.config import Config, Folders
from jouline.lsp.handlers import register
from jouline.lsp.server import Server
from jouline.lsp.wire import plain_converter

URI = "file:///project/module.py"
PATIENCE_S = 20.0
VS_CODE = types.ClientCapabilities(
    window=types.WindowClientCapabilities(work_done_progress=True),
    workspace=types.WorkspaceClientCapabilities(configuration=True),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Totals:
    """A session's energy."""

    saved_joules: float | None = None
    saved_joules_stddev: float | None = None
    spent_joules: float | None = None
    method: Method = "unavailable"
    requests: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pending:
    """A request that the engine works on until the test lets it answer."""

    request: CompletionRequest
    cancel: CancelToken
    future: "Future[Completion]"

    def answer(self, text: str, **fields: Any) -> None:
        """Finish the work with this text."""
        given = {"id": "7", "action": "generate", "reason": "The small model is enough.", "model": "small"} | fields
        if not self.future.done():
            self.future.set_result(Completion(text=text, **given))

    def fail(self, error: BaseException) -> None:
        """Finish the work with an error."""
        self.future.set_exception(error)


class ScriptedApp:
    """Stands for `jouline.app.App`: a cancelled request ends as the engine ends it."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Pending] = asyncio.Queue()
        self.feedbacks: list[Feedback] = []
        self.configs: list[Config] = []
        self.totals = Totals()
        self.explanations: dict[tuple[str, int], Completion] = {}
        self.closed = 0
        self.problems: tuple[str, ...] = ()
        self.fed_back = Event()

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> "Future[Completion]":
        future: Future[Completion] = Future()
        cancel.listen(lambda: None if future.done() else future.set_exception(Cancelled()))
        self.asked.put_nowait(Pending(request=request, cancel=cancel, future=future))
        return future

    def feedback(self, feedback: Feedback) -> None:
        self.feedbacks.append(feedback)
        self.fed_back.set()

    def reconfigure(self, config: Config) -> None:
        self.configs.append(config)

    def session_energy(self) -> Totals:
        return self.totals

    def explain(self, uri: str, offset: int) -> Completion | None:
        return self.explanations.get((uri, offset))

    def close(self) -> None:
        self.closed += 1


class Builder:
    """Opens the scripted app, or fails to; `gate` holds it back as a slow disk would."""

    def __init__(self, app: ScriptedApp) -> None:
        self.app = app
        self.gate = Event()
        self.gate.set()
        self.error: Exception | None = None
        self.configs: list[Config] = []

    def __call__(self, config: Config) -> ScriptedApp:
        assert self.gate.wait(PATIENCE_S)
        self.configs.append(config)
        if self.error:
            raise self.error
        return self.app


class Editor:
    """A client as an editor is one, with what it was told."""

    def __init__(self, client: LanguageClient, server: Server, build: Builder) -> None:
        self.client, self.server, self.build, self.app = client, server, build, build.app
        self.statuses: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.progress: list[str] = []
        self.settings: Any = None
        self.pulls = 0
        self._news = asyncio.Event()
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
        self._news.set()

    def _on_message(self, params: types.ShowMessageParams) -> None:
        self.messages.append(params.message)
        self._news.set()

    def _on_progress(self, params: types.ProgressParams) -> None:
        value: Any = params.value
        self.progress.append(value["kind"] if isinstance(value, dict) else value.kind)
        self._news.set()

    def _on_pull(self, _params: types.ConfigurationParams) -> list[Any]:
        self.pulls += 1
        self._news.set()
        return [self.settings]

    async def until(self, holds: Any) -> None:
        """Wait for news until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

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

    async def asked(self) -> Pending:
        """Return the next request that reached the engine."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.app.asked.get()

    async def request(self, method: str, params: Any) -> Any:
        """Send a request of our own."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.client.protocol.send_request_async(method, params)


@contextlib.asynccontextmanager
async def editor_session(home: Path, **parts: Any) -> AsyncIterator[Editor]:
    """Connect a client and a server over a socket, both in this process."""
    build = Builder(ScriptedApp())
    defaults = {
        "build": build,
        "folders": Folders.find({"JOULINE_HOME": str(home)}),
        "fields": completion_fields,
        "pairs": lambda: [{"id": "embedded"}],
        "power": lambda: "ac",
        "leave": lambda: None,
    }
    server = register(Server(**(defaults | parts)))
    client = LanguageClient("editor", "1", converter_factory=plain_converter)
    editor = Editor(client, server, build)
    stop = Event()
    ends = zip((server.protocol, client.protocol), socket.socketpair(), strict=True)
    loops = [asyncio.ensure_future(await _connected(protocol, end, stop)) for protocol, end in ends]
    try:
        yield editor
    finally:
        build.gate.set()
        stop.set()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        server.close()


async def _connected(protocol: Any, end: socket.socket, stop: Event) -> Coroutine[Any, Any, None]:
    """Give a protocol its end of the socket; the coroutine returned reads from it."""
    reader, writer = await asyncio.open_connection(sock=end)
    protocol.set_writer(writer)

    async def read() -> None:
        try:
            await run_async(stop, reader, protocol)
        finally:
            writer.close()

    return read()
