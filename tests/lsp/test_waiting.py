"""Waiting for a pause in the typing: what is superseded meanwhile never reaches the engine."""

import asyncio

import pytest
from lsprotocol import types
from tests.lsp.editor import URI
from tests.lsp.fake import ScriptedEditor, editor_session

from jouline.lsp.documents import is_read_only
from jouline.lsp.power import EVERY_S, PowerWatch

SOURCE = "def add(a, b):\n    return \n"


class Pauses:
    """Lets time pass when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self.over.wait()


def typed(editor: ScriptedEditor, text: str, *, line: int = 1, character: int = 11) -> None:
    """Have the person type at the end of the second line."""
    at = types.Position(line=line, character=character)
    change = types.TextDocumentContentChangePartial(range=types.Range(start=at, end=at), text=text)
    document = types.VersionedTextDocumentIdentifier(uri=URI, version=2)
    params = types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
    editor.client.text_document_did_change(params)


async def begun(editor: ScriptedEditor, wait_ms: float) -> None:
    """Open a document in which a key was just pressed, on a clock that stands still."""
    editor.app.wait = wait_ms
    editor.server.protocol.clock = lambda: 7.0
    await editor.ready()
    editor.open(SOURCE)
    typed(editor, "a")


async def test_a_request_at_an_unpromising_place_waits_for_a_pause(tmp_path):
    """It reaches the engine once the pause is over, with the person's rhythm, and is answered as any other."""
    pauses = Pauses()
    async with editor_session(tmp_path, pause=pauses) as editor:
        await begun(editor, 180.0)
        waiting = editor.complete(1, 12)
        assert await pauses.asked.get() == pytest.approx(0.18)
        assert editor.app.asked.empty()
        pauses.over.set()
        asked = await editor.asked()
        assert (asked.request.deleted, asked.request.prefix[-1]) == (False, "a")
        asked.answer(" + b")
        assert [item.insert_text for item in (await waiting).items] == [" + b"]


async def test_a_request_that_is_typed_past_meanwhile_never_reaches_the_engine(tmp_path):
    """The next key, a newer request or the editor's own cancelling leave the engine alone."""
    pauses = Pauses()
    async with editor_session(tmp_path, pause=pauses) as editor:
        await begun(editor, 180.0)
        older, _ = editor.complete(1, 12), await pauses.asked.get()
        typed(editor, "b", character=12)
        newer, _ = editor.complete(1, 13), await pauses.asked.get()
        typed(editor, "c", character=13)  # by an editor that neither cancels nor asks again
        await editor.request("jouline/energy", None)  # the key has been read
        pauses.over.set()
        assert ((await older).items, (await newer).items) == ((), ())
        assert editor.app.asked.empty()


@pytest.mark.parametrize(("wait_ms", "elapsed_s"), [(0.0, 0.0), (180.0, 0.2)])
async def test_what_is_known_or_already_paused_for_does_not_wait(tmp_path, wait_ms, elapsed_s):
    """The time since the key counts; and where the engine's side asks for no pause there is none."""
    pauses = Pauses()
    async with editor_session(tmp_path, pause=pauses) as editor:
        await begun(editor, wait_ms)
        await editor.request("jouline/energy", None)  # the key has been read
        editor.server.protocol.clock = lambda: 7.0 + elapsed_s
        waiting = editor.complete(1, 12)
        (await editor.asked()).answer("")
        await waiting
        assert pauses.asked.empty()


@pytest.mark.parametrize(("choice", "factor"), [("same", 1.0), ("save", 2.0)])
async def test_on_battery_requests_wait_longer_where_the_person_wants_to_save(tmp_path, choice, factor):
    """`onBattery: save` doubles the wait; `same` changes nothing."""
    async with editor_session(tmp_path, power=lambda: "battery") as editor:
        await editor.ready({"jouline": {"onBattery": choice}})
        editor.open(SOURCE)
        waiting = editor.complete(1, 11)
        (await editor.asked()).answer("")
        await waiting
        assert editor.app.factors == [factor]


def test_the_power_source_is_read_at_most_every_half_minute():
    """Requests between two readings are answered from the last one."""
    now, readings = [0.0], []

    def read():
        readings.append(now[0])
        return "battery" if len(readings) > 1 else "ac"

    watch = PowerWatch(read, lambda: now[0])
    seen = []
    for now[0] in (0.0, 1.0, EVERY_S - 0.1, EVERY_S, EVERY_S + 1.0):
        seen.append(watch())
    assert seen == ["ac", "ac", "ac", "battery", "battery"]
    assert readings == [0.0, EVERY_S]


async def test_nothing_is_asked_for_in_what_cannot_be_changed(editor: ScriptedEditor):
    """The old side of a comparison gets no suggestion and one reason."""
    await editor.ready()
    editor.open(SOURCE, uri="git:/project/module.py?ref=HEAD")
    assert (await editor.complete(1, 11, uri="git:/project/module.py?ref=HEAD")).items == ()
    assert "read-only" in (await editor.state("ready"))["message"]
    assert editor.app.asked.empty()


def test_read_only_is_told_from_the_address_and_the_file(tmp_path, monkeypatch):
    """A file without the right to write is read-only; one that is not saved yet, or of another origin, is not."""
    kept = tmp_path / "kept.py"
    kept.write_text("x = 1\n")
    assert not is_read_only(kept.as_uri())
    monkeypatch.setattr("jouline.lsp.documents.os.access", lambda path, _mode: path != str(kept))
    assert is_read_only(kept.as_uri())
    assert not is_read_only((tmp_path / "new.py").as_uri())
    assert not is_read_only("untitled:Untitled-1")
