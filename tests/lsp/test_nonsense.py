"""Whatever a client sends, the next good request is answered."""

import asyncio
import json
from concurrent.futures import Future
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from tests.lsp.editor import PATIENCE_S, URI
from tests.lsp.fake import ScriptedEditor

PLACE = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 5}}


def request(method: str, params: object) -> bytes:
    """Return a request."""
    return json.dumps({"jsonrpc": "2.0", "id": "stray", "method": method, "params": params}).encode()


def notification(method: str, params: object) -> bytes:
    """Return a notification."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"not JSON", id="not JSON"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b"17", id="a number"),
        pytest.param(b"{}", id="no version"),
        pytest.param(b'{"jsonrpc": "1.0", "method": "x", "params": 1}', id="another version"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": 4}', id="a method that is none"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 99, "result": 1}', id="an answer to nothing"),
        pytest.param(request("textDocument/inlineCompletion", PLACE), id="no context"),
        pytest.param(
            request("textDocument/inlineCompletion", {**PLACE, "position": {"line": -1, "character": "a"}}),
            id="no position",
        ),
        pytest.param(request("textDocument/hover", PLACE), id="a request not served"),
        pytest.param(request("jouline/unheard", None), id="an unknown request"),
        pytest.param(request("workspace/executeCommand", {"command": "rm"}), id="an unknown command"),
        pytest.param(request("workspace/executeCommand", {"command": "jouline.accepted"}), id="no id"),
        pytest.param(request("jouline/energy", [1]), id="needless params"),
        pytest.param(notification("jouline/didShow", None), id="shown without an id"),
        pytest.param(notification("jouline/didReject", {"id": "never offered"}), id="rejected what was never offered"),
        pytest.param(notification("$/cancelRequest", {"id": "never sent"}), id="cancelled what was never sent"),
        pytest.param(notification("textDocument/didOpen", {"textDocument": {"uri": 3}}), id="opened nothing"),
        pytest.param(
            notification(
                "textDocument/didChange",
                {"textDocument": {"uri": "file:///closed", "version": 2}, "contentChanges": [{"text": "a"}]},
            ),
            id="changed what is not open",
        ),
        pytest.param(notification("workspace/didChangeConfiguration", {"settings": [3]}), id="settings in a list"),
        pytest.param(notification("textDocument/willSave", {}), id="a notification not served"),
    ],
)
async def test_the_server_goes_on(editor: ScriptedEditor, body: bytes):
    """A message that cannot be read, or makes no sense, changes nothing and pops nothing up; a request is answered."""
    await editor.ready()
    editor.open("x = 1\n")
    reply: Future[Any] = Future()
    editor.client.protocol._request_futures["stray"] = reply
    editor.client.protocol.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    waiting = editor.complete(0, 5)
    (await editor.asked()).answer("0")
    assert [item.insert_text for item in (await waiting).items] == ["0"]
    assert editor.messages == []
    if b'"stray"' in body:
        await asyncio.wait({asyncio.wrap_future(reply)}, timeout=PATIENCE_S)
        assert reply.done()


@pytest.mark.parametrize("arguments", [None, [], [7], [None], ["7", "8"], [{"id": "7"}], [["7"]]], ids=repr)
async def test_accepted_without_its_id_is_invalid_params(editor: ScriptedEditor, arguments: list[Any] | None):
    """JSON-RPC 2.0, -32602: one sentence on what is wanted, and nothing of our own code."""
    await editor.ready()
    with pytest.raises(JsonRpcException) as refused:
        await editor.client.workspace_execute_command_async(
            types.ExecuteCommandParams(command="jouline.accepted", arguments=arguments)
        )
    assert refused.value.code == -32602
    assert refused.value.message == "jouline.accepted takes one argument, the id of the suggestion, as text."
    assert refused.value.data is None
    assert editor.app.feedbacks == []
