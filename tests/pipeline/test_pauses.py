"""What is done between two requests, and that the next request ends it at once."""

import threading

import pytest
from tests.pipeline.places import place

from jouline.cancel import CancelToken
from jouline.completion import Prompt
from jouline.energy.meter import open_meters
from jouline.pipeline import pauses
from jouline.pipeline.pauses import Pauses

PROMPT = Prompt(tokens=(1, 2, 3))


class Noted:
    """A completer, an account and books in one, which note what they are told."""

    def __init__(self, prompt):
        self.prompt, self.told = prompt, []

    def ahead(self, _request, _tier, room):
        self.told.append(("ahead", room))
        return self.prompt

    def prepare(self, prompt, tier, cancel):
        cancel.check()
        self.told.append(("prepare", prompt, tier))

    def unload(self, tier):
        self.told.append(("unload", tier))

    def stopped(self, tokens, evaluated):
        self.told.append(("stopped", tokens, evaluated))

    def other(self, kind, _measurement, *, language):
        self.told.append(("other", kind, language))


@pytest.fixture
def meters(tmp_path):
    """Open meters on a machine without counters."""
    with open_meters(tmp_path, {}) as opened:
        yield opened


def used(noted, meters, monkeypatch, *, unload_after_s=None, cancelled=False) -> list:
    """Return what is told in a pause that waits for nothing."""
    monkeypatch.setattr(pauses, "_AHEAD_AFTER_S", 0.0)
    token = CancelToken()
    if cancelled:
        token.cancel()
    made = Pauses(completer=noted, meters=meters, account=noted, books=noted, room=48, unload_after_s=unload_after_s)
    made.use(place("x = $0\n"), "small", token)
    return [told[0] for told in noted.told]


def test_the_next_prompt_is_evaluated_and_paid_for(meters, monkeypatch):
    """The work is entered in the books, and the baseline is credited with the same."""
    noted = Noted(PROMPT)
    assert used(noted, meters, monkeypatch) == ["ahead", "prepare", "other", "stopped"]
    assert noted.told[2] == ("other", "warm-up", "python")


def test_where_nothing_is_to_be_prepared_nothing_is_entered(meters, monkeypatch):
    """Most pauses cost a look."""
    assert used(Noted(None), meters, monkeypatch) == ["ahead"]


def test_after_long_the_large_models_memory_goes(meters, monkeypatch):
    """Only where a time for it is given."""
    assert used(Noted(None), meters, monkeypatch, unload_after_s=0.0) == ["ahead", "unload"]


def test_a_pause_that_is_over_is_not_used(meters, monkeypatch):
    """Somebody has asked again before it began."""
    assert used(Noted(PROMPT), meters, monkeypatch, unload_after_s=0.0, cancelled=True) == []


def test_the_next_request_wakes_the_engine(meters):
    """However long the pause might last, it ends when its token is set."""
    token, noted = CancelToken(), Noted(None)
    made = Pauses(completer=noted, meters=meters, account=noted, books=noted, room=48, unload_after_s=3600.0)
    waiting = threading.Thread(target=made.use, args=(place("x = $0\n"), "small", token))
    waiting.start()
    token.cancel()
    waiting.join(timeout=30)
    assert not waiting.is_alive()
    assert ("unload", "large") not in noted.told
