"""Makes the product's router: trains it, fixes its operating points, writes its folder and its card."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jouline.errors import ConfigError
from jouline.lab import fitting
from jouline.lab.metrics import Ends
from jouline.lab.outcomes import Row
from jouline.lab.policy import SMALL, STEPS, Scores, choose, ends, fit, judged
from jouline.lab.table import Floats, Table, as_shown, draft_rows, need_drafts
from jouline.router.calibration import (
    ALWAYS,
    NEVER,
    Calibration,
    Display,
    MeanCosts,
    OperatingPoint,
    load,
)
from jouline.router.classifier import CLASSES, UNADJUSTED, Chances, OutcomeClassifier
from jouline.router.draft import tokens_until
from jouline.router.learned import CALIBRATION_FILE, DRAFTS_FILE, PLACES_FILE

if TYPE_CHECKING:
    from jouline.lab.training import Trained

_CARD_POINTS = (0, 25, 50, 75, 100)


def train_router(table: Table, folder: Path, *, pair: str, weights: dict[str, str | None]) -> "Trained":
    """Train on a table and write `difficulty.onnx`, `draft.onnx`, `calibration.json` and `card.md`.

    What is learnt is which models' texts are right *and shown*: what is right with little confidence is of no use to
    anybody, and the gains so learnt rank places by exact match as well (LOG.md). Its operating points are only the two
    ends until `calibrate_router` fixes the others on other data. `weights` are the checksums of the pair's files.
    """
    from jouline.lab.training import check_outcomes, confidence, export, inputs, train  # noqa: PLC0415  extra `lab`

    need_drafts(table)
    check_outcomes(table)
    display = Display(
        small=confidence(table.logprobs("small"), table.small_quality),
        large=confidence(table.logprobs("large"), table.large_quality),
    )
    shown = as_shown(table, display)
    check_outcomes(shown)
    given = inputs(shown, display.small.floor)
    trained = train(shown, given)
    folder.mkdir(parents=True, exist_ok=True)
    export(trained.place, given.place.shape[1], folder / PLACES_FILE)
    export(trained.draft, given.draft.shape[1], folder / DRAFTS_FILE)
    calibration = Calibration(
        pair=pair,
        weights=weights,
        place_features=given.place_names,
        draft_features=given.draft_names,
        costs=mean_costs(shown),
        cost_unit=table.cost_unit,
        display=display,
        points=(
            OperatingPoint(energy_saving=0, direct=ALWAYS, escalate=ALWAYS),
            OperatingPoint(energy_saving=100, direct=NEVER, escalate=NEVER),
        ),
        length=fitting.length(given.place, decoded_tokens(table, display)),
        made_from={"train": described(table), "log_loss": trained.scores, "chosen": trained.chosen},
    )
    write_router(folder, calibration)
    return trained


def calibrate_router(folder: Path, table: Table) -> Calibration:
    """Fix all that is fixed on data the router was not trained on, in place; returns what it wrote.

    First how its chances are adjusted, then the operating points: for what is shown while typing, where decoding stops
    as soon as a text is too unlikely to be shown.
    """
    calibration = fitted_to(load(folder / CALIBRATION_FILE), folder, table)
    write_router(folder, calibration)
    return calibration


def fitted_to(calibration: Calibration, folder: Path, table: Table) -> Calibration:
    """Return a calibration fitted to a table, by the networks in `folder`."""
    need_drafts(table)
    shown = as_shown(table, calibration.display)
    told = told_chances(table, folder, replace(calibration, place_adjustment=UNADJUSTED, draft_adjustment=UNADJUSTED))
    calibration = replace(
        calibration,
        place_adjustment=fitting.adjustment(as_rows(told.before), shown.classes),
        draft_adjustment=fitting.adjustment(as_rows(told.after), shown.classes),
    )
    told = told_chances(table, folder, calibration)
    made = {
        "validate": described(table),
        "calibration_error": calibration_error(shown, told),
        "large_natural_tokens": _mean_tokens(table),
    }
    return replace(
        calibration,
        costs=mean_costs(shown),
        cost_unit=table.cost_unit,
        points=points_by_price(shown, told.scores),
        made_from=calibration.made_from | made,
    )


def points_by_price(table: Table, scores: Scores) -> tuple[OperatingPoint, ...]:
    """Return the operating points at which costs fall evenly where the place alone decides.

    A draft is escalated at the same price: for the same gain per cost that is asked for at once; not at all where that
    would cost more than the even share.
    """
    alone = fit(table, Scores(before=scores.before, after=None))
    costs = mean_costs(table)
    dearer = costs.escalate / max(1e-12, costs.large - costs.small)
    budget = np.linspace(costs.large, costs.small, STEPS)
    return tuple(
        _with_escalation(table, scores, point, dearer, even) for point, even in zip(alone, budget, strict=True)
    )


def _with_escalation(table: Table, scores: Scores, point: OperatingPoint, dearer: float, even: float) -> OperatingPoint:
    if not 0 < point.direct < NEVER:
        return point
    both = judged(table, scores, replace(point, escalate=point.direct * dearer))
    return both if both.cost is not None and both.cost <= even else point


def pick_point(
    calibration: Calibration,
    *,
    quality_floor: float | None = None,
    energy_saving: float | None = None,
) -> OperatingPoint:
    """Return the point of an energy saving, or the cheapest that keeps a floor: percent of the large model's quality.

    With neither the point of energy saving 50. Raises `ConfigError` where no point keeps the floor.
    """
    if quality_floor is None:
        return calibration.at(50 if energy_saving is None else energy_saving)
    best = calibration.points[0].quality or 0.0
    kept = [point for point in calibration.points if (point.quality or 0.0) >= quality_floor / 100 * best]
    if not kept:
        raise ConfigError(f"No operating point keeps {quality_floor:g} % of the large model's quality.")
    return min(kept, key=lambda point: point.cost or math.inf)


def point_of_share(calibration: Calibration, table: Table, folder: Path, share: float) -> OperatingPoint:
    """Return the point at which the share of requests that the large model answers is nearest to `share`."""
    scores = product_scores(table, folder)
    shares = {
        point.energy_saving: float((choose(scores, point, len(table)) != SMALL).mean()) for point in calibration.points
    }
    return min(calibration.points, key=lambda point: abs(shares[point.energy_saving] - share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The chances that a router tells of every row, before any model ran and after the small draft.

    `given_up` marks the drafts that became too unlikely to be shown.
    """

    before: Sequence[Chances]
    after: Sequence[Chances]
    given_up: NDArray[np.bool_]

    @property
    def scores(self) -> Scores:
        """The gains it expects; drafts that were given up are not looked at."""
        after = np.array([chances.net_gain for chances in self.after])
        return Scores(
            before=np.array([chances.net_gain for chances in self.before]),
            after=np.where(self.given_up, -1.0, after),
        )


def product_scores(table: Table, folder: Path) -> Scores:
    """Return the gains that the router in `folder` expects at a table's rows, computed as the product does."""
    need_drafts(table)
    return told_chances(table, folder, load(folder / CALIBRATION_FILE)).scores


def told_chances(table: Table, folder: Path, calibration: Calibration) -> Told:
    """Return what the networks in `folder` tell of a table's rows under a calibration."""
    drafted = calibration.place_features + calibration.draft_features
    places = OutcomeClassifier(folder / PLACES_FILE, calibration.place_features, calibration.place_adjustment)
    drafts = OutcomeClassifier(folder / DRAFTS_FILE, drafted, calibration.draft_adjustment)
    evidence = draft_rows(table.rows, table.small, calibration.display.small.floor)
    return Told(
        before=[places.chances(row["features"]) for row in table.rows],
        after=[drafts.chances(row["features"] | e) for row, e in zip(table.rows, evidence, strict=True)],
        given_up=np.array([e["draft_cut"] == 1.0 for e in evidence]),
    )


def as_rows(chances: Sequence[Chances]) -> Floats:
    """Return chances in the order of `CLASSES`, shape (rows, 4)."""
    return np.array([[getattr(one, name) for name in CLASSES] for one in chances])


def calibration_error(table: Table, told: Told, bins: int = 10) -> dict[str, float]:
    """Return the expected calibration error of each probability the router tells: bins of equal size, 0..1."""
    small, gain = table.small_quality >= 0.5, (table.large_quality >= 0.5) & (table.small_quality < 0.5)
    neither = (table.large_quality < 0.5) & (table.small_quality < 0.5)
    pairs = {
        "p_small_ok": (told.before, "p_small_ok", small),
        "p_gain": (told.before, "p_gain", gain),
        "p_neither": (told.before, "neither", neither),
        "p_small_ok_after_draft": (told.after, "p_small_ok", small),
        "p_gain_after_draft": (told.after, "p_gain", gain),
    }
    return {
        name: round(_error(np.array([getattr(one, which) for one in chances]), true, bins), 4)
        for name, (chances, which, true) in pairs.items()
    }


def _error(chances: Floats, true: NDArray[np.bool_], bins: int) -> float:
    parts = [part for part in np.array_split(np.argsort(chances, kind="stable"), bins) if len(part)]
    return sum(len(part) * abs(float(chances[part].mean() - true[part].mean())) for part in parts) / len(chances)


def mean_costs(table: Table) -> MeanCosts:
    """Return the mean costs of a table."""
    return MeanCosts(
        small=float(table.small_cost.mean()),
        large=float(table.large_cost.mean()),
        escalate=float(table.escalate_cost.mean()),
    )


def described(table: Table) -> dict[str, Any]:
    """Return what a table is, for a card."""
    limits: Ends = ends(table)
    return {
        "places": len(table),
        "packages": sorted(set(table.groups.tolist())),
        "small_right": round(limits.small_quality, 4),
        "large_right": round(limits.large_quality, 4),
        "only_large_right": round(float((table.classes == 1).mean()), 4),
        "only_small_right": round(float((table.classes == 2).mean()), 4),
    }


def decoded_tokens(table: Table, display: Display) -> Floats:
    """Return how many tokens the large model decodes at each row until its text ends or is too unlikely to be shown."""
    floor = display.large.floor
    return np.array([float(tokens_until(tuple(row["outcomes"][table.large]["logprobs"]), floor)) for row in table.rows])


def _mean_tokens(table: Table) -> float:
    rows: Sequence[Row] = table.rows
    return round(float(np.mean([row["outcomes"][table.large].get("tokens_out", 0) for row in rows])), 2)


def write_router(folder: Path, calibration: Calibration) -> None:
    """Write a calibration and its card."""
    calibration.save(folder / CALIBRATION_FILE)
    (folder / "card.md").write_text(card(calibration), encoding="utf-8")


def card(calibration: Calibration) -> str:
    """Return the router's card in Markdown: what it is, for which pair, made from what, how good."""
    made = calibration.made_from
    lines = [
        f"# Router of the pair `{calibration.pair}`",
        "",
        "Two tiny classifiers of the four outcomes at a place (both models right, only the large, only the small,",
        "neither): `difficulty.onnx` from the place alone, `draft.onnx` from the place and the small model's draft.",
        "`calibration.json` holds the operating points behind `energySaving` and the display thresholds.",
        "Made by `scripts/train_router`; use it with this pair only.",
        "",
        "| | places | packages | small right | large right | only large right | only small right |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_card_row(part, made[part]) for part in ("train", "validate") if part in made),
        "",
        f"Log loss in cross-validation by package: `{json.dumps(made.get('log_loss', {}))}`; the least was taken:",
        f"`{json.dumps(made.get('chosen', {}))}`.",
        f"Calibration error on the validation packages: `{json.dumps(made.get('calibration_error', {}))}`.",
        f"Shown from a summed log p of {calibration.display.small.floor:.2f} (small) and",
        f"{calibration.display.large.floor:.2f} (large) on.",
        "",
        "Operating points, for what is shown while typing (right and above the display threshold):",
        "",
        f"| energy saving | mean {calibration.cost_unit} | right and shown | asked at once from | after a draft from |",
        "| --- | --- | --- | --- | --- |",
        *(_card_point(calibration.at(wanted)) for wanted in _CARD_POINTS),
    ]
    return "\n".join(lines) + "\n"


def _card_row(part: str, made: dict[str, Any]) -> str:
    shares = " | ".join(f"{100 * made[key]:.1f} %" for key in _SHARES)
    return f"| {part} | {made['places']} | {', '.join(made['packages'])} | {shares} |"


_SHARES = ("small_right", "large_right", "only_large_right", "only_small_right")


def _card_point(point: OperatingPoint) -> str:
    cost = "unknown" if point.cost is None else f"{point.cost:.4g}"
    quality = "unknown" if point.quality is None else f"{100 * point.quality:.1f} %"
    thresholds = f"{_threshold(point.direct)} | {_threshold(point.escalate)}"
    return f"| {point.energy_saving:.0f} | {cost} | {quality} | {thresholds} |"


def _threshold(value: float) -> str:
    return "always" if value <= -1 else "never" if value >= 1 else f"{value:.3f}"
