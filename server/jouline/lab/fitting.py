"""Small fits that need nothing but NumPy, each held near what is believed beforehand, so that few places do no harm."""

import math

import numpy as np
from numpy.typing import NDArray

from jouline.router.calibration import Length, TierConfidence
from jouline.router.classifier import Adjustment

SHOW_FROM = 0.4  # the least chance of being right at which a text is shown
_ROUNDS = 50
_CLOSE = 1e-9
_SLOPE_SD, _INTERCEPT_SD = 0.5, 2.0  # of a tier's confidence around the believed one
_SCALE_SD, _SHIFT_SD = 0.3, 1.0  # of an adjustment around none
_LENGTH_RIDGE = 30.0
_LEAST = 1e-6

Floats = NDArray[np.float64]


def confidence(logprobs: Floats, right: Floats, believed: TierConfidence | None = None) -> TierConfidence:
    """Fit the chance that a text is right to its summed log p (Platt 1999), and the log p from which it is shown.

    `believed` is where the fit starts from and what few places hardly move; without it, the odds are as the log p says.
    """
    start = np.array(_start(believed))
    design = np.column_stack([np.maximum(logprobs, -50.0), np.ones(len(logprobs))])
    precision = 1.0 / np.array([_SLOPE_SD, _INTERCEPT_SD]) ** 2
    weights = start.copy()
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -40, 40)))
        slope = design.T @ (right - chance) - precision * (weights - start)
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if float(np.abs(step).max()) < _CLOSE:
            break
    slope_, intercept = max(0.05, float(weights[0])), float(weights[1])
    floor = (math.log(SHOW_FROM / (1 - SHOW_FROM)) - intercept) / slope_
    return TierConfidence(floor=min(floor, -0.01), slope=slope_, intercept=intercept)


def _start(believed: TierConfidence | None) -> tuple[float, float]:
    if believed is None or believed.slope is None or believed.intercept is None:
        return 1.0, 0.0
    return believed.slope, believed.intercept


def adjustment(chances: Floats, classes: NDArray[np.int64]) -> Adjustment:
    """Fit how told chances, shape (rows, 4), are adjusted to what happened; `classes` are indices of the outcomes."""
    logs = np.log(np.maximum(chances, _LEAST))
    rows, count = logs.shape
    # Derivatives of each class' logit by the scale and by the shifts: shape (rows, classes, 1 + classes).
    by = np.concatenate([logs[:, :, None], np.broadcast_to(np.eye(count), (rows, count, count))], axis=2)
    start = np.array([1.0] + [0.0] * count)
    precision = 1.0 / np.array([_SCALE_SD] + [_SHIFT_SD] * count) ** 2
    weights = start.copy()
    hit = np.eye(count)[classes]
    for _ in range(_ROUNDS):
        told = _softmax(by @ weights)
        slope = np.einsum("rc,rcw->w", hit - told, by) - precision * (weights - start)
        mean = np.einsum("rc,rcw->rw", told, by)
        curve = np.einsum("rc,rcv,rcw->vw", told, by, by) - mean.T @ mean + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if float(np.abs(step).max()) < _CLOSE:
            break
    return Adjustment(scale=float(max(0.1, weights[0])), shifts=tuple(float(w) for w in weights[1:]))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    told: Floats = powers / powers.sum(axis=1, keepdims=True)
    return told


def length(places: NDArray[np.float32], tokens: Floats) -> Length:
    """Fit the logarithm of how many tokens are decoded to features of the place (ridge regression)."""
    mean, spread = places.mean(axis=0, dtype=np.float64), places.std(axis=0, dtype=np.float64)
    spread[spread < _LEAST] = np.inf  # what never differs tells nothing
    scaled = (places - mean) / spread
    target = np.log1p(tokens)
    centre = float(target.mean())
    gram = scaled.T @ scaled + _LENGTH_RIDGE * np.eye(scaled.shape[1])
    weights = np.linalg.solve(gram, scaled.T @ (target - centre)) / spread
    return Length(intercept=centre - float(mean @ weights), weights=tuple(float(w) for w in weights))


def rising(scores: Floats, values: Floats) -> Floats:
    """Return the values fitted by a function that never falls with the score (pool adjacent violators)."""
    order = np.argsort(scores, kind="stable")
    _, first = np.unique(scores[order], return_index=True)
    sums = np.add.reduceat(values[order], first)
    counts = np.diff(np.append(first, len(scores)))
    blocks: list[tuple[float, int, int]] = []  # sum of values, rows, distinct scores
    for total, count in zip(sums.tolist(), counts.tolist(), strict=True):
        block = (total, count, 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    steps = np.repeat([total / count for total, count, _ in blocks], [size for _, _, size in blocks])
    fitted = np.empty(len(scores))
    fitted[order] = np.repeat(steps, counts)
    return fitted
