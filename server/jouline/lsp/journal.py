"""The log file: rotating, one line a request with fixed fields, and never any source text."""

import logging
import sys
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path

from jouline.completion import Completion

MAX_BYTES = 1_000_000
KEPT_FILES = 3


def open_journal(folder: Path) -> str | None:
    """Send what `jouline` logs to `serve.log` in the folder, and its warnings to stderr.

    Return one sentence if the file cannot be written; stderr then gets all of it. pygls logs whole messages, which
    hold source text, so its loggers are silenced.
    """
    _silence("pygls")
    journal = logging.getLogger("jouline")
    journal.setLevel(logging.INFO)
    journal.propagate = False
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(logging.WARNING)
    stderr.setFormatter(logging.Formatter("%(message)s"))
    handlers: list[logging.Handler] = [stderr]
    problem = None
    try:
        handlers.append(_file_handler(folder))
    except OSError as error:
        stderr.setLevel(logging.INFO)
        problem = f"The log cannot be written in {folder} ({error.strerror}); make that folder writable."
    journal.handlers[:] = handlers
    return problem


def set_detail(*, debug: bool) -> None:
    """Log more, or as usual: the setting `debug.log`."""
    logging.getLogger("jouline").setLevel(logging.DEBUG if debug else logging.INFO)


def request_line(completion: Completion, language: str) -> str:
    """Return the log line of a request: fixed fields, `-` for what is not known."""
    tokens, timings, energy = completion.tokens, completion.timings, completion.energy
    values = {
        "id": completion.id,
        "action": completion.action,
        "language": language,
        "models": "+".join(completion.models_run) or None,
        "prompt_tokens": tokens.prompt,
        "evaluated_tokens": tokens.prompt_evaluated,
        "generated_tokens": tokens.generated,
        "chars": len(completion.text),
        "queue_ms": round(timings.queue_ms, 1),
        "total_ms": round(timings.total_ms, 1),
        "joules": energy.joules,
        "method": energy.method,
    }
    return "request " + " ".join(f"{name}={'-' if value is None else value}" for name, value in values.items())


def describe(error: BaseException) -> str:
    """Return where an error arose, without its message: a message may quote the text that was worked on."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-6:]))
    return f"{type(error).__name__} at {places or '?'}"


def _file_handler(folder: Path) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / "serve.log", maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    return handler


def _silence(name: str) -> None:
    logger = logging.getLogger(name)
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
