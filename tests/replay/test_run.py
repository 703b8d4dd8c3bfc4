"""A replay over files: the figures and what the app is told."""

import json
from pathlib import Path

import pytest
from tests.replay.fakes import ScriptedApp, completion, right, silent

from jouline.completion import Completion, CompletionRequest, Energy
from jouline.replay.asking import Asking
from jouline.replay.events import Answered, Screen, Superseded
from jouline.replay.report import Surroundings, percentile, report_fields
from jouline.replay.run import Options, plan, play, replay
from jouline.replay.sources import SourceFile
from jouline.replay.tally import Tally

TEXT = (
    "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n\n\nprint(read('a'))\n"
)
FIELDS = {
    "files", "chars", "keystrokes", "requests", "skipped", "cache_hits", "shown", "accepted",
    "accepted_chars", "keystrokes_saved_percent", "by_model", "latency_ms", "engine_latency_ms", "joules",
    "joules_method", "baseline_joules", "saved_percent", "saved_by", "accepted_chars_per_joule",
    "cpu_seconds", "prompt_tokens_evaluated", "generated_tokens", "cancelled", "cancelled_joules",
    "residency_joules", "wall_seconds",
}  # fmt: skip
ANYWHERE = SourceFile(path=Path("read.py"), language="python", text=TEXT)
TIMES = {"wall_seconds", "cpu_seconds"}
SMALL_STEPS = Options(seed=2, chars=200)


def replayed(app: ScriptedApp, options: Options = SMALL_STEPS) -> dict:
    """Replay the file with an app and return the report."""
    tally, around = replay(plan([ANYWHERE], options), app, options, lambda _: None)
    return report_fields(tally, around)


def test_the_report_has_the_contract_s_fields() -> None:
    """Every field that other programs rely on is there, and the whole is JSON."""
    report = json.loads(json.dumps(replayed(ScriptedApp(silent))))
    assert set(report) >= FIELDS
    assert set(report["saved_by"]) == {"route", "exit", "stop", "gate", "drafts"}
    assert set(report["latency_ms"]) == {"small", "large", "cache", "all"}


def test_right_suggestions_save_keystrokes() -> None:
    """What is accepted is counted once, in characters, and fewer keys are pressed than without."""
    report = replayed(ScriptedApp(right(TEXT, chars=40)))
    assert report["accepted"] > 0
    assert report["keystrokes"] < report["keystrokes_unaided"]
    assert report["keystrokes_saved_percent"] > 20
    assert report["accepted_chars"] > report["accepted"]


def test_silence_saves_nothing() -> None:
    """Where nothing is offered the keys are those of the same person unaided."""
    report = replayed(ScriptedApp(silent))
    assert report["keystrokes"] == report["keystrokes_unaided"]
    assert report["keystrokes_saved_percent"] == 0
    assert report["latency_ms"]["all"] is None


def test_joules_are_added_up() -> None:
    """Spent, baseline and saved are sums over requests; the headline is net of what only a second model costs."""
    report = replayed(ScriptedApp(silent))
    count = report["requests"]
    assert report["joules"] == pytest.approx(1.0 * count)
    assert report["baseline_joules"] == pytest.approx(4.0 * count)
    assert report["saved_percent"] == pytest.approx(75.0)
    assert report["saved_by"]["route"] == pytest.approx(2.0 * count)
    assert report["saved_by"]["exit"] is None
    resident = replayed(ScriptedApp(silent, extra_joules=4.0 * count * 0.25))
    assert resident["saved_percent"] == pytest.approx(50.0)


def test_what_is_unknown_is_null() -> None:
    """Without a meter joules, baseline and savings are null, not zero."""
    unmeasured = ScriptedApp(lambda _: completion(energy=Energy(), cpu_seconds=None))
    report = replayed(unmeasured)
    for name in ("joules", "baseline_joules", "saved_percent", "accepted_chars_per_joule", "cpu_seconds"):
        assert report[name] is None
    assert report["joules_method"] == "unavailable"


def test_what_the_gate_saves_stands_apart() -> None:
    """A skipped request counts as skipped; its baseline is in `saved_by.gate` and not in the headline."""
    gate = Energy(joules=0.0, method="estimated", baseline_joules=4.0, saved_by={"gate": 4.0})
    report = replayed(ScriptedApp(lambda _: completion(action="skip", models_run=(), energy=gate)))
    assert report["skipped"] == report["requests"] > 0
    assert report["baseline_joules"] == 0
    assert report["saved_percent"] is None
    assert report["saved_by"]["gate"] == pytest.approx(4.0 * report["requests"])


def test_the_app_hears_what_became_of_each_suggestion() -> None:
    """Each suggestion shown is then accepted, taken in part or rejected, in that order."""
    app = ScriptedApp(right(TEXT, chars=9))
    options = SMALL_STEPS
    for typing in plan([ANYWHERE], options):
        for _ in play(typing, app, options):
            pass
    outcomes = [feedback.outcome for feedback in app.told]
    assert outcomes.count("shown") > 2
    for one, following in zip(outcomes, [*outcomes[1:], "shown"], strict=True):
        assert one != "shown" or following != "shown"


def test_a_request_that_takes_too_long_is_cancelled() -> None:
    """The engine is stopped once the person's next key comes, and what it spent is known."""
    app = ScriptedApp(silent, stuck=True)
    request = CompletionRequest(uri="file:///a.py", language="python", text="a", offset=1)
    reply = Asking(app)(request, 1.0)
    assert reply.completion is None
    assert reply.joules == 0.5


def test_the_same_seed_gives_the_same_report() -> None:
    """Apart from measured times two runs with one seed agree."""

    def timeless(report: dict) -> dict:
        return {name: value for name, value in report.items() if "latency" not in name and name not in TIMES}

    first, second = (replayed(ScriptedApp(right(TEXT))) for _ in range(2))
    assert timeless(first) == timeless(second)


def test_cancelled_work_is_told_apart() -> None:
    """A superseded request is a request whose joules are part of the whole and stand alone too."""
    tally = Tally()
    tally.add(Superseded(at_ms=1.0, engine_ms=1.0, joules=0.5, cpu_seconds=0.1))
    around = Surroundings(
        files=1, chars=1, presses_unaided=1, residency_joules=None, extra_joules=None, wall_seconds=1.0
    )
    report = report_fields(tally, around)
    assert (report["requests"], report["cancelled"]) == (1, 1)
    assert (report["joules"], report["cancelled_joules"]) == (0.0, 0.5)
    assert report["residency_joules"] is None


def test_latency_is_told_by_source() -> None:
    """Times stand under the model whose text came, or the cache, and under all; the engine's own beside them."""
    tally = Tally()
    for text, fields in (("a", {}), ("b", {"model": None, "action": "cache"}), ("", {})):
        tally.add(_answered(completion(text, **fields)))
    assert {name: len(times) for name, times in tally.latency_ms.items()} == {"small": 1, "cache": 1, "all": 2}
    assert tally.latency_ms["all"] == [35.0, 35.0]
    assert tally.engine_latency_ms["all"] == [5.0, 5.0]


def _answered(answer: Completion) -> Answered:
    screen = Screen(before="", pending="", after="")
    return Answered(at_ms=0.0, completion=answer, engine_ms=5.0, delay_ms=30.0, again=False, screen=screen)


def test_percentiles_are_values_that_occurred() -> None:
    """The nearest-rank percentile is one of the values; the 100th is the greatest."""
    assert [percentile([3, 1, 2], p) for p in (0, 50, 95, 100)] == [1, 2, 3, 3]
