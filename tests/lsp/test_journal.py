"""The log: one line a request with fixed fields, and never any source text."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from jouline.completion import Completion, Energy, Timings, TokenCounts
from jouline.lsp.journal import describe, open_journal, request_line, set_detail

QUOTED = "word = 'correct horse'"


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    names = ("jouline", "pygls")
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names}
    yield
    for name, (handlers, propagate) in before.items():
        logger = logging.getLogger(name)
        for handler in logger.handlers:
            handler.close()
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(logging.NOTSET)


def test_a_requests_line_has_fixed_fields_and_no_text():
    """Unknown is a dash; the completion and the reason, which may speak of the code, are not in it."""
    completion = Completion(
        id="3",
        text=QUOTED,
        action="generate",
        reason=QUOTED,
        model="large",
        models_run=("small", "large"),
        timings=Timings(queue_ms=0.04, total_ms=81.26),
        tokens=TokenCounts(prompt=300, prompt_evaluated=4, generated=9),
        energy=Energy(method="estimated"),
    )
    assert request_line(completion, "python") == (
        "request id=3 action=generate language=python models=small+large prompt_tokens=300 evaluated_tokens=4"
        " generated_tokens=9 chars=22 queue_ms=0.0 total_ms=81.3 joules=- method=estimated"
    )


def test_the_log_lies_in_its_folder_and_pygls_is_silent(tmp_path: Path):
    """What Jouline logs is there; pygls, which logs whole messages, writes nothing anywhere."""
    assert open_journal(tmp_path / "log") is None
    logging.getLogger("jouline.lsp.server").info("request id=1")
    logging.getLogger("pygls.protocol.json_rpc").error("Sending data: %s", QUOTED)
    text = (tmp_path / "log" / "serve.log").read_text()
    assert "INFO request id=1" in text
    assert QUOTED not in text


def test_the_setting_debug_log_logs_more(tmp_path: Path):
    """Off, only requests and trouble are logged."""
    open_journal(tmp_path)
    log = logging.getLogger("jouline.x")
    for debug in (False, True, False):
        set_detail(debug=debug)
        log.debug("detail %s", debug)
    text = (tmp_path / "serve.log").read_text()
    assert text.count("detail") == 1


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The server works without it and logs to stderr instead."""
    (tmp_path / "file").write_text("")
    problem = open_journal(tmp_path / "file")
    assert problem is not None
    assert str(tmp_path / "file") in problem
    logging.getLogger("jouline.x").info("said")
    assert capsys.readouterr().err == "said\n"


def test_an_errors_place_is_told_without_its_message():
    """A message may quote the text that was worked on."""
    try:
        int(QUOTED)
    except ValueError as error:
        told = describe(error)
    assert told.startswith("ValueError at test_journal.py:")
    assert QUOTED not in told
