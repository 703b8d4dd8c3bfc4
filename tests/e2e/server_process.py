"""A real `jouline serve` with its real models, and an editor that talks to it over real pipes."""

import asyncio
import contextlib
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib import resources
from pathlib import Path
from threading import Event

from lsprotocol import types
from lsprotocol.converters import get_converter
from pygls.io_ import run_async
from tests.lsp.editor import Editor

COMMAND = (sys.executable, "-m", "jouline", "serve")
FRAME = re.compile(rb"Content-Length: (\d+)\r\nContent-Type: [^\r\n]+\r\n\r\n")
PATIENCE_S = 60.0


class ServerProcess(Editor):
    """An editor and the process of its server; `output` is every byte that the process wrote to stdout."""

    process: Process

    def __init__(self) -> None:
        super().__init__()
        self.output = bytearray()

    def messages_on_stdout(self) -> list[dict[str, object]]:
        """Return what stands on stdout, which must be frames of the protocol and nothing else."""
        return list(parse_frames(bytes(self.output)))

    async def leave(self) -> int:
        """Shut down as an editor does; returns the exit code."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        return await self.ended()

    async def ended(self) -> int:
        """Wait until the process has ended; returns the exit code."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


def parse_frames(output: bytes) -> Iterator[dict[str, object]]:
    """Yield each message; raise AssertionError at the first byte that belongs to none."""
    while output:
        header = FRAME.match(output)
        assert header is not None, f"not the protocol: {output[:80]!r}"
        end = header.end() + int(header[1])
        assert len(output) >= end, "a message was cut off"
        yield json.loads(output[header.end() : end])
        output = output[end:]


def recorded(file: Path) -> types.ClientCapabilities:
    """Return what a real editor said it can do."""
    return get_converter().structure(json.loads(file.read_text("utf-8"))["capabilities"], types.ClientCapabilities)


def vs_code() -> types.ClientCapabilities:
    """Return what vscode-languageclient 11.0.0, the extension's client, says it can do."""
    return recorded(Path(__file__).parent / "clients" / "vscode_languageclient_11.0.0.json")


def neovim() -> types.ClientCapabilities:
    """Return what Neovim 0.11 says, as pytest-lsp recorded it; it knows no inline completion, but its plug-ins do."""
    with resources.as_file(resources.files("pytest_lsp.clients") / "neovim_v0.11.0.json") as file:
        return recorded(file)


@contextlib.asynccontextmanager
async def server_process(home: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[ServerProcess]:
    """Run `jouline serve --stdio`; whatever happens, the process is gone afterwards."""
    editor = ServerProcess()
    environment = {**os.environ, "JOULINE_HOME": str(home), **(environ or {})}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--stdio", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
    )
    assert process.stdin is not None
    editor.process = process
    editor.client.protocol.set_writer(process.stdin)
    incoming = asyncio.StreamReader(limit=1 << 30)
    tasks = [
        asyncio.ensure_future(_copy(process, incoming, editor.output)),
        asyncio.ensure_future(run_async(Event(), incoming, editor.client.protocol)),
    ]
    try:
        yield editor
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[Editor]:
    """Talk to a server over a connection that is open."""
    editor = Editor()
    editor.client.protocol.set_writer(writer)
    task = asyncio.ensure_future(run_async(Event(), reader, editor.client.protocol))
    try:
        yield editor
    finally:
        writer.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _copy(process: Process, incoming: asyncio.StreamReader, output: bytearray) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(65536):
        output += chunk
        incoming.feed_data(chunk)
    incoming.feed_eof()
