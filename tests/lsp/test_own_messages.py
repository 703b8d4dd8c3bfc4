"""Jouline's own messages: names and payloads equal on both sides, and what each request answers."""

import dataclasses
import re
import typing
from pathlib import Path

import pytest
from pygls.exceptions import JsonRpcException
from tests.lsp.editor import URI
from tests.lsp.fake import ScriptedEditor, Totals

from jouline.completion import Completion, Feedback, Method, Tier
from jouline.energy.meter import Switch
from jouline.lsp import protocol
from jouline.lsp.protocol import camel_case, from_wire, to_wire

TYPESCRIPT = Path(__file__).parents[2] / "vscode-extension" / "src" / "protocol.ts"
ALIASES = {"ServerState": protocol.ServerState, "Tier": Tier, "EnergyMethod": Method}
SPELLING = {
    str: "string",
    int: "number",
    float: "number",
    type(None): "null",
    tuple[str, ...]: "string[]",
    protocol.ServerState: "ServerState",
    Tier: "Tier",
    Method: "EnergyMethod",
    protocol.EnergyTotals: "EnergyTotals",
    bool: "boolean",
    **{
        kind: kind.__name__
        for kind in (protocol.Position, protocol.Account, protocol.PairInUse, protocol.Share, protocol.Slot)
    },
    **{
        tuple[kind, ...]: f"{kind.__name__}[]"
        for kind in (protocol.Share, protocol.Slot, protocol.MeterCard, protocol.MissingMeter, protocol.Outlook)
    },
}
JSON_OBJECT = typing.Mapping[str, typing.Any]
PAYLOADS = [
    protocol.EnergyTotals,
    protocol.StatusParams,
    protocol.Position,
    protocol.ExplainParams,
    protocol.ExplainResult,
    protocol.ModelsResult,
    protocol.Share,
    protocol.Account,
    protocol.Slot,
    protocol.MeterCard,
    protocol.MissingMeter,
    protocol.Outlook,
    protocol.PairInUse,
    protocol.Report,
    protocol.DecisionsResult,
    protocol.Recommended,
    protocol.PullParams,
    protocol.PullResult,
    protocol.PullingParams,
    protocol.DidShowParams,
    protocol.DidPartiallyAcceptParams,
    protocol.DidRejectParams,
]


def interfaces() -> dict[str, dict[str, str]]:
    """Return each interface of protocol.ts with its fields' types; an optional field's name ends in `?`."""
    found = re.findall(r"export interface (\w+) \{\n(.*?)\n\}", TYPESCRIPT.read_text("utf-8"), re.DOTALL)
    return {name: dict(re.findall(r"^  (\w+\??): (.+);$", body, re.MULTILINE)) for name, body in found}


def spelled(kind: object) -> str:
    """Return a field's type as TypeScript writes it."""
    if kind in SPELLING:
        return SPELLING[kind]  # type: ignore[index]
    return " | ".join(spelled(part) for part in typing.get_args(kind))


def typescript_fields(payload: type) -> dict[str, str]:
    """Return the fields that protocol.ts must have for a payload."""
    hints = typing.get_type_hints(payload)
    return {camel_case(field.name): spelled(hints[field.name]) for field in dataclasses.fields(payload)}


def test_both_sides_know_the_same_names():
    """Every constant of protocol.ts is one of protocol.py with the same text, and the other way round."""
    there = dict(re.findall(r"export const (\w+) = '([^']+)';", TYPESCRIPT.read_text("utf-8")))
    here = {name: value for name, value in vars(protocol).items() if name.isupper() and isinstance(value, str)}
    assert here == there


def test_both_sides_know_the_same_payloads():
    """Field by field and type by type; the interfaces have the dataclasses' names."""
    there = interfaces()
    assert sorted(there) == sorted(payload.__name__ for payload in PAYLOADS)
    assert there.pop("ExplainResult") == {"reason": "string", "completion?": "Record<string, unknown>"}
    assert there.pop("ModelsResult") == {"pairs": "Record<string, unknown>[]"}
    assert there.pop("DecisionsResult") == {"decisions": "Record<string, unknown>[]"}
    opaque = {protocol.ExplainResult, protocol.ModelsResult, protocol.DecisionsResult}
    assert {kind.__name__: typescript_fields(kind) for kind in PAYLOADS if kind not in opaque} == there


def test_both_sides_know_the_same_words():
    """States, tiers and methods are the same lists."""
    text = TYPESCRIPT.read_text("utf-8")
    for name, literal in ALIASES.items():
        union = re.search(rf"export type {name} = (.+);", text)
        assert union is not None
        assert set(re.findall(r"'(\w+)'", union[1])) == set(typing.get_args(literal))


def test_payloads_survive_the_wire():
    """Reading what was written gives the same payload."""
    for payload in (
        protocol.ExplainParams(uri=URI, position=protocol.Position(line=3, character=9)),
        protocol.DidPartiallyAcceptParams(id="a", accepted_length=4),
    ):
        assert from_wire(type(payload), to_wire(payload)) == payload


@pytest.mark.parametrize("data", [None, [], {}, {"uri": 1}, {"uri": "a", "position": {"line": "1", "character": 0}}])
def test_a_payload_that_does_not_fit_is_refused(data):
    """A missing field or one of another type is an error that names it."""
    with pytest.raises(ValueError, match="must be"):
        from_wire(protocol.ExplainParams, data)


async def test_energy_is_told_on_request(editor: ScriptedEditor):
    """The same totals as in the status, with or without params; before the models are loaded they are unknown."""
    editor.build.gate.clear()
    await editor.initialize({"jouline": {}})
    unknown = await editor.request("jouline/energy", None)
    assert unknown == {
        "savedJoules": None,
        "savedStddev": None,
        "spentJoules": None,
        "cancelledJoules": None,
        "loadJoules": None,
        "residencyJoules": None,
        "acceptedCharsPerJoule": None,
        "method": "unavailable",
        "source": "",
        "switches": [],
        "requests": 0,
    }
    editor.build.gate.set()
    await editor.state("ready")
    editor.app.totals = Totals(
        saved_joules=2.0,
        saved_joules_stddev=0.5,
        spent_joules=1.0,
        cancelled_joules=0.25,
        load_joules=4.0,
        residency_joules=0.5,
        accepted_chars_per_joule=12.0,
        method="estimated",
        source="rapl package-0",
        switches=(Switch(at_s=0.0, text="rapl package-0 could not be read; estimated from now on"),),
        requests=3,
    )
    told = await editor.request("jouline/energy", {})
    (switch,) = told.pop("switches")
    assert re.fullmatch(r"\d\d:\d\d:\d\d: rapl package-0 could not be read; estimated from now on\.", switch)
    assert told == {
        "savedJoules": 2.0,
        "savedStddev": 0.5,
        "spentJoules": 1.0,
        "cancelledJoules": 0.25,
        "loadJoules": 4.0,
        "residencyJoules": 0.5,
        "acceptedCharsPerJoule": 12.0,
        "method": "estimated",
        "source": "rapl package-0",
        "requests": 3,
    }


async def test_explain_tells_the_reason_and_everything_but_the_text(editor: ScriptedEditor):
    """Source text is not repeated where only the reason was asked for."""
    await editor.ready()
    editor.open("a = 1\nb = \n")
    done = Completion(id="3", text="secret", action="generate", reason="Good enough.", model="small")
    editor.app.explanations[URI, 10] = done
    told = await editor.request("jouline/explain", {"uri": URI, "position": {"line": 1, "character": 4}})
    assert (told["reason"], told["completion"]["model"]) == ("Good enough.", "small")
    assert "completion" not in told["completion"]
    assert "secret" not in str(told)


async def test_explain_where_nothing_was_asked_says_so(editor: ScriptedEditor):
    """A place without a request, or a document that is not open, has a reason and no completion."""
    await editor.ready()
    told = await editor.request("jouline/explain", {"uri": "file:///none", "position": {"line": 1, "character": 4}})
    assert told == {"reason": "No completion was asked for at this place."}


async def test_explain_tells_why_a_request_was_declined(editor: ScriptedEditor):
    """What the server held back has a reason too."""
    await editor.ready({"languages": {"markdown": False}})
    editor.open("# Notes", language="markdown")
    await editor.complete(0, 3)
    told = await editor.request("jouline/explain", {"uri": URI, "position": {"line": 0, "character": 3}})
    assert told == {"reason": "Jouline is switched off for markdown files (jouline.languages)."}


async def test_explain_of_nonsense_is_refused(editor: ScriptedEditor):
    """A request without a place is the client's mistake, told as InvalidParams."""
    await editor.ready()
    with pytest.raises(JsonRpcException) as refused:
        await editor.request("jouline/explain", {"uri": 3})
    assert refused.value.code == -32602


async def test_models_lists_the_pairs(editor: ScriptedEditor):
    """The catalogue's pairs, also before the models are loaded."""
    await editor.initialize({"enable": False})
    assert await editor.request("jouline/models", None) == {"pairs": [{"id": "embedded"}]}


async def test_a_client_that_tells_is_believed(editor: ScriptedEditor):
    """didShow, didPartiallyAccept (UTF-16 units, code points to the engine) and didReject reach the engine in order."""
    await editor.ready()
    editor.open("x = 1\n")
    waiting = editor.complete(0, 5)
    (await editor.asked()).answer("😀 + 2", id="9")
    await waiting
    notify = editor.client.protocol.notify
    notify("jouline/didShow", {"id": "9"})
    notify("jouline/didPartiallyAccept", {"id": "9", "acceptedLength": 3})
    notify("jouline/didReject", {"id": "9"})
    notify("jouline/didShow", {"nonsense": True})
    await editor.request("jouline/energy", {})  # everything before it has been handled
    editor.server.close()
    assert [(told.outcome, told.chars) for told in editor.app.feedbacks] == [
        ("shown", 0),
        ("partial", 2),
        ("rejected", 0),
    ]
    assert all(isinstance(told, Feedback) for told in editor.app.feedbacks)
