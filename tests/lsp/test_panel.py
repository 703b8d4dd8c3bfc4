"""What the energy panel asks for: the ledger's sums, the meters, the outlook of the slider, decisions, pulls."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from pygls.exceptions import JsonRpcException
from tests.energy.fakes import FakeClock
from tests.lsp.editor import PATIENCE_S
from tests.lsp.fake import ScriptedEditor

from jouline.cli.stats import document
from jouline.completion import Completion, Timings
from jouline.energy.entry import Entry
from jouline.energy.ledger import Ledger
from jouline.energy.meter import open_meters
from jouline.pipeline.answers import Answered
from jouline.router.calibration import BY_RULE, Calibration, MeanCosts, OperatingPoint

CALIBRATION = Calibration(
    pair="embedded",
    weights={},
    place_features=(),
    draft_features=(),
    costs=MeanCosts(small=1.0, large=2.0, escalate=1.5),
    cost_unit="cpu_seconds",
    display=BY_RULE,
    points=(
        OperatingPoint(energy_saving=0, direct=-2, escalate=-2, cost=0.02, quality=0.3),
        OperatingPoint(energy_saving=100, direct=2, escalate=2, cost=0.01, quality=None),
    ),
)


def spent(kind: str = "request", **facts: object) -> Entry:
    """Return a row of this session."""
    known: dict[str, object] = {"session": "a", "joules": 1.0, "method": "estimated"}
    return Entry(kind=kind, **(known | facts))  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path):
    """Give a ledger with a row of every sort, the last of another session."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for ms in (10.0, 30.0, 20.0):
            ledger.record(spent(model="small", saved_joules=0.5, saved_stddev=0.1, timings=Timings(total_ms=ms)))
        ledger.record(spent(model="large", joules=3.0, saved_joules=0.0, saved_stddev=0.2))
        ledger.record(spent(action="cache", joules=None))
        ledger.record(spent(action="skip", joules=0.0))
        ledger.record(spent("cancelled", joules=0.25))
        ledger.record(spent("residency", joules=0.125, saved_joules=-0.0625))
        ledger.record(spent("load", joules=4.0, saved_joules=0.0))
        ledger.record(spent("warm-up", joules=1.0, saved_joules=0.0))
        ledger.record(spent(session="b", model="large", joules=7.0))
        yield ledger


@pytest.fixture
def opened(editor: ScriptedEditor, ledger, tmp_path):
    """Give the scripted application what the panel reads of a real one."""
    app = editor.app
    app.memory_bytes = {"small": 12_000_000, "large": 0}.get
    app.ledger, app.session, app.calibration, app.most_saving = ledger, "a", CALIBRATION, 75.0
    app.meters = open_meters(tmp_path / "sys", {}, FakeClock(), sampling=False)
    app.card = SimpleNamespace(id="embedded", small=SimpleNamespace(id="front"), large=SimpleNamespace(id="back"))
    return app


async def test_the_report_has_the_sums_of_stats(editor: ScriptedEditor, opened, ledger, tmp_path):
    """Every number of the panel is the one that `jouline stats --json` prints of the same ledger."""
    await editor.ready()
    told = await editor.request("jouline/report", None)
    printed = document(ledger, tmp_path, None)
    both = {
        "requests": "requests",
        "shown": "shown",
        "accepted": "accepted",
        "acceptedChars": "accepted_chars",
        "spentJoules": "joules",
        "method": "joules_method",
        "savedJoules": "saved_net_joules",
        "savedStddev": "saved_joules_stddev",
        "savedPercent": "saved_percent",
        "headline": "headline",
        "acceptedCharsPerJoule": "accepted_chars_per_joule",
        "medianMs": "latency_ms_median",
    }
    assert {name: told["allTime"][name] for name in both} == {name: printed[there] for name, there in both.items()}
    (session,) = (sums for key, sums in printed["by_session"].items() if key == "a")
    assert (told["session"]["requests"], told["session"]["spentJoules"]) == (session["requests"], session["joules"])
    assert told["session"]["medianMs"] == 20.0


async def test_shares_tell_apart_what_must_not_be_mixed(editor: ScriptedEditor, opened):
    """Cache, skipped, cancelled, residency and loading have shares of their own; what is unknown is null."""
    await editor.ready()
    told = await editor.request("jouline/report", None)
    shares = {share["route"]: (share["requests"], share["joules"]) for share in told["session"]["shares"]}
    assert shares == {
        "small": (3, 3.0),
        "large": (1, 3.0),
        "cache": (1, None),
        "skip": (1, 0.0),
        "cancelled": (1, 0.25),
        "residency": (0, 0.125),
        "load": (0, 5.0),
    }
    for slots in (told["hours"], told["days"]):
        (slot,) = slots
        assert sum(share["joules"] or 0 for share in slot["shares"]) == pytest.approx(3 + 3 + 0.25 + 0.125 + 5 + 7)


async def test_the_outlook_is_the_calibration_in_joules(editor: ScriptedEditor, opened):
    """Processor seconds become joules by the watts of a core, labelled as an estimate; unknown stays null."""
    await editor.ready()
    told = await editor.request("jouline/report", None)
    watts = opened.meters.core.watts
    assert told["outlook"] == [
        {"energySaving": 0, "joules": pytest.approx(0.02 * watts), "quality": 0.3},
        {"energySaving": 100, "joules": pytest.approx(0.01 * watts), "quality": None},
    ]
    assert told["outlookMethod"] == "estimated"
    assert told["pair"] == {
        "id": "embedded",
        "small": "front",
        "large": "back",
        "hasRouter": True,
        "mostSaving": 75.0,
        "smallMemoryBytes": 12_000_000,
        "largeMemoryBytes": 0,
    }
    assert [meter["counted"] for meter in told["meters"]] == [True]
    assert all(missing["reason"] and missing["remedy"] != "" for missing in told["missing"])


async def test_the_report_is_empty_before_the_models_are_loaded(editor: ScriptedEditor):
    """Nothing is known then, and nothing is zero joules."""
    await editor.initialize({"enable": False})
    told = await editor.request("jouline/report", None)
    assert (told["pair"], told["session"]["spentJoules"], told["outlook"]) == (None, None, [])


async def test_decisions_hold_what_led_to_them_and_no_text(editor: ScriptedEditor, opened):
    """The latest first; features by name; never the completion itself."""
    await editor.ready()
    done = Completion(id="1", text="secret", action="generate", reason="Because.", features={"indent": 0.123456})
    opened.answered = (Answered(at_s=5.0, language="python", energy_saving=50, completion=done),)
    told = await editor.request("jouline/decisions", None)
    (decision,) = told["decisions"]
    assert (decision["reason"], decision["features"]) == ("Because.", {"indent": 0.1235})
    assert "secret" not in json.dumps(told)


async def test_a_pull_tells_how_far_it_is(editor: ScriptedEditor, opened):
    """Progress comes while it runs, and the answer when all is here."""
    await editor.ready()
    heard: asyncio.Queue[object] = asyncio.Queue()

    @editor.client.feature("jouline/pulling")
    def _hear(params):
        heard.put_nowait(params)

    pulling = asyncio.ensure_future(editor.request("jouline/pull", {"pair": "tiny"}))
    async with asyncio.timeout(PATIENCE_S):
        first = await heard.get()
    assert (first["model"], first["doneBytes"], first["totalBytes"]) == ("tiny", 1, 2)
    assert not pulling.done()
    opened.pulled.set()
    assert await pulling == {"problem": None}


async def test_a_pull_that_fails_says_why(editor: ScriptedEditor, opened):
    """The sentence of the error is the answer; nonsense is refused."""
    await editor.ready()
    answer = await editor.request("jouline/pull", {"pair": "unknown"})
    assert answer == {"problem": "There is no pair called 'unknown'; see `jouline models list`."}
    with pytest.raises(JsonRpcException):
        await editor.request("jouline/pull", {"pair": 3})


async def test_a_recommendation_is_told(editor: ScriptedEditor, opened):
    """The pair, its size, whether it is here, and why."""
    await editor.ready()
    told = await editor.request("jouline/recommend", None)
    assert told["pair"] == "embedded"
    assert (told["present"], told["sizeBytes"]) == (True, 11_000_000)
