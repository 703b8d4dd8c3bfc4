"""An engine that answers when the test says so, and a session of a real server with a real client around it."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any

from pygls.io_ import run_async
from tests.lsp.editor import PATIENCE_S, Editor

from jouline.cancel import Cancelled, CancelToken
from jouline.cli.form import completion_fields
from jouline.completion import Completion, CompletionRequest, Feedback, Method
from jouline.config import Config, Folders
from jouline.energy.meter import Switch
from jouline.errors import CatalogueError
from jouline.lsp.handlers import register
from jouline.lsp.protocol import Recommended
from jouline.lsp.server import Server
from jouline.pipeline.answers import Answered


@dataclasses.dataclass(frozen=True, kw_only=True)
class Totals:
    """A session's energy."""

    saved_joules: float | None = None
    saved_joules_stddev: float | None = None
    spent_joules: float | None = None
    cancelled_joules: float | None = None
    load_joules: float | None = None
    residency_joules: float | None = None
    accepted_chars_per_joule: float | None = None
    method: Method = "unavailable"
    source: str = ""
    switches: tuple[Switch, ...] = ()
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
        self.seen: list[tuple[str, str, str]] = []
        self.feedbacks: list[Feedback] = []
        self.factors: list[float] = []
        self.wait = 0.0
        self.configs: list[Config] = []
        self.totals = Totals()
        self.explanations: dict[tuple[str, int], Completion] = {}
        self.closed = 0
        self.answered: tuple[Answered, ...] = ()
        self.pulled = Event()
        self.refusal: Exception | None = None
        self.problems: tuple[str, ...] = ()
        self.news: Callable[[], object] = lambda: None  # called, from any thread, when something was done to it

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> "Future[Completion]":
        future: Future[Completion] = Future()
        cancel.listen(lambda: None if future.done() else future.set_exception(Cancelled()))
        self.asked.put_nowait(Pending(request=request, cancel=cancel, future=future))
        return future

    def visited(self, uri: str, language: str, text: str) -> None:
        self.seen.append((uri, language, text))
        self.news()

    def wait_ms(self, request: CompletionRequest, *, factor: float = 1.0) -> float:
        self.factors.append(factor)
        return self.wait

    def feedback(self, feedback: Feedback) -> None:
        self.feedbacks.append(feedback)
        self.news()

    def reconfigure(self, config: Config) -> None:
        if self.refusal:
            raise self.refusal
        self.configs.append(config)
        self.news()

    def session_energy(self) -> Totals:
        return self.totals

    def explain(self, uri: str, offset: int) -> Completion | None:
        return self.explanations.get((uri, offset))

    def close(self) -> None:
        self.closed += 1
        self.news()

    def pull(self, pair: str, tell: Callable[[str, int, int | None], None], cancel: CancelToken) -> None:
        """Fetch a pair: two steps, of which the second waits for `pulled`."""
        if pair == "unknown":
            raise CatalogueError("There is no pair called 'unknown'; see `jouline models list`.")
        tell("tiny", 1, 2)
        while not self.pulled.wait(0.01):
            cancel.check()
        tell("tiny", 2, 2)

    def latest(self) -> tuple[Answered, ...]:
        return self.answered


RECOMMENDED = Recommended(
    pair="embedded", small="front", large="back", present=True, size_bytes=11_000_000, reason="It suits this machine."
)


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
        if config.model_small == "unknown":
            raise CatalogueError("There is no model called 'unknown'; see `jouline models list`.")
        if self.error:
            raise self.error
        return self.app


class ScriptedEditor(Editor):
    """An editor whose server has the scripted engine."""

    def __init__(self, server: Server, build: Builder) -> None:
        super().__init__()
        self.server, self.build, self.app = server, build, build.app
        loop = asyncio.get_running_loop()
        self.app.news = lambda: loop.call_soon_threadsafe(self.news.set)

    async def asked(self) -> Pending:
        """Return the next request that reached the engine."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.app.asked.get()


@contextlib.asynccontextmanager
async def editor_session(home: Path, **parts: Any) -> AsyncIterator[ScriptedEditor]:
    """Connect a client and a server over a socket, both in this process."""
    build = Builder(ScriptedApp())
    defaults = {
        "build": build,
        "folders": Folders.find({"JOULINE_HOME": str(home)}),
        "fields": completion_fields,
        "pairs": lambda: [{"id": "embedded"}],
        "recommend": lambda: RECOMMENDED,
        "pull": build.app.pull,
        "power": lambda: "ac",
        "leave": lambda: None,
    }
    server = register(Server(**(defaults | parts)))
    editor = ScriptedEditor(server, build)
    stop = Event()
    ends = zip((server.protocol, editor.client.protocol), socket.socketpair(), strict=True)
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
