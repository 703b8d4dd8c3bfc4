"""What a collection asks of every model: places in code, file by file, or problems with unit tests."""

import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jouline.completion import CompletionRequest
from jouline.engine.generate import Limits
from jouline.errors import ConfigError
from jouline.lab.collect import MAX_TOKENS, Drawn, place_request

PROBLEM_TOKENS = 256
_TEXTS = ("task_id", "prompt", "suffix", "canonical_solution", "test", "entry_point")

Judge = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, what the true text is, and how an answer is judged: None is by exact match.

    `before` is what the model should know before anything is measured: the text up to the line's beginning.
    """

    query_id: str
    group: str
    task: str
    request: CompletionRequest
    truth: str
    limits: Limits
    before: CompletionRequest | None = None
    passes: Judge | None = None


def is_problems(path: Path) -> bool:
    """Whether a path is a file of problems with unit tests, by its name."""
    return path.name.endswith((".jsonl", ".jsonl.gz"))


def of_places(drawn: Sequence[Drawn]) -> list[list[Ask]]:
    """Return the asks of each file, line by line, left to right, so that what a model holds stays warm."""
    return [
        [
            Ask(
                query_id=f"{source.name}:{offset}",
                group=source.group,
                task="rest-of-line",
                request=place_request(source, text, offset, walk.line),
                truth=text[offset : walk.line.end],
                limits=Limits(max_tokens=MAX_TOKENS),
                before=place_request(source, text, walk.line.start, walk.line) if number == 0 else None,
            )
            for walk in walks
            for number, offset in enumerate(walk.offsets)
        ]
        for source, text, walks in drawn
    ]


def of_problems(path: Path) -> list[list[Ask]]:
    """Return the asks of a file of problems as openai/human-eval-infilling has them, each judged by its tests.

    Raises `ConfigError` naming the file, the line and what is missing in it.
    """
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigError(f"The problems {path} cannot be read to their end ({error}).") from error
    for number, row in enumerate(rows, 1):
        missing = [name for name in _TEXTS if not (isinstance(row, dict) and isinstance(row.get(name), str))]
        if missing:
            raise ConfigError(f"Line {number} of {path} is no problem with tests: {missing[0]} is not a text.")
    return [[_problem(row)] for row in rows]


def _problem(row: dict[str, Any]) -> Ask:
    whole_lines = row["prompt"].endswith("\n") and not row["suffix"].startswith(("\n", "\r"))
    single = "\n" not in row["canonical_solution"].rstrip("\n")
    request = CompletionRequest(
        uri="problem:row",
        language="python",
        text=row["prompt"] + ("\n" if whole_lines else "") + row["suffix"],
        offset=len(row["prompt"]),
        trigger="invoked",
        gate=False,
        cache=False,
        show_all=True,
    )
    return Ask(
        query_id=row["task_id"],
        group=row["entry_point"],
        task="unit-tests",
        request=request,
        truth=row["canonical_solution"].removesuffix("\n") if whole_lines else row["canonical_solution"],
        limits=Limits(max_tokens=PROBLEM_TOKENS if not single else MAX_TOKENS, single_line=single),
        passes=lambda text: _passes(row, text + ("\n" if whole_lines else "")),
    )


def _passes(row: dict[str, Any], completion: str) -> bool:
    try:
        from jouline.lab.pair.humaneval import passes, program  # noqa: PLC0415  needs Unix's limits
    except ImportError:
        raise ConfigError("Unit tests are run on Unix alone, where a program can be held within limits.") from None
    return passes(program(row | {"completion": completion}))
