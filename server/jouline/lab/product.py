"""Makes the product's router: trains it, fixes its operating points, writes its folder and its card."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jouline.errors import ConfigError
from jouline.lab.metrics import Ends
from jouline.lab.outcomes import Row
from jouline.lab.policy import SMALL, Scores, choose, ends, fit
from jouline.lab.table import Floats, Table, draft_rows, need_drafts
from jouline.lab.training import Trained, check_outcomes, confidence, export, inputs, train
from jouline.router.calibration import (
    ALWAYS,
    NEVER,
    Calibration,
    Display,
    MarginalCosts,
    OperatingPoint,
    load,
)
from jouline.router.classifier import OutcomeClassifier

_CARD_POINTS = (0, 25, 50, 75, 100)


def train_router(table: Table, folder: Path, *, pair: str, weights: dict[str, str | None]) -> Trained:
    """Train on a table and write `difficulty.onnx`, `draft.onnx`, `calibration.json` and `card.md`.

    Its operating points are only the two ends until `calibrate_router` fixes the others on other data. `weights` are
    the checksums of the pair's files.
    """
    need_drafts(table)
    check_outcomes(table)
    display = Display(
        small=confidence(table.logprobs("small"), table.small_quality),
        large=confidence(table.logprobs("large"), table.large_quality),
    )
    given = inputs(table, display.small.floor)
    trained = train(table, given)
    folder.mkdir(parents=True, exist_ok=True)
    export(trained.place, given.place.shape[1], folder / "difficulty.onnx")
    export(trained.draft, given.draft.shape[1], folder / "draft.onnx")
    calibration = Calibration(
        pair=pair,
        weights=weights,
        place_features=given.place_names,
        draft_features=given.draft_names,
        costs=marginal_costs(table),
        cost_unit=table.cost_unit,
        display=display,
        points=(
            OperatingPoint(energy_saving=0, direct=ALWAYS, escalate=ALWAYS),
            OperatingPoint(energy_saving=100, direct=NEVER, escalate=NEVER),
        ),
        made_from={"train": described(table), "log_loss": trained.scores},
    )
    _write(folder, calibration)
    return trained


def calibrate_router(folder: Path, table: Table) -> Calibration:
    """Fix the operating points of the router in `folder` on a table it was not trained on; returns what it wrote."""
    calibration = load(folder / "calibration.json")
    scores = product_scores(table, folder)
    calibration = replace(
        calibration,
        costs=marginal_costs(table),
        cost_unit=table.cost_unit,
        points=fit(table, scores),
        made_from=calibration.made_from
        | {
            "validate": described(table),
            "calibration_error": calibration_error(table, folder),
            "large_natural_tokens": _mean_tokens(table),
        },
    )
    _write(folder, calibration)
    return calibration


def pick_point(
    calibration: Calibration,
    *,
    large_quality: float,
    quality_floor: float | None = None,
    energy_saving: float | None = None,
) -> OperatingPoint:
    """Return the point of an energy saving, or the cheapest that keeps a floor: percent of the large model's quality.

    With neither the point of energy saving 50. Raises `ConfigError` where no point keeps the floor.
    """
    if quality_floor is None:
        return calibration.at(50 if energy_saving is None else energy_saving)
    kept = [point for point in calibration.points if (point.quality or 0.0) >= quality_floor / 100 * large_quality]
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


def product_scores(table: Table, folder: Path) -> Scores:
    """Return the gains that the router in `folder` expects at a table's rows, computed as the product does."""
    need_drafts(table)
    places, drafts, evidence = _opened(table, folder)
    features = [row["features"] for row in table.rows]
    return Scores(
        before=np.array([places.chances(place).net_gain for place in features]),
        after=np.array([drafts.chances(p | e).net_gain for p, e in zip(features, evidence, strict=True)]),
    )


def _opened(table: Table, folder: Path) -> tuple[OutcomeClassifier, OutcomeClassifier, Sequence[dict[str, float]]]:
    calibration = load(folder / "calibration.json")
    places = OutcomeClassifier(folder / "difficulty.onnx", calibration.place_features)
    drafts = OutcomeClassifier(folder / "draft.onnx", calibration.place_features + calibration.draft_features)
    return places, drafts, draft_rows(table.rows, table.small, calibration.display.small.floor)


def calibration_error(table: Table, folder: Path, bins: int = 10) -> dict[str, float]:
    """Return the expected calibration error of each probability the router tells: bins of equal size, 0..1."""
    places, drafts, evidence = _opened(table, folder)
    before = [places.chances(row["features"]) for row in table.rows]
    after = [drafts.chances(row["features"] | e) for row, e in zip(table.rows, evidence, strict=True)]
    small, gain = table.small_quality >= 0.5, (table.large_quality >= 0.5) & (table.small_quality < 0.5)
    told = {
        "p_small_ok": ([chance.p_small_ok for chance in before], small),
        "p_gain": ([chance.p_gain for chance in before], gain),
        "p_small_ok_after_draft": ([chance.p_small_ok for chance in after], small),
        "p_gain_after_draft": ([chance.p_gain for chance in after], gain),
    }
    return {name: round(_error(np.array(chances), true, bins), 4) for name, (chances, true) in told.items()}


def _error(chances: Floats, true: NDArray[np.bool_], bins: int) -> float:
    parts = [part for part in np.array_split(np.argsort(chances, kind="stable"), bins) if len(part)]
    return sum(len(part) * abs(float(chances[part].mean() - true[part].mean())) for part in parts) / len(chances)


def marginal_costs(table: Table) -> MarginalCosts:
    """Return the mean costs of a table."""
    return MarginalCosts(
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


def _mean_tokens(table: Table) -> float:
    rows: Sequence[Row] = table.rows
    return round(float(np.mean([row["outcomes"][table.large].get("tokens_out", 0) for row in rows])), 2)


def _write(folder: Path, calibration: Calibration) -> None:
    calibration.save(folder / "calibration.json")
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
        f"Log loss in cross-validation by package: `{json.dumps(made.get('log_loss', {}))}`.",
        f"Calibration error on the validation packages: `{json.dumps(made.get('calibration_error', {}))}`.",
        f"Shown from a summed log p of {calibration.display.small.floor:.2f} (small) and",
        f"{calibration.display.large.floor:.2f} (large) on.",
        "",
        f"| energy saving | mean {calibration.cost_unit} | exact match | asked at once from | after the draft from |",
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
