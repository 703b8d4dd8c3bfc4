"""`jouline serve` as an editor meets it: a real process, real models, real pipes."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from tests.e2e.server_process import COMMAND, ServerProcess, connected, neovim, server_process, vs_code
from tests.lsp.editor import URI, Editor

pytestmark = [pytest.mark.e2e, pytest.mark.model]

VS_CODE, NEOVIM = vs_code(), neovim()
WHOLE = (Path(__file__).parents[2] / "server" / "jouline" / "cancel.py").read_text("utf-8")
TYPED = "        return self."
SOURCE = WHOLE.replace(TYPED + "_cancelled\n", TYPED + "\n", 1)
LINE, COLUMN = SOURCE[: SOURCE.index(TYPED + "\n")].count("\n"), len(TYPED)
ANSWER_WAIT_S = 60.0


@pytest_asyncio.fixture
async def editor(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """Run a server with a home of its own."""
    async with server_process(tmp_path) as session:
        yield session


def requests_in_ledger(home: Path, condition: str = "1") -> int:
    """Count the ledger's rows of answered requests."""
    with contextlib.closing(sqlite3.connect(home / "data" / "ledger.sqlite")) as ledger:
        rows = ledger.execute(f"SELECT COUNT(*) FROM entry WHERE kind = 'request' AND {condition}")  # noqa: S608
        return int(rows.fetchone()[0])


async def tcp_server(home: Path, port: int) -> asyncio.subprocess.Process:
    """Start a server that listens on a port."""
    environment = {**os.environ, "JOULINE_HOME": str(home)}
    return await asyncio.create_subprocess_exec(
        *COMMAND, "--tcp", str(port), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as the server listens: it says so a moment before."""
    async with asyncio.timeout(ANSWER_WAIT_S):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)


async def invoke(editor: Editor, line: int, character: int) -> types.InlineCompletionList:
    """Ask as the person does by the keyboard."""
    kind = types.InlineCompletionTriggerKind.Invoked
    return await asyncio.wait_for(editor.complete(line, character, trigger_kind=kind), ANSWER_WAIT_S)


def type_text(editor: ServerProcess, line: int, character: int, text: str, version: int) -> None:
    """Insert text at a place."""
    here = types.Position(line=line, character=character)
    change = types.TextDocumentContentChangePartial(range=types.Range(start=here, end=here), text=text)
    named = types.VersionedTextDocumentIdentifier(uri=URI, version=version)
    editor.client.text_document_did_change(
        types.DidChangeTextDocumentParams(text_document=named, content_changes=[change])
    )


async def test_a_session_as_vs_code_has_it(editor: ServerProcess, tmp_path: Path):
    """Open, ask both models, accept, ask what it cost and why, leave: exit code 0, and nothing but the protocol."""
    await editor.initialize({"jouline": {"energySaving": 100}}, VS_CODE)
    await editor.state("ready")
    editor.open(SOURCE)
    small = await invoke(editor, LINE, COLUMN)
    model_at_100 = editor.statuses[-1]["model"]
    settings = types.DidChangeConfigurationParams(settings={"jouline": {"energySaving": 0}})
    editor.client.workspace_did_change_configuration(settings)
    large = await invoke(editor, LINE, COLUMN)
    await editor.state("ready")
    for answered in (small, large):  # by hand: up to three candidates, each another text
        assert 1 <= len({item.insert_text for item in answered.items}) == len(answered.items) <= 3
    assert [model_at_100, editor.statuses[-1]["model"]] == ["small", "large"]
    item = large.items[0]
    assert item.command is not None
    accepted = types.ExecuteCommandParams(command=item.command.command, arguments=item.command.arguments)
    await editor.client.workspace_execute_command_async(accepted)
    energy = await editor.request("jouline/energy", {})
    assert energy["requests"] == 2
    explained = await editor.request("jouline/explain", {"uri": URI, "position": {"line": LINE, "character": COLUMN}})
    assert explained["completion"]["models_run"] == ["large"]
    assert (await editor.request("jouline/models", {}))["pairs"]
    assert (editor.progress[:1], editor.messages) == (["begin"], [])
    assert await editor.leave() == 0
    assert editor.messages_on_stdout()
    log = (tmp_path / "log" / "serve.log").read_text("utf-8")
    assert log.count(" request id=") == 2
    assert "cancelled(self)" not in log
    ledger = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("ledger*"))
    assert b"cancelled(self)" not in ledger
    assert requests_in_ledger(tmp_path) == 2
    assert requests_in_ledger(tmp_path, "outcome = 'accepted'") == 1


async def test_a_session_as_neovim_has_it(editor: ServerProcess):
    """UTF-8 positions, no initializationOptions: what stands before the cursor is counted as Neovim counts it."""
    result = await editor.initialize(None, NEOVIM)
    assert result.capabilities.position_encoding == "utf-8"
    await editor.state("ready")
    umlaut = "        ä = self."
    editor.open(SOURCE.replace(TYPED + "\n", umlaut + "\n", 1))
    column = len(umlaut.encode())
    item, *_ = (await invoke(editor, LINE, column)).items
    assert item.range is not None
    assert item.range.start == types.Position(line=LINE, character=column)
    assert await editor.leave() == 0


async def test_a_client_that_can_do_little_is_served(editor: ServerProcess):
    """No progress, no configuration, no client name: completions come all the same."""
    await editor.initialize({"jouline": {}}, types.ClientCapabilities())
    await editor.state("ready")
    editor.open(SOURCE)
    assert (await invoke(editor, LINE, COLUMN)).items
    assert editor.progress == []


async def test_typing_along_never_ends_in_an_error(editor: ServerProcess):
    """Each key an edit and a request, none waited for: every one ends as an answer or as cancelled."""
    await editor.initialize({"jouline": {}}, VS_CODE)
    await editor.state("ready")
    editor.open("def mean(values):\n    \n\n\ndef other():\n    pass\n")
    waiting, told = [], editor.messages[:]
    for index, character in enumerate("total = sum(values)"):
        type_text(editor, 1, 4 + index, character, index + 2)
        waiting.append(editor.complete(1, 5 + index))
    answers = await asyncio.wait_for(asyncio.gather(*waiting), ANSWER_WAIT_S)
    assert all(len(answer.items) <= 1 for answer in answers)
    assert (await editor.state("ready"))["state"] == "ready"
    assert editor.messages == told


async def test_a_cancelled_request_gives_way_to_the_next(editor: ServerProcess):
    """`$/cancelRequest` is answered with RequestCancelled, and the request after it with a suggestion."""
    await editor.initialize({"jouline": {"energySaving": 0}}, VS_CODE)
    await editor.state("ready")
    editor.open(SOURCE * 12)
    params = types.InlineCompletionParams(
        context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Invoked),
        text_document=types.TextDocumentIdentifier(uri=URI),
        position=types.Position(line=LINE, character=COLUMN),
    )
    waiting = editor.client.protocol.send_request_async("textDocument/inlineCompletion", params, msg_id="c1")
    editor.client.cancel_request(types.CancelParams(id="c1"))
    with pytest.raises(JsonRpcException) as refused:
        await asyncio.wait_for(waiting, ANSWER_WAIT_S)
    assert refused.value.code == -32800
    assert (await invoke(editor, LINE, COLUMN)).items


async def test_settings_that_name_no_model_are_told_and_mended(editor: ServerProcess):
    """An unknown model is one message and the default pair answers meanwhile, as it does once the setting is mended."""
    await editor.initialize({"jouline": {"model": {"small": "no-such-model"}, "energySaving": "much"}}, VS_CODE)
    await editor.state("ready")
    assert len(editor.messages) == 2
    assert any("no-such-model" in message for message in editor.messages)
    editor.open(SOURCE)
    assert (await invoke(editor, LINE, COLUMN)).items
    settings = types.DidChangeConfigurationParams(settings={"jouline": {"model": {"small": ""}}})
    editor.client.workspace_did_change_configuration(settings)
    await editor.state("ready")
    assert (await invoke(editor, LINE, COLUMN)).items


async def test_a_home_that_cannot_be_written_is_told_and_completions_go_on(tmp_path: Path):
    """No log, no ledger: one cause, so one message, and suggestions all the same."""
    (tmp_path / "home").write_text("a file where the folder should be")
    async with server_process(tmp_path / "home") as editor:
        await editor.initialize({"jouline": {}}, VS_CODE)
        await editor.state("ready")
        editor.open(SOURCE)
        assert (await invoke(editor, LINE, COLUMN)).items
        (message,) = editor.messages
        assert message.startswith("Nothing can be kept in ")
        assert editor.messages_on_stdout()


async def test_the_end_of_the_input_ends_the_server(editor: ServerProcess):
    """An editor that dies closes the pipe; the server frees its models and ends by itself."""
    await editor.initialize({"jouline": {}}, VS_CODE)
    await editor.state("ready")
    assert editor.process.stdin is not None
    editor.process.stdin.close()
    assert await editor.ended() == 0


async def test_a_polite_kill_ends_the_server_and_writes_the_ledger(editor: ServerProcess, tmp_path: Path):
    """SIGTERM: what was answered is in the ledger, although the input is still open."""
    await editor.initialize({"jouline": {}}, VS_CODE)
    await editor.state("ready")
    editor.open(SOURCE)
    await invoke(editor, LINE, COLUMN)
    editor.process.terminate()
    assert await editor.ended() == 0
    assert requests_in_ledger(tmp_path) == 1


async def test_exit_without_shutdown_ends_with_1(editor: ServerProcess):
    """LSP 3.18, Exit Notification; also while the models are still being loaded."""
    await editor.initialize({"jouline": {}}, VS_CODE)
    editor.client.exit(None)
    assert await editor.ended() == 1


async def test_a_server_outlives_no_editor_even_if_the_pipe_stays_open(editor: ServerProcess):
    """Something else may hold the pipe; the editor's process id is watched too."""
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    await editor.initialize({"jouline": {}}, VS_CODE, process_id=dead.pid)
    await editor.state("ready")
    await dead.communicate(b"\n")
    assert await editor.ended() == 0


async def test_a_killed_server_leaves_a_ledger_that_the_next_one_reads(tmp_path: Path):
    """SIGKILL in the middle of the work loses at most the last rows."""
    async with server_process(tmp_path) as first:
        await first.initialize({"jouline": {}}, VS_CODE)
        await first.state("ready")
        first.open(SOURCE)
        await invoke(first, LINE, COLUMN)
        first.process.kill()
        await first.ended()
    async with server_process(tmp_path) as second:
        await second.initialize({"jouline": {}}, VS_CODE)
        await second.state("ready")
        assert second.messages == first.messages


async def test_a_port_of_loopback_serves_too(tmp_path: Path, unused_tcp_port: int):
    """`--tcp` listens on 127.0.0.1 and serves one client as the pipes do."""
    process = await tcp_server(tmp_path, unused_tcp_port)
    try:
        assert process.stderr is not None
        listening = await asyncio.wait_for(process.stderr.readline(), ANSWER_WAIT_S)
        assert listening.decode() == f"jouline: listening on 127.0.0.1:{unused_tcp_port}\n"
        reader, writer = await connect(unused_tcp_port)
        async with connected(reader, writer) as editor:
            await editor.initialize({"jouline": {}}, VS_CODE)
            await editor.state("ready")
            editor.open(SOURCE)
            assert (await invoke(editor, LINE, COLUMN)).items
            await editor.client.shutdown_async(None)
            editor.client.exit(None)
            assert await asyncio.wait_for(process.wait(), ANSWER_WAIT_S) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_port_in_use_is_one_sentence(tmp_path: Path, unused_tcp_port: int):
    """Exit code 1, nothing on stdout, no traceback."""
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    process = await tcp_server(tmp_path, unused_tcp_port)
    out, err = await asyncio.wait_for(process.communicate(), ANSWER_WAIT_S)
    taken.close()
    await taken.wait_closed()
    assert (process.returncode, out) == (1, b"")
    assert err.decode().splitlines()[-1].startswith(f"jouline: port {unused_tcp_port} cannot be used")
    assert "Traceback" not in err.decode()
