"""An outcome table as arrays, for one small and one large model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jouline.completion import CompletionRequest, Generation, Tier
from jouline.errors import ConfigError
from jouline.lab.outcomes import Row
from jouline.router.calibration import Display
from jouline.router.draft import draft_features, tokens_until

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows as arrays of equal length. Costs are in `cost_unit`.

    `escalate_cost` is what the large model costs after the small one's draft. `rows` are the rows themselves.
    """

    rows: Sequence[Row]
    small: str
    large: str
    groups: NDArray[np.str_]
    small_quality: Floats
    large_quality: Floats
    small_cost: Floats
    large_cost: Floats
    escalate_cost: Floats
    cost_unit: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def has_logprobs(self) -> bool:
        """Whether every row tells the log p of the small model's whole text."""
        return all(_logprob(row["outcomes"][self.small]) is not None for row in self.rows)

    @property
    def can_stop(self) -> bool:
        """Whether every row tells what both models cost when they stop early: log p by token, and shares of cost."""
        return self._all_tell({"logprobs", "prompt_share", "tokens_out"})

    @property
    def has_drafts(self) -> bool:
        """Whether every row has all that the product's classifier reads: the place's features and the drafts."""
        places = all(row.get("features") and {"prefix", "suffix"} <= row.keys() for row in self.rows)
        return places and self.can_stop and self._all_tell({"completion", "margins", "stop"})

    def _all_tell(self, names: set[str]) -> bool:
        both = (self.small, self.large)
        return all(names <= row["outcomes"][model].keys() for row in self.rows for model in both)

    @property
    def classes(self) -> NDArray[np.int64]:
        """Index of each row's outcome in `jouline.router.classifier.CLASSES`; right is a quality of at least 1/2."""
        small, large = self.small_quality >= 0.5, self.large_quality >= 0.5
        return np.select([small & large, large, small], [0, 1, 2], 3)

    def logprobs(self, tier: Tier) -> Floats:
        """Return the summed log p of a tier's whole text, per row; not a number where a row does not tell it."""
        model = self.small if tier == "small" else self.large
        return np.array([_logprob(row["outcomes"][model]) for row in self.rows], dtype=np.float64)


def table(rows: Sequence[Row], small: str, large: str, *, among: Sequence[str] = ()) -> Table:
    """Return the rows as arrays; raise `ConfigError` where a model is missing or the costs' units differ.

    With `among` the models named there must be in every row too.
    """
    for row in rows:
        absent = [model for model in dict.fromkeys((small, large, *among)) if model not in row["outcomes"]]
        if absent:
            there = ", ".join(row["outcomes"]) or "none"
            raise ConfigError(f"Row {row['query_id']!r} has no outcome of {' or of '.join(absent)}, only of {there}.")
    if not rows:
        raise ConfigError("An outcome table has no rows: collect it first.")
    units = sorted({row["cost_unit"] for row in rows})
    if len(units) > 1:
        raise ConfigError(f"The tables' costs are in different units ({', '.join(units)}): collect them anew alike.")
    return Table(
        rows=rows,
        small=small,
        large=large,
        groups=np.array([row.get("group") or row["query_id"] for row in rows]),
        small_quality=_column(rows, small, "quality"),
        large_quality=_column(rows, large, "quality"),
        small_cost=_column(rows, small, "cost"),
        large_cost=_column(rows, large, "cost"),
        escalate_cost=np.array([_after(row["outcomes"][large], small) for row in rows]),
        cost_unit=units[0],
    )


def told(rows: Sequence[Row], *models: str) -> Sequence[Row]:
    """Return the rows with an outcome of all models; all rows where none has, for `table` to say what is missing."""
    return [row for row in rows if set(models) <= row["outcomes"].keys()] or rows


def need_drafts(whole: Table) -> None:
    """Raise `ConfigError` where a table lacks what the product's classifier reads."""
    if not whole.has_drafts:
        raise ConfigError(
            "The product's classifier needs places with features and drafts with log p, which the table does not"
            " tell: make one with `jouline lab collect`."
        )


def part(whole: Table, kept: NDArray[np.bool_]) -> Table:
    """Return the rows of a table where `kept` is true."""
    return table([row for row, keep in zip(whole.rows, kept, strict=True) if keep], whole.small, whole.large)


def _column(rows: Sequence[Row], model: str, name: str) -> Floats:
    return np.array([row["outcomes"][model][name] for row in rows], dtype=np.float64)


def _logprob(outcome: Row) -> float | None:
    """Return the summed log p of a whole text, by token or as the evidence tells it; None is unknown."""
    if "logprobs" in outcome:
        return float(sum(outcome["logprobs"]))
    told = (outcome.get("evidence") or {}).get("logprob")
    return None if told is None else float(told)


def _after(outcome: Row, small: str) -> float:
    """Return the cost after the small model's draft; the whole cost where a table does not tell it."""
    return float(outcome.get("cost_after", {}).get(small, outcome["cost"]))


def as_shown(whole: Table, display: Display) -> Table:
    """Return the table as a user sees it: only what is above a tier's display threshold counts as right.

    Decoding stops, with nothing lost, as soon as the summed log p is below the threshold; costs shrink with the
    tokens that are not decoded, in proportion.
    """
    return replace(
        whole,
        small_quality=whole.small_quality * (whole.logprobs("small") >= display.small.floor),
        large_quality=whole.large_quality * (whole.logprobs("large") >= display.large.floor),
        small_cost=whole.small_cost * _spent_share(whole.rows, whole.small, display.small.floor),
        large_cost=whole.large_cost * _spent_share(whole.rows, whole.large, display.large.floor),
        escalate_cost=whole.escalate_cost * _spent_share(whole.rows, whole.large, display.large.floor),
    )


def _spent_share(rows: Sequence[Row], model: str, floor: float) -> Floats:
    return np.array([_share_until(row["outcomes"][model], floor) for row in rows])


def _share_until(outcome: Row, floor: float) -> float:
    """Return the share of an outcome's cost that is spent when decoding stops at `floor`."""
    unspent = len(outcome["logprobs"]) - tokens_until(tuple(outcome["logprobs"]), floor)
    decoding = 1.0 - float(outcome["prompt_share"])
    return 1.0 - decoding * unspent / max(1, int(outcome["tokens_out"]))


def place_matrix(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float32]:
    """Return the places' features, shape (rows, names); raise `ConfigError` where a row lacks one."""
    try:
        return np.array([[row["features"][name] for name in names] for row in rows], dtype=np.float32)
    except KeyError as error:
        raise ConfigError(f"A row has no feature {error}: collect the table with this version.") from error


def draft_rows(rows: Sequence[Row], small: str, floor: float) -> list[dict[str, float]]:
    """Return the features of the small model's drafts, as the product computes them."""
    return [draft_features(request(row), draft(row["outcomes"][small]), floor) for row in rows]


def request(row: Row) -> CompletionRequest:
    """Return the request that a row was made from, as far as the row keeps its text."""
    text = f"{row['prefix']}\n{row['suffix']}"
    return CompletionRequest(
        uri="", language=row.get("language", "python"), text=text, offset=len(row["prefix"]), trigger="invoked"
    )


def draft(outcome: Row) -> Generation:
    """Return what a model generated, as far as its outcome keeps it."""
    return Generation(
        text=outcome["completion"],
        tokens=(),
        logprob=sum(outcome["logprobs"]),
        logprobs=tuple(outcome["logprobs"]),
        margins=tuple(outcome["margins"]),
        stop=outcome["stop"],
        prompt_tokens=0,
        prompt_evaluated=0,
        prompt_work=0.0,
        generated_tokens=outcome["tokens_out"],
        prompt_ms=0.0,
        generate_ms=0.0,
    )
