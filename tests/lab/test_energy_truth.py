"""`scripts/energy_truth`: its arithmetic, and a short run on the real pair."""

import json
from dataclasses import replace

import pytest

from jouline.energy.window import Measurement, Part
from jouline.lab import energy_truth
from jouline.lab.energy_truth import Batch, Reading, _reference, draw, holds, main, percent

pytestmark = pytest.mark.slow

PACKAGE = Part(meter="rapl package-0", domain="cpu", covers="all", counted=True, method="attributed", joules=30.0)
BOARD = Part(meter="nvml gpu 0", domain="gpu", covers="all", counted=True, method="measured", joules=70.0)
WHOLE = Measurement(duration_s=1.0, cpu_seconds=2.0, parts=(PACKAGE, BOARD), joules=100.0)


def reading(compares, ours, other):
    """Return a comparison."""
    return Reading(compares=compares, name="other", ours=ours, other=other)


def report(session, batches):
    """Return what `holds` looks at."""
    within = sum(abs(error) <= 15.0 for error in batches)
    return {"session": {"error_percent": session}, "batches": {"count": len(batches), "within_limit": within}}


def test_the_reference_is_each_device_as_the_other_reader_saw_it():
    """Our attribution, scaled by the other reader's joules; a device that nobody else read stays as it is."""
    package = reading("processor package", 50.0, 55.0)
    assert _reference(WHOLE, [package]) == pytest.approx(30.0 * 1.1 + 70.0)
    assert _reference(WHOLE, [package, reading("graphics board", 100.0, 90.0)]) == pytest.approx(33.0 + 63.0)
    assert _reference(WHOLE, [reading("processor package", 50.0, None)]) == pytest.approx(100.0)
    assert _reference(replace(WHOLE, joules=None), [package]) is None


def test_processor_time_is_the_reference_of_an_estimate():
    """Without counters the other clock's seconds scale the estimate."""
    part = replace(PACKAGE, meter="cpu-time model", method="estimated")
    whole = replace(WHOLE, parts=(part,), joules=30.0)
    assert _reference(whole, [reading("processor time", 2.0, 2.2)]) == pytest.approx(33.0)


def test_an_error_is_signed_and_unknown_where_nothing_was_read():
    """Above the other reading is positive."""
    assert percent(11.0, 10.0) == pytest.approx(10.0)
    assert percent(None, 10.0) is None
    assert percent(1.0, 0.0) is None
    batch = Batch(requests=20, measured_joules=10.0, predicted_joules=9.0, again=1.0)
    assert batch.error_percent == pytest.approx(-10.0)
    assert batch.noise_percent == pytest.approx(10.0)


def test_it_holds_only_where_all_is_known_and_within_the_limits():
    """A session beyond 5 %, a batch beyond 15 %, or nothing to compare: it does not hold."""
    assert holds(report(4.9, [-14.0, 3.0]))
    assert not holds(report(-5.1, [1.0]))
    assert not holds(report(0.0, [1.0, -15.5]))
    assert not holds(report(None, [1.0]))
    assert not holds(report(0.0, []))


def test_what_is_held_out_is_other_code():
    """Requests fitted on and requests foretold come from different files."""
    fitted, held = draw(3)
    assert {request.uri for request in fitted}.isdisjoint(request.uri for request in held)
    assert len(held) > 300


@pytest.mark.model
def test_the_requests_of_a_real_session_add_up(capsys, monkeypatch):
    """On the embedded pair: the sum agrees with another clock, batches are foretold, the rest is named."""
    requests = draw(1)
    monkeypatch.setattr(energy_truth, "draw", lambda _: (requests[0][:30], requests[1][:8]))
    main(["--json", "--requests", "30", "--batches", "2", "--batch", "4"])
    found = json.loads(capsys.readouterr().out)
    assert found["session"]["requests"] == 30
    assert found["session"]["summed_joules"] == pytest.approx(found["session"]["reference_joules"], rel=0.2)
    assert found["batches"]["count"] == 2
    assert len(found["batches"]["errors_percent"]) == 2
    assert found["not_compared"] or len(found["readings"]) > 2
