"""Logs of a bandit's choices: what was asked, with which chance, and the reward that came of it."""

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jouline.errors import ConfigError
from jouline.lab.contexts import Contexts
from jouline.lab.grid import Choices, Floats
from jouline.lab.outcomes import Row, is_number
from jouline.lab.queries import Encoder

_TEXTS = ("query_id", "task", "action")
_NUMBERS = ("propensity", "reward")


@dataclass(frozen=True, kw_only=True)
class Log:
    """Events as arrays of equal length, in the order in which they were logged.

    `query` is the index of an event's query in `rows`, `action` that of its model in `models`. `optimal` is the best
    reward that was to be had, not a number where the log does not tell it.
    """

    rows: Sequence[Row]
    models: tuple[str, ...]
    query: Choices
    action: Choices
    propensity: Floats
    reward: Floats
    optimal: Floats

    def __len__(self) -> int:
        return len(self.query)

    @property
    def knows_optimum(self) -> bool:
        """Whether every event tells the best reward that was to be had."""
        return bool(~np.isnan(self.optimal).any())

    @cached_property
    def contexts(self) -> Floats:
        """GreenServ's features of each query, in the order of `rows`."""
        return Contexts(self.rows).of(self.rows)

    @cached_property
    def described(self) -> Floats:
        """The same, and an embedding of the text, zeros where there is none."""
        told = [row for row in self.rows if row["text"]]
        if len(told) < 2:
            return self.contexts
        embedded = Encoder(told, ()).queries(told).embedded[:, :-1]
        found = np.zeros((len(self.rows), embedded.shape[1]))
        found[[bool(row["text"]) for row in self.rows]] = embedded
        return np.hstack([self.contexts, found])


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedQueries:
    """Some of a log's queries, as routers want them."""

    described: Floats
    embedded: Floats
    contexts: Floats

    def __len__(self) -> int:
        return len(self.contexts)

    def at(self, index: Choices) -> "LoggedQueries":
        """Return some of the queries."""
        return LoggedQueries(
            described=self.described[index], embedded=self.embedded[index], contexts=self.contexts[index]
        )


def queries(log: Log, index: NDArray[Any]) -> LoggedQueries:
    """Return the queries at an index of `rows`."""
    described = log.described[index]
    lengths = np.linalg.norm(described, axis=1, keepdims=True)
    embedded = np.hstack([described / np.where(lengths > 0, lengths, 1.0), np.ones((len(described), 1))])
    return LoggedQueries(described=described, embedded=embedded, contexts=log.contexts[index])


def read_log(path: Path, contexts: Sequence[Row] = ()) -> Log:
    """Return a log of JSON Lines, compressed or not; texts are those of `contexts` by their query_id.

    Raises `ConfigError` naming the file, the line and what is wrong with it.
    """
    events = [_checked(path, number, event) for number, event in enumerate(_parse(path), 1)]
    if not events:
        raise ConfigError(f"{path} holds no logged choices.")
    texts = {row["query_id"]: row.get("text", "") for row in contexts}
    ids = list(dict.fromkeys(event["query_id"] for event in events))
    tasks = {event["query_id"]: event["task"] for event in events}
    models = tuple(sorted({event["action"] for event in events}))
    places, columns = {name: at for at, name in enumerate(ids)}, {name: at for at, name in enumerate(models)}
    return Log(
        rows=[{"query_id": name, "task": tasks[name], "text": texts.get(name, "")} for name in ids],
        models=models,
        query=np.array([places[event["query_id"]] for event in events]),
        action=np.array([columns[event["action"]] for event in events]),
        propensity=np.array([event["propensity"] for event in events], dtype=np.float64),
        reward=np.array([event["reward"] for event in events], dtype=np.float64),
        optimal=np.array([event.get("optimal_reward", np.nan) for event in events], dtype=np.float64),
    )


def _checked(path: Path, number: int, event: Any) -> Row:
    if not isinstance(event, dict):
        raise ConfigError(f"Line {number} of {path} is no logged choice: it is not an object.")
    wrong = [name for name in _TEXTS if not isinstance(event.get(name), str)]
    wrong += [name for name in (*_NUMBERS, "optimal_reward") if not is_number(event.get(name, 0.0))]
    wrong += [name for name in _NUMBERS if name not in event]
    if wrong:
        raise ConfigError(f"Line {number} of {path} is no logged choice: {wrong[0]} is missing or of another type.")
    if not 0 < event["propensity"] <= 1:
        raise ConfigError(f"Line {number} of {path} is no logged choice: its propensity is not above 0 and at most 1.")
    return event


def _parse(path: Path) -> list[Any]:
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    except FileNotFoundError:
        raise ConfigError(f"There is no log at {path}.") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigError(f"The log {path} cannot be read to its end ({error}).") from error
