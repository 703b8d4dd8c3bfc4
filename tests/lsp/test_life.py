"""The server's life: loading in the background, settings, trouble, leaving."""

import asyncio
import subprocess
import sys

import pytest
from lsprotocol import types
from tests.lsp.editor import URI
from tests.lsp.fake import ScriptedEditor, Totals, editor_session

from jouline.config import Config, Folders
from jouline.errors import CatalogueError
from jouline.lsp.parent import wait_for_end

SOURCE = "x = 1\n"
BARE = types.ClientCapabilities()


async def test_initialize_is_answered_before_the_models_are_loaded(editor: ScriptedEditor):
    """A slow disk delays completions, not the editor: starting, progress, then ready."""
    editor.build.gate.clear()
    await editor.initialize({"jouline": {}})
    await editor.state("starting")
    await editor.until(lambda: editor.progress == ["begin"])
    editor.build.gate.set()
    await editor.state("ready")
    await editor.until(lambda: editor.progress == ["begin", "end"])


async def test_a_request_that_comes_before_the_models_waits_for_them(editor: ScriptedEditor):
    """Nothing that is typed while the models are loaded ends in an error."""
    editor.build.gate.clear()
    await editor.initialize({"jouline": {}})
    editor.open(SOURCE)
    waiting = editor.complete(0, 5)
    await editor.state("starting")
    editor.build.gate.set()
    (await editor.asked()).answer("0")
    assert [item.insert_text for item in (await waiting).items] == ["0"]


async def test_a_client_without_progress_is_sent_none(editor: ScriptedEditor):
    """Only what a client said it can do is used, and completions come all the same."""
    editor.build.gate.clear()
    await editor.initialize({"jouline": {}}, BARE)
    await editor.state("starting")
    editor.build.gate.set()
    await editor.state("ready")
    editor.open(SOURCE)
    waiting = editor.complete(0, 5)
    (await editor.asked()).answer("0")
    assert len((await waiting).items) == 1
    assert (editor.progress, editor.pulls) == ([], 0)


async def test_models_that_cannot_be_opened_are_told_once_and_the_rest_goes_on(editor: ScriptedEditor):
    """State trouble with the error's sentence, one message, empty answers; other settings try again."""
    editor.build.error = CatalogueError("The small model is missing; run `jouline doctor`.")
    await editor.initialize({"jouline": {}})
    status = await editor.state("trouble")
    assert status["message"] == "The small model is missing; run `jouline doctor`."
    editor.open(SOURCE)
    assert (await editor.complete(0, 5)).items == ()
    editor.build.error = None
    change(editor, {"jouline": {"energySaving": 60}})
    await editor.state("ready")
    assert editor.messages == ["The small model is missing; run `jouline doctor`."]


async def test_what_has_to_be_done_without_is_told_once(editor: ScriptedEditor):
    """A router or a ledger that cannot be used is one message; completions are given all the same."""
    editor.app.problems = ("The ledger cannot be written; make its folder writable.",)
    await editor.ready()
    change(editor, {"jouline": {"energySaving": 60}})
    await editor.until(lambda: editor.app.configs)
    await editor.request("jouline/energy", {})
    assert editor.messages == ["The ledger cannot be written; make its folder writable."]
    assert editor.statuses[-1]["state"] == "ready"


async def test_a_pair_that_cannot_be_taken_up_stays_trouble_while_the_old_one_serves(editor: ScriptedEditor):
    """Completions go on, and the status goes on saying that the settings are not in effect."""
    await editor.ready()
    editor.app.refusal = CatalogueError("There is no model called 'x'; see `jouline models list`.")
    change(editor, {"model": {"small": "x"}})
    await editor.state("trouble")
    editor.open(SOURCE)
    waiting = editor.complete(0, 5)
    (await editor.asked()).answer("0")
    assert len((await waiting).items) == 1
    assert "no model called 'x'" in (await editor.state("trouble"))["message"]
    editor.app.refusal = None
    change(editor, {"model": {"small": ""}})
    await editor.state("ready")


async def test_switching_off_cancels_what_runs(editor: ScriptedEditor):
    """Nobody waits for a suggestion that is no longer wanted."""
    await editor.ready()
    editor.open(SOURCE)
    waiting, asked = editor.complete(0, 5), await editor.asked()
    change(editor, {"enable": False})
    assert (await waiting).items == ()
    assert asked.cancel.cancelled
    await editor.state("off")


async def test_a_client_that_refuses_progress_is_served(editor: ScriptedEditor):
    """It said that it can show progress and then would not; completions come all the same."""
    del editor.client.protocol.fm.features[types.WINDOW_WORK_DONE_PROGRESS_CREATE]
    await editor.ready()
    assert editor.progress == []


async def test_settings_reach_the_engine_and_each_request(editor: ScriptedEditor):
    """InitializationOptions first, then didChangeConfiguration."""
    await editor.ready({"energySaving": 20, "model.small": "tiny"})
    assert editor.build.configs == [Config(energy_saving=20, model_small="tiny")]
    editor.open(SOURCE)
    change(editor, {"jouline": {"energySaving": 90}})
    waiting = editor.complete(0, 5)
    asked = await editor.asked()
    assert asked.request.energy_saving == 90
    asked.answer("")
    await waiting
    assert editor.app.configs == [Config(energy_saving=90, model_small="tiny")]


async def test_bad_settings_give_defaults_and_one_message_each(editor: ScriptedEditor):
    """The server works on with the defaults; the same complaint is not repeated."""
    await editor.ready({"jouline": {"energySaving": 500, "model": {"large": "/tmp/x.gguf"}, "unheard": 1}})
    change(editor, {"jouline": {"energySaving": 500}})
    await editor.until(lambda: editor.app.configs)
    assert editor.build.configs == [Config()]
    assert [message.split(" must")[0] for message in editor.messages] == [
        "The setting jouline.energySaving",
        "The setting jouline.model.large",
    ]


async def test_a_client_that_gave_no_settings_is_asked_for_them(editor: ScriptedEditor):
    """`workspace/configuration` is pulled where the client supports it, and again when it only says that it changed."""
    editor.settings = {"energySaving": 33}
    await editor.initialize(None)
    await editor.until(lambda: editor.pulls == 1)
    await editor.state("ready")
    assert editor.build.configs == [Config(energy_saving=33)]
    editor.settings = {"energySaving": 34}
    change(editor, None)
    await editor.until(lambda: editor.pulls == 2)
    editor.open(SOURCE)
    waiting = editor.complete(0, 5)
    asked = await editor.asked()
    assert asked.request.energy_saving == 34
    asked.answer("")
    await waiting


async def test_a_client_that_will_not_tell_its_settings_gets_the_defaults(editor: ScriptedEditor):
    """It said that it can be asked and answers with an error; the models are loaded all the same."""
    del editor.client.protocol.fm.features[types.WORKSPACE_CONFIGURATION]
    await editor.initialize(None)
    await editor.state("ready")
    assert editor.build.configs == [Config()]


async def test_settings_that_change_while_models_are_loaded_end_in_the_last_ones(editor: ScriptedEditor):
    """Ready is said once the last settings are in effect, and trouble of earlier ones is forgotten."""
    editor.build.gate.clear()
    await editor.initialize({"model": {"small": "unknown"}})
    await editor.state("starting")
    change(editor, {"model": {"small": "y"}})
    await editor.request("jouline/models", {})
    editor.build.gate.set()
    await editor.state("ready")
    assert [status["state"] for status in editor.statuses if status["state"] != "starting"] == ["ready"]
    assert [config.model_small for config in editor.build.configs] == ["unknown", "y"]
    assert len(editor.messages) == 1


async def test_switched_off_frees_the_models_and_on_opens_them_again(editor: ScriptedEditor):
    """`enable` off: state off with the reason, no answers, nothing resident."""
    await editor.ready()
    editor.open(SOURCE)
    change(editor, {"enable": False})
    assert "jouline.enable" in (await editor.state("off"))["message"]
    assert (await editor.complete(0, 5)).items == ()
    await editor.until(lambda: editor.app.closed == 1)
    change(editor, {"enable": True})
    await editor.state("ready")
    assert len(editor.build.configs) == 2


async def test_the_status_does_not_go_on_saying_what_was_forbidden(editor: ScriptedEditor):
    """Allowed again, by `enable` or for a language, neither the status nor an explanation speaks of it."""
    await editor.ready()
    editor.open(SOURCE)
    place = {"uri": URI, "position": {"line": 0, "character": 5}}
    for forbidden, allowed in (({"enable": False}, {"enable": True}), ({"languages": {"python": False}}, {})):
        change(editor, forbidden)
        assert (await editor.complete(0, 5)).items == ()
        assert "switched off" in (await editor.state("off"))["message"]
        assert "switched off" in (await editor.request("jouline/explain", place))["reason"]
        change(editor, allowed)
        assert (await editor.state("ready"))["message"] == "Ready."
        assert "switched off" not in (await editor.request("jouline/explain", place))["reason"]


async def test_a_request_that_soon_ends_leaves_the_status_alone(tmp_path):
    """While one types, most requests are overtaken or cancelled at once: no status is sent for them."""
    async with editor_session(tmp_path, shown_after_s=3600.0) as editor:
        await editor.ready()
        editor.open(SOURCE)
        told = len(editor.statuses)
        overtaken = editor.complete(0, 5)
        await editor.asked()
        stopped = editor.complete(0, 5)
        work = await editor.asked()
        assert (await overtaken).items == ()
        work.cancel.cancel()
        assert (await stopped).items == ()
        last = editor.complete(0, 5)
        (await editor.asked()).answer("", reason="Nothing fits.", model=None)
        await last
        await editor.until(lambda: editor.statuses[-1]["message"] == "Nothing fits.")
        assert len(editor.statuses) == told + 1


async def test_a_home_that_cannot_be_written_is_one_message(tmp_path):
    """Log, ledger and costs fail for the same cause, which is told once."""
    home = tmp_path / "home"
    home.write_text("a file")
    folders = Folders.find({"JOULINE_HOME": str(home)})
    async with editor_session(home, problems=[f"The log cannot be written in {folders.log}."]) as editor:
        editor.app.problems = (f"{folders.data / 'costs.json'} is bad.", f"{folders.data / 'ledger.sqlite'} is bad.")
        await editor.ready()
        (message,) = editor.messages
        assert message.startswith(f"Nothing can be kept in {home}, ")


async def test_started_switched_off_opens_nothing(editor: ScriptedEditor):
    """A person who does not want completions pays nothing for them."""
    await editor.initialize({"enable": False})
    await editor.state("off")
    assert editor.build.configs == []


async def test_a_language_can_be_switched_off(editor: ScriptedEditor):
    """The status says why, until another language's document is completed."""
    await editor.ready({"languages": {"markdown": False}})
    editor.open("# Notes\n", language="markdown", uri="file:///notes.md")
    editor.open(SOURCE)
    assert (await editor.complete(0, 3, uri="file:///notes.md")).items == ()
    assert "markdown" in (await editor.state("off"))["message"]
    waiting = editor.complete(0, 5)
    (await editor.asked()).answer("0")
    assert len((await waiting).items) == 1
    await editor.state("ready")


@pytest.mark.parametrize(("choice", "saving"), [("same", 10), ("save", 100), ("pause", None)])
async def test_on_battery_completions_go_on_save_or_pause(tmp_path, choice: str, saving: int | None):
    """`onBattery`: as on mains, at the least energy, or not at all."""
    async with editor_session(tmp_path, power=lambda: "battery") as editor:
        await editor.ready({"energySaving": 10, "onBattery": choice})
        editor.open(SOURCE)
        waiting = editor.complete(0, 5)
        if saving is None:
            assert (await waiting).items == ()
            await editor.state("paused")
            return
        asked = await editor.asked()
        assert asked.request.energy_saving == saving
        asked.answer("")
        await waiting


async def test_the_status_goes_from_thinking_to_ready_with_model_and_energy(editor: ScriptedEditor):
    """The editor can show which model answered, why, and the session's totals; unknown is null."""
    await editor.ready()
    assert editor.statuses[-1]["energy"]["savedJoules"] is None
    editor.open(SOURCE)
    waiting = editor.complete(0, 5)
    asked = await editor.asked()
    await editor.state("thinking")
    editor.app.totals = Totals(saved_joules=3.5, spent_joules=1.25, method="estimated", requests=1)
    asked.answer("0", model="large", reason="The small model would likely be wrong.")
    await waiting
    assert await editor.state("ready") == {
        "state": "ready",
        "model": "large",
        "message": "The small model would likely be wrong.",
        "energy": {
            "savedJoules": 3.5,
            "savedStddev": None,
            "spentJoules": 1.25,
            "cancelledJoules": None,
            "loadJoules": None,
            "residencyJoules": None,
            "acceptedCharsPerJoule": None,
            "method": "estimated",
            "source": "",
            "switches": [],
            "requests": 1,
        },
    }


async def test_shutdown_then_exit_leaves_with_0_and_exit_alone_with_1(tmp_path):
    """LSP 3.18, Exit Notification."""
    for polite, code in ((True, 0), (False, 1)):
        async with editor_session(tmp_path) as editor:
            await editor.ready()
            if polite:
                await editor.client.shutdown_async(None)
            from jouline.lsp.handlers import exit_

            exit_(editor.server)
            assert editor.server.exit_code == code


async def test_closing_cancels_what_runs_and_closes_the_engine(editor: ScriptedEditor):
    """No work is left behind when the server ends."""
    await editor.ready()
    editor.open(SOURCE)
    waiting = editor.complete(0, 5)
    asked = await editor.asked()
    editor.server.close()
    assert asked.cancel.cancelled
    assert editor.app.closed == 1
    assert (await waiting).items == ()


async def test_the_server_ends_when_its_editor_has_died(tmp_path):
    """A server is not left behind: the models are freed and the process ends."""
    dead = editor_process()
    left = asyncio.Event()
    async with editor_session(tmp_path, leave=left.set) as editor:
        await editor.initialize({"jouline": {}}, process_id=dead.pid)
        await editor.state("ready")
        assert not left.is_set()
        dead.communicate(b"\n")
        async with asyncio.timeout(30):
            await left.wait()
        assert editor.app.closed == 1


async def test_an_editor_that_cannot_be_seen_is_not_watched():
    """In another container the editor's number means nothing here, so it must not end the server."""
    assert await wait_for_end(None) is False
    assert await wait_for_end(2**22 + 12345) is False


async def test_an_editor_is_watched_until_it_ends():
    """The watch looks from time to time and ends with the process."""
    process = editor_process()
    looks = 0

    async def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            process.communicate(b"\n")

    assert await wait_for_end(process.pid, sleep) is True
    assert looks >= 3


def editor_process() -> "subprocess.Popen[bytes]":
    """Return a process that ends when it is told a line."""
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def change(editor: ScriptedEditor, settings: object) -> None:
    """Tell the server other settings."""
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=settings))
