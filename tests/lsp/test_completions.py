"""Inline completion over the wire: what the editor gets, what the engine is asked, what is cancelled."""

import asyncio

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from tests.lsp.editor import URI
from tests.lsp.fake import ScriptedEditor

from jouline.cancel import Cancelled
from jouline.completion import Candidate, Feedback
from jouline.errors import EngineError

SOURCE = "def add(a, b):\n    return \n"


async def test_an_answer_is_one_item_with_its_range_and_its_command(editor: ScriptedEditor):
    """The item inserts the text at the cursor and reports its acceptance by a command with its id."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(1, 11)
    asked = await editor.asked()
    assert (asked.request.prefix, asked.request.suffix) == ("def add(a, b):\n    return ", "")
    assert (asked.request.trigger, asked.request.energy_saving, asked.request.language) == ("automatic", 50, "python")
    asked.answer("a + b", id="41")
    place = types.Position(line=1, character=11)
    assert (await waiting).items == (
        types.InlineCompletionItem(
            insert_text="a + b",
            range=types.Range(start=place, end=place),
            command=types.Command(title="Accepted", command="jouline.accepted", arguments=("41",)),
        ),
    )


async def test_the_capability_is_announced_and_so_is_the_command(editor: ScriptedEditor):
    """A client learns from `initialize` that there are inline completions, and which command the server executes."""
    result = await editor.initialize()
    assert result.capabilities.inline_completion_provider is not None
    assert result.capabilities.execute_command_provider.commands == ("jouline.accepted",)
    assert result.capabilities.text_document_sync.change == types.TextDocumentSyncKind.Incremental
    assert result.server_info.name == "jouline"


async def test_nothing_good_enough_is_an_empty_list(editor: ScriptedEditor):
    """An answer without text gives no item, and nothing counts as shown."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(1, 11)
    (await editor.asked()).answer("", action="none", reason="The model is not sure enough.")
    assert (await waiting).items == ()
    status = await editor.state("ready")
    assert status["message"] == "The model is not sure enough."
    assert editor.app.feedbacks == []


async def test_an_explicit_request_is_told_from_an_automatic_one(editor: ScriptedEditor):
    """LSP's trigger kind 1 is the person's own wish."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(1, 11, trigger_kind=types.InlineCompletionTriggerKind.Invoked)
    asked = await editor.asked()
    assert asked.request.trigger == "invoked"
    asked.answer("")
    await waiting


async def test_cancelling_frees_the_engine_and_is_answered(editor: ScriptedEditor):
    """`$/cancelRequest` sets the token at once, and the request is answered with LSP's RequestCancelled."""
    await editor.ready()
    editor.open(SOURCE)
    params = types.InlineCompletionParams(
        context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic),
        text_document=types.TextDocumentIdentifier(uri=URI),
        position=types.Position(line=1, character=11),
    )
    waiting = editor.client.protocol.send_request_async("textDocument/inlineCompletion", params, msg_id="r1")
    asked = await editor.asked()
    freed = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked.cancel.listen(lambda: loop.call_soon_threadsafe(freed.set))
    editor.client.cancel_request(types.CancelParams(id="r1"))
    async with asyncio.timeout(20):
        await freed.wait()
        with pytest.raises(JsonRpcException) as refused:
            await waiting
    assert refused.value.code == -32800
    assert editor.app.feedbacks == []
    assert (await editor.state("ready"))["state"] == "ready"


async def test_a_newer_request_cancels_the_older_one_of_its_document(editor: ScriptedEditor):
    """The older one is answered with an empty list; a request in another document is left alone."""
    await editor.ready()
    editor.open(SOURCE)
    editor.open(SOURCE, uri="file:///project/other.py")
    other_waiting, other = editor.complete(1, 11, uri="file:///project/other.py"), await editor.asked()
    older_waiting, older = editor.complete(1, 11), await editor.asked()
    newer_waiting, newer = editor.complete(1, 11), await editor.asked()
    assert (await older_waiting).items == ()
    assert (older.cancel.cancelled, newer.cancel.cancelled, other.cancel.cancelled) == (True, False, False)
    newer.answer("a + b")
    other.answer("b + a")
    assert [item.insert_text for item in (await newer_waiting).items] == ["a + b"]
    assert [item.insert_text for item in (await other_waiting).items] == ["b + a"]


async def test_the_suggest_widgets_item_is_taken_as_typed(editor: ScriptedEditor):
    """The answer has the widget's range and begins with its item, as else the editor hides it."""
    await editor.ready()
    editor.open("x = pri\nend\n")
    there = types.Range(start=types.Position(line=0, character=4), end=types.Position(line=0, character=7))
    chosen = types.SelectedCompletionInfo(range=there, text="print")
    waiting = editor.complete(0, 7, selected_completion_info=chosen)
    asked = await editor.asked()
    assert (asked.request.prefix, asked.request.suffix, asked.request.multiline) == ("x = print", "end\n", "never")
    asked.answer("(x)")
    (item,) = (await waiting).items
    assert (item.insert_text, item.range) == ("print(x)", there)


async def test_a_widgets_item_that_cannot_be_shown_is_not_asked_for(editor: ScriptedEditor):
    """An item that does not continue what was typed would be hidden, so no energy is spent on it."""
    await editor.ready()
    editor.open("x = pri\n")
    there = types.Range(start=types.Position(line=0, character=4), end=types.Position(line=0, character=7))
    chosen = types.SelectedCompletionInfo(range=there, text="spring")
    assert (await editor.complete(0, 7, selected_completion_info=chosen)).items == ()
    assert editor.app.asked.empty()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param("x\n", 7, "beyond the end", id="line beyond the end"),
        pytest.param("a\0b\n", 0, "binary", id="binary"),
        pytest.param("x = 1\n" * 1_700_000, 3, "longer than", id="10 MB"),
    ],
)
async def test_a_document_that_cannot_be_completed_gives_nothing(editor: ScriptedEditor, text, line, reason):
    """No item, no error, one sentence in the status, and the engine is not asked."""
    await editor.ready()
    editor.open(text)
    assert (await editor.complete(line, 0)).items == ()
    assert reason in (await editor.state("ready"))["message"]
    assert editor.app.asked.empty()


async def test_a_document_that_is_not_open_is_not_read_from_disk(editor: ScriptedEditor, tmp_path):
    """Only what the editor opened is completed."""
    (tmp_path / "secret.py").write_text("password = ")
    await editor.ready()
    assert (await editor.complete(0, 5, uri=(tmp_path / "secret.py").as_uri())).items == ()
    assert editor.app.asked.empty()
    assert "not open" in (await editor.state("ready"))["message"]


async def test_an_empty_document_is_asked_for(editor: ScriptedEditor):
    """Whether an empty file deserves a suggestion is the gate's to say, not the server's."""
    await editor.ready()
    editor.open("")
    waiting = editor.complete(0, 0)
    (await editor.asked()).answer("")
    assert (await waiting).items == ()


async def test_a_cursor_beyond_its_lines_end_means_the_end(editor: ScriptedEditor):
    """LSP 3.18, Position: a character beyond the line's length defaults to that length."""
    await editor.ready()
    editor.open("ab\ncd")
    waiting = editor.complete(1, 99)
    asked = await editor.asked()
    assert asked.request.prefix == "ab\ncd"
    asked.answer("")
    await waiting


async def test_edits_reach_the_next_request(editor: ScriptedEditor):
    """The engine sees the document as the editor has it, edits and all."""
    await editor.ready()
    editor.open("a\x0c\nx = 1\nz\n")
    change = types.TextDocumentContentChangePartial(
        range=types.Range(start=types.Position(line=1, character=4), end=types.Position(line=1, character=5)), text="yy"
    )
    named = types.VersionedTextDocumentIdentifier(uri=URI, version=2)
    editor.client.text_document_did_change(
        types.DidChangeTextDocumentParams(text_document=named, content_changes=[change])
    )
    waiting = editor.complete(1, 6)
    asked = await editor.asked()
    assert (asked.request.prefix, asked.request.suffix) == ("a\x0c\nx = yy", "z\n")
    asked.answer("")
    await waiting


@pytest.mark.parametrize(
    "error", [EngineError("The small model stopped working; restart Jouline."), ValueError("x = 1")]
)
async def test_a_broken_engine_gives_no_item_one_message_and_trouble(editor: ScriptedEditor, error: Exception):
    """The same cause is shown once a session; source text in an error's message never is; success ends the trouble."""
    await editor.ready()
    editor.open(SOURCE)
    for _ in range(2):
        waiting = editor.complete(1, 11)
        (await editor.asked()).fail(error)
        assert (await waiting).items == ()
    status = await editor.state("trouble")
    assert editor.messages == [status["message"]]
    assert "x = 1" not in status["message"]
    waiting = editor.complete(1, 11)
    (await editor.asked()).answer("a")
    assert len((await waiting).items) == 1
    await editor.state("ready")


async def test_a_request_that_the_engine_gave_up_gives_no_item(editor: ScriptedEditor):
    """Cancelled work is no error and no trouble."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(1, 11)
    (await editor.asked()).fail(Cancelled())
    assert (await waiting).items == ()
    await editor.state("ready")
    assert editor.messages == []


async def test_a_request_that_cannot_be_read_is_answered_with_an_error(editor: ScriptedEditor):
    """A client never waits for ever: VS Code's own trigger kind 0 is refused at once, and the next request works."""
    await editor.ready()
    editor.open(SOURCE)
    bad = {
        "textDocument": {"uri": URI},
        "position": {"line": 1, "character": 11},
        "context": {"triggerKind": 0},
    }
    editor.client.protocol.get_message_type = lambda _method: None  # sends what lsprotocol would not
    with pytest.raises(JsonRpcException):
        await editor.request("textDocument/inlineCompletion", bad)
    del editor.client.protocol.get_message_type
    waiting = editor.complete(1, 11)
    (await editor.asked()).answer("a")
    assert len((await waiting).items) == 1


async def test_accepting_reaches_the_engine_once(editor: ScriptedEditor):
    """The item's command reports acceptance; a client that cannot tell what it showed is taken to show all."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(1, 11)
    (await editor.asked()).answer("a + b", id="5")
    await waiting
    for _ in range(2):
        accepted = types.ExecuteCommandParams(command="jouline.accepted", arguments=["5"])
        await editor.client.workspace_execute_command_async(accepted)
    editor.server.close()  # waits for what was begun
    assert editor.app.feedbacks == [
        Feedback(completion_id="5", outcome="shown"),
        Feedback(completion_id="5", outcome="accepted", chars=5),
    ]


async def test_candidates_are_items_of_their_own(editor: ScriptedEditor):
    """Who asks by hand may cycle through up to three; whichever is taken is reported for the one completion."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(1, 11, trigger_kind=types.InlineCompletionTriggerKind.Invoked)
    asked = await editor.asked()
    assert asked.request.candidates == 3
    asked.answer("a + b", id="41", others=(Candidate(text="b + a"), Candidate(text="sum((a, b))")))
    items = (await waiting).items
    assert [item.insert_text for item in items] == ["a + b", "b + a", "sum((a, b))"]
    assert [item.command.arguments for item in items] == [("41",), ("41.1",), ("41.2",)]

    taken = types.ExecuteCommandParams(command="jouline.accepted", arguments=["41.2"])
    await editor.request(types.WORKSPACE_EXECUTE_COMMAND, taken)
    await editor.until(lambda: Feedback(completion_id="41", outcome="accepted", chars=11) in editor.app.feedbacks)


async def test_a_file_of_secrets_is_never_passed_on(editor: ScriptedEditor):
    """Neither when it is opened nor when it is completed in; the state says why, once."""
    await editor.ready({"exclude": ["generated/"]})
    for uri, reason in (("file:///home/.env", "secrets"), ("file:///generated/a.py", "jouline.exclude")):
        editor.open("TOKEN=\n", uri=uri)
        assert (await editor.complete(0, 6, uri=uri)).items == ()
        status = await editor.state("off")
        assert reason in status["message"]
    assert editor.app.seen == []
    editor.open(SOURCE)
    await editor.until(lambda: editor.app.seen == [(URI, "python", SOURCE)])
    assert editor.app.asked.empty()
