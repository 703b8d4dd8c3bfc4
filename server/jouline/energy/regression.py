"""Weighted least squares on three regressors, online, coefficients never negative. Pure arithmetic, no library.

Kept as sums (normal equations), so that observing costs the same whatever came before, and the state is small.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Self

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

TINY = 1e-12
RIDGE = 1e-9  # relative: keeps regressors that never varied from making the system singular
_SIZE = 3
_NOTHING: Matrix = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


class Line:
    """Fits y = w . x where the noise grows with y: a row of expected size `scale` weighs 1 / scale squared."""

    def __init__(self, *, fading: float = 1.0) -> None:
        self._fading = fading
        self._xx = [[0.0] * _SIZE for _ in range(_SIZE)]
        self._xy = [0.0] * _SIZE
        self._yy = 0.0
        self._rows = 0.0
        self._fixed_xx = [[0.0] * _SIZE for _ in range(_SIZE)]  # beliefs do not fade
        self._fixed_xy = [0.0] * _SIZE
        self._fixed_yy = 0.0
        self._fixed_noise = 0.0
        self._fixed_rows = 0.0
        self._solved: tuple[Vector, Matrix] | None = None
        self._spread: float | None = None
        self._xx_xy = self._sums()

    @property
    def coefficients(self) -> Vector:
        """The fitted weights."""
        return self._solve()[0]

    def add(self, x: Vector, y: float, *, scale: float) -> None:
        """Take one row; older rows fade."""
        weight = 1.0 / max(scale, TINY) ** 2
        keep = self._fading
        for i in range(_SIZE):
            self._xy[i] = self._xy[i] * keep + weight * x[i] * y
            for j in range(_SIZE):
                self._xx[i][j] = self._xx[i][j] * keep + weight * x[i] * x[j]
        self._yy = self._yy * keep + weight * y * y
        self._rows = self._rows * keep + 1.0
        self._solved = self._spread = None

    def add_fixed(self, x: Vector, y: float, scale: float, times: float) -> None:
        """Take a belief that weighs as `times` rows and never fades; add its noise with `add_noise`."""
        weight = times / max(scale, TINY) ** 2
        for i in range(_SIZE):
            self._fixed_xy[i] += weight * x[i] * y
            for j in range(_SIZE):
                self._fixed_xx[i][j] += weight * x[i] * x[j]
        self._fixed_yy += weight * y * y
        self._solved = self._spread = None

    def add_noise(self, relative: float, times: float) -> None:
        """Take a belief about the noise, relative to a row's size, that weighs as `times` rows."""
        self._fixed_noise += relative**2 * times
        self._fixed_rows += times
        self._spread = None

    def value(self, x: Vector) -> float:
        """Return the fitted value at `x`."""
        a, b, c = self.coefficients
        return a * x[0] + b * x[1] + c * x[2]

    def noise(self) -> float:
        """Return the standard deviation of rows around the fit, relative to their size."""
        return math.sqrt(self._dispersion())

    def uncertainty(self, x: Vector) -> float:
        """Return the standard error of the fitted value itself."""
        inverse = self._solve()[1]
        spread = sum(a * each * b for a, row in zip(x, inverse, strict=True) for each, b in zip(row, x, strict=True))
        return math.sqrt(max(0.0, self._dispersion() * spread))

    def state(self) -> dict[str, object]:
        """Return the sums as plain JSON values."""
        return {
            "fading": self._fading,
            "seen": [*_flat(self._xx), *self._xy, self._yy, self._rows],
            "believed": [*_flat(self._fixed_xx), *self._fixed_xy, self._fixed_yy, self._fixed_rows],
            "believed_noise": self._fixed_noise,
        }

    @classmethod
    def from_state(cls, state: object) -> Self:
        """Restore `state()`; raises ValueError, TypeError or KeyError where it is not one."""
        if not isinstance(state, dict):
            raise TypeError("not a state")
        line = cls(fading=_finite(state["fading"]))
        seen, believed = _numbers(state["seen"]), _numbers(state["believed"])
        line._xx, line._xy, (line._yy, line._rows) = _square(seen), seen[9:12], seen[12:]
        line._fixed_xx, line._fixed_xy = _square(believed), believed[9:12]
        line._fixed_yy, line._fixed_rows = believed[12:]
        line._fixed_noise = _finite(state["believed_noise"])
        return line

    def _solve(self) -> tuple[Vector, Matrix]:
        if self._solved is None:
            xx, xy = self._xx_xy = self._sums()
            free, inverse = _whole(xx, xy)
            # Where the best of all has no negative weight it is also the best of those without.
            self._solved = (free if free and min(free) >= 0 else _best_non_negative(xx, xy), inverse)
        return self._solved

    def _sums(self) -> tuple[list[list[float]], list[float]]:
        xx = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(self._xx, self._fixed_xx, strict=True)]
        for i in range(_SIZE):
            xx[i][i] = xx[i][i] * (1.0 + RIDGE) or 1e-300
        return xx, [a + b for a, b in zip(self._xy, self._fixed_xy, strict=True)]

    def _dispersion(self) -> float:
        if self._spread is None:
            self._spread = self._scatter()
        return self._spread

    def _scatter(self) -> float:
        w = self.coefficients
        xx, xy = self._xx_xy
        fitted = sum(w[i] * xx[i][j] * w[j] for i in range(_SIZE) for j in range(_SIZE))
        crossed = sum(w[i] * xy[i] for i in range(_SIZE))
        residual = max(0.0, self._yy + self._fixed_yy - 2 * crossed + fitted)
        freedom = self._rows + self._fixed_rows - (0.0 if self._fixed_rows else _SIZE)
        return (residual + self._fixed_noise) / max(1.0, freedom)


def _best_non_negative(xx: list[list[float]], xy: list[float]) -> Vector:
    """Return the minimum of w'Xw - 2w'y over w >= 0 that leaves at least one regressor out: all six are tried."""
    best: tuple[float, Vector] = (0.0, (0.0, 0.0, 0.0))
    for found in (*_alone(xx, xy), *_in_pairs(xx, xy)):
        if min(found) >= 0:
            # At a stationary point the objective is -w'y.
            best = min(best, (-sum(w * y for w, y in zip(found, xy, strict=True)), found))
    return best[1]


def _alone(xx: list[list[float]], xy: list[float]) -> Iterator[Vector]:
    for i in range(_SIZE):
        w = xy[i] / xx[i][i]
        yield (w if i == 0 else 0.0, w if i == 1 else 0.0, w if i == 2 else 0.0)


def _in_pairs(xx: list[list[float]], xy: list[float]) -> Iterator[Vector]:
    for i, j in itertools.combinations(range(_SIZE), 2):
        whole = xx[i][i] * xx[j][j]
        determinant = whole - xx[i][j] ** 2
        if determinant > RIDGE / 10 * whole:
            w = [0.0] * _SIZE
            w[i] = (xy[i] * xx[j][j] - xy[j] * xx[i][j]) / determinant
            w[j] = (xy[j] * xx[i][i] - xy[i] * xx[i][j]) / determinant
            yield (w[0], w[1], w[2])


def _whole(xx: list[list[float]], xy: list[float]) -> tuple[Vector | None, Matrix]:
    """Return the unbounded solution and the inverse, from one elimination; None and zeros where there is none."""
    scale = [math.sqrt(xx[i][i]) for i in range(_SIZE)]
    rows = [
        [xx[i][j] / (scale[i] * scale[j]) for j in range(_SIZE)]
        + [xy[i] / scale[i]]
        + [1.0 / scale[i] if axis == i else 0.0 for axis in range(_SIZE)]
        for i in range(_SIZE)
    ]
    solved = _eliminate(rows)
    if solved is None:
        return None, _NOTHING
    a, b, c = ([value / scale[i] for value in row] for i, row in enumerate(solved))
    return (a[0], b[0], c[0]), ((a[1], a[2], a[3]), (b[1], b[2], b[3]), (c[1], c[2], c[3]))


def _eliminate(rows: list[list[float]]) -> list[list[float]] | None:
    """Return the right sides of a square system once its left side is the identity; None where it is singular."""
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        if abs(rows[pivot][column]) < RIDGE / 10:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(size):
            if row != column:
                factor = rows[row][column] / rows[column][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return [[value / rows[i][i] for value in rows[i][size:]] for i in range(size)]


def _flat(matrix: list[list[float]]) -> list[float]:
    return [value for row in matrix for value in row]


def _square(values: list[float]) -> list[list[float]]:
    return [values[0:3], values[3:6], values[6:9]]


def _numbers(values: object) -> list[float]:
    if not isinstance(values, list) or len(values) != _SIZE * _SIZE + _SIZE + 2:
        raise ValueError("not a state")
    return [_finite(value) for value in values]


def _finite(value: object) -> float:
    number = float(str(value))
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number
