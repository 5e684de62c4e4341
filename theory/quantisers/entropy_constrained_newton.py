"""Descent of distortion + slope * entropy over the thresholds of a scalar quantiser.

The state is a set of cells with everything the conditions need; a step is Newton's where the second
derivative is positive definite and the classical alternation elsewhere.  Symmetric laws are solved on their
positive half, with the cell at zero either centred on it ("odd") or bounded by it ("even").

Where errors are weighted, a threshold t is stationary where r(t) ((t - q_i)^2 - (t - q_{i+1})^2) equals the
price of the difference in length, r the density of the measure of errors over the plain one.  A threshold may
be held beside an atom at an end of the support, which then has a cell of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ..sources import Source
from ._weights import one_measure
from .tridiagonal import solve_positive

__all__ = ["Cells", "Fold", "condition_derivative", "conditions_of", "descend", "make_cells", "unfold"]

Fold = Literal["full", "odd", "even"]
BoolArray = NDArray[np.bool_]

_LN2 = float(np.log(2.0))
# A threshold is settled when its condition holds to this part of its terms; rounding leaves about 1e-15.
_TOLERANCE = 2e-15
# Below this a step that no longer helps has met rounding; a design is at least this good when it "converged".
_SETTLED = 1e-10
# Sources by quadrature of somebody's density carry noise: a residual this small that has not halved for
# _PATIENCE steps is all they allow.
_NOISE = 1e-7
_PATIENCE = 8
# Weights of the alternation's own second derivative added to the true one, tried in turn until a step helps.
_WEIGHTS = (0.0, 1e-4, 1e-2)
# The largest serve laws whose errors are weighted, where alternation may raise the cost; elsewhere it never
# does, and is the cheaper way on.
_HEAVY_WEIGHTS = (1.0, 30.0)
# The ratio of two densities is differentiated over this part of the distance to the nearer codepoint.
_DIFFERENCE = 1e-4


@dataclass
class Cells:
    """Cells between thresholds, with centroids, masses, code lengths and errors.

    In a folded state the arrays speak of the positive half: the masses of mirrored cells are counted once,
    that of an "odd" zero cell as its positive half.
    """

    fold: Fold
    thresholds: FloatArray  # (n,)
    codepoints: FloatArray  # (n + 1,)
    mass: FloatArray  # (n + 1,) of the plain law
    lengths: FloatArray  # (n + 1,) bits
    errors: FloatArray  # (n + 1,) second moments about the codepoints
    density: FloatArray  # (n,) of the plain law at the thresholds
    error_mass: FloatArray  # (n + 1,) of the measure of errors
    ratio: FloatArray  # (n,) density of the measure of errors over the plain one, at the thresholds
    held: tuple[float, ...]  # values of thresholds that stay where they are

    @property
    def distortion(self) -> float:
        """Mean squared error."""
        return float(self.errors.sum()) * (1 if self.fold == "full" else 2)

    @property
    def entropy(self) -> float:
        """Entropy of the index in bits."""
        live = self.mass > 0
        half = float(np.sum(self.mass[live] * self.lengths[live]))
        return half * (1 if self.fold == "full" else 2) + 0.0


def make_cells(source: Source, thresholds: FloatArray, fold: Fold, held: tuple[float, ...] = ()) -> Cells:
    """Cells of ascending thresholds, codepoints at the centroids."""
    edges = np.concatenate([[-np.inf if fold == "full" else 0.0], thresholds, [np.inf]])
    lower, upper = edges[:-1], edges[1:]
    inside = np.isfinite(lower) & np.isfinite(upper)
    with np.errstate(invalid="ignore"):
        about = np.where(inside, lower + (upper - lower) / 2, np.where(np.isfinite(lower), lower, upper))
    about = np.where(np.isfinite(about), about, 0.0)
    if fold == "odd":
        about[0] = 0.0
    error_mass, first, second = source.partial_moments(lower, upper, about)
    mass = _plain_mass(source, lower, upper, fold, error_mass)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shift = np.where(error_mass > 0, first / error_mass, 0.0)
        if fold == "odd":
            shift[0] = 0.0
        lengths = -np.log2(mass)
    if fold == "odd":
        lengths[0] -= 1.0
    errors = np.maximum(second - first * shift, 0.0)
    density = source.pdf(thresholds)
    ratio = _ratio(source, thresholds, density)
    return Cells(fold, thresholds, about + shift, mass, lengths, errors, density, error_mass, ratio, held)


def _plain_mass(
    source: Source, lower: FloatArray, upper: FloatArray, fold: Fold, error_mass: FloatArray
) -> FloatArray:
    """Probabilities of the cells, half of that of an odd zero cell."""
    if one_measure(source):
        return error_mass
    mass = source.probability(lower, upper)
    if fold == "odd":  # an atom at zero belongs to both halves
        mass[0] = source.probability(-upper[0], upper[0]) / 2
    return mass


def _ratio(source: Source, x: FloatArray, density: FloatArray) -> FloatArray:
    """Density of the measure of errors over the plain one; 1 where there is neither."""
    if one_measure(source):
        return np.ones(len(x))
    return np.divide(source.distortion_density(x), density, out=np.ones(len(x)), where=density > 0)


def _ratio_slope(source: Source, cells: Cells) -> FloatArray:
    """Derivative of the ratio at the thresholds, by differences; it steers steps and moves no solution."""
    t, q = cells.thresholds, cells.codepoints
    if one_measure(source):
        return np.zeros(len(t))
    h = _DIFFERENCE * np.minimum(t - q[:-1], q[1:] - t)
    h = np.where(h > 0, h, _DIFFERENCE * np.diff(q))
    above, below = (_ratio(source, x, source.pdf(x)) for x in (t + h, t - h))
    return np.asarray((above - below) / (2 * h))


def unfold(cells: Cells) -> tuple[FloatArray, FloatArray]:
    """Codepoints and thresholds on the whole line."""
    q, t = cells.codepoints, cells.thresholds
    if cells.fold == "full":
        return q, t
    if cells.fold == "odd":
        return np.concatenate([-q[:0:-1], q]), np.concatenate([-t[::-1], t])
    return np.concatenate([-q[::-1], q]), np.concatenate([-t[::-1], [0.0], t])


def descend(
    source: Source,
    thresholds: FloatArray,
    fold: Fold,
    slope: float,
    max_iterations: int = 200,
    held: tuple[float, ...] = (),
) -> tuple[Cells, float, int, str]:
    """Minimise distortion + slope * entropy from given thresholds; cells, residual, iterations and status."""
    cells = _without_empty(source, make_cells(source, thresholds, fold, held))
    best, waited = np.inf, 0
    for iteration in range(max_iterations):
        conditions = conditions_of(cells, slope)
        residual = _residual(cells, slope, conditions)
        waited = 0 if residual < 0.5 * best else waited + 1
        best = min(best, residual)
        if residual <= _TOLERANCE or (residual < _NOISE and waited > _PATIENCE):
            return cells, residual, iteration, "converged"
        moved, settled = _newton_move(source, cells, conditions, slope, residual)
        if settled:
            return cells, residual, iteration, "converged"
        moved = moved or _alternate(source, cells, slope)
        if moved is None:
            return cells, residual, iteration, "converged" if residual < _NOISE else "stalled"
        cells = moved
    return cells, _residual(cells, slope, conditions_of(cells, slope)), max_iterations, "iteration limit"


def _newton_move(
    source: Source, cells: Cells, conditions: FloatArray, slope: float, residual: float
) -> tuple[Cells | None, bool]:
    """Cells after the least damped step that helps, and whether none helps because rounding was met."""
    slopes = _ratio_slope(source, cells)
    for weight in _WEIGHTS if one_measure(source) else _WEIGHTS + _HEAVY_WEIGHTS:
        step, positive = _newton_step(cells, conditions, slope, weight, slopes)
        moved = _line_search(source, cells, step, slope, residual) if positive else None
        if moved is not None:
            return moved, False
        if positive and weight == 0.0 and residual < _SETTLED:
            return None, True
    return None, False


def conditions_of(cells: Cells, slope: float) -> FloatArray:
    """Cost of the cell below minus the cost of the cell above at each threshold, over the plain density; (n,)."""
    t, q, length = cells.thresholds, cells.codepoints, cells.lengths
    squares = (t - q[:-1]) ** 2 - (t - q[1:]) ** 2
    return np.asarray(cells.ratio * squares + slope * (length[:-1] - length[1:]))


def _residual(cells: Cells, slope: float, conditions: FloatArray) -> float:
    """Largest condition, relative to its terms and to the rounding of the codepoints it is made of."""
    t, q, length = cells.thresholds, cells.codepoints, cells.lengths
    below, above = np.abs(t - q[:-1]), np.abs(t - q[1:])
    size = cells.ratio * (below**2 + above**2 + np.abs(t) * (below + above))
    size += slope * np.abs(length[:-1] - length[1:])
    return float(np.max((np.abs(conditions) / size)[~_is_held(cells)], initial=0.0))


def _is_held(cells: Cells) -> BoolArray:
    return np.isin(cells.thresholds, cells.held)


def _derivative(cells: Cells, slope: float, ratio_slope: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Diagonal of the derivative of the conditions in the thresholds, and the coupling of neighbours.

    With p the mass of the cell between thresholds i and i + 1, the derivative of condition i in threshold i + 1
    is -coupling_i * f(t_{i+1}) / p, that of condition i + 1 in threshold i is -coupling_i * f(t_i) / p.
    """
    t, q, f, r = cells.thresholds, cells.codepoints, cells.density, cells.ratio
    to_below, to_above = t - q[:-1], q[1:] - t
    below_rate, above_rate = f / cells.mass[:-1], f / cells.mass[1:]
    share = cells.mass / cells.error_mass
    diagonal = (
        2 * r * to_below * (1 - _moves(cells, to_below, r * share[:-1] * below_rate))
        + 2 * r * to_above * (1 - r * to_above * share[1:] * above_rate)
        + ratio_slope * (to_below**2 - to_above**2)
        - slope / _LN2 * (below_rate + above_rate)
    )
    return diagonal, 2 * (r * to_above)[:-1] * (r * to_below)[1:] * share[1:-1] - slope / _LN2


def condition_derivative(source: Source, cells: Cells, slope: float) -> FloatArray:
    """Derivative of the conditions in the thresholds as a dense matrix, shape (n, n), for few thresholds."""
    diagonal, coupling = _derivative(cells, slope, _ratio_slope(source, cells))
    f, inner = cells.density, cells.mass[1:-1]
    upper, lower = coupling * f[1:] / inner, coupling * f[:-1] / inner
    return np.asarray(np.diag(diagonal) - np.diag(upper, 1) - np.diag(lower, -1))


def _newton_step(
    cells: Cells, conditions: FloatArray, slope: float, weight: float, ratio_slope: FloatArray
) -> tuple[FloatArray, bool]:
    """Damped Newton step of the conditions, scaled to a symmetric matrix by the root of the density."""
    n, free = len(cells.thresholds), ~_is_held(cells)
    if n == 0 or not (cells.density[free] > 0).all():
        return np.zeros(n), False
    root, inner = np.sqrt(np.where(free, cells.density, 1.0)), np.sqrt(cells.mass[1:-1])
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        diagonal, coupling = _derivative(cells, slope, ratio_slope)
        diagonal = np.where(free, diagonal + 2 * weight * cells.ratio * np.diff(cells.codepoints), 1.0)
        off = np.where(free[:-1] & free[1:], -coupling * (root[:-1] / inner) * (root[1:] / inner), 0.0)
    if not (np.isfinite(diagonal).all() and np.isfinite(off).all()):
        return np.zeros(n), False
    step, positive = solve_positive(diagonal, off, np.where(free, -conditions * root, 0.0))
    return step / root, positive


def _moves(cells: Cells, to_below: FloatArray, rate: FloatArray) -> FloatArray:
    """How far the codepoint below follows its upper threshold; that of an odd zero cell stays."""
    moves = to_below * rate
    if cells.fold == "odd":
        moves[0] = 0.0
    return moves


def _line_search(
    source: Source, cells: Cells, step: FloatArray, slope: float, residual: float
) -> Cells | None:
    """The longest of a few halvings that keeps the order and lowers the cost or the residual."""
    t = cells.thresholds
    start = t[0] if cells.fold == "full" else 0.0
    gaps = np.diff(t, prepend=start)
    closing = -np.diff(step, prepend=step[0] if cells.fold == "full" else 0.0)
    shrinking = closing > 0
    scale = min(1.0, float(np.min(0.9 * gaps[shrinking] / closing[shrinking]))) if shrinking.any() else 1.0
    cost = _cost(cells, slope)
    for _ in range(10):
        moved = t + scale * step
        if (moved == t).all():
            return None
        trial = make_cells(source, moved, cells.fold, cells.held)
        lower = _cost(trial, slope) < cost * (1 - 1e-13)
        if (trial.mass > 0).all() and (
            lower or _residual(trial, slope, conditions_of(trial, slope)) < 0.9 * residual
        ):
            return trial
        scale /= 2
    return None


def _alternate(source: Source, cells: Cells, slope: float) -> Cells | None:
    """Best thresholds for fixed codepoints and lengths; cells that no value would choose are dropped.

    Where errors are weighted the ratio is taken where the threshold was or, after a drop, half way; the new
    thresholds may then cost more than the old ones, and are refused.
    """
    q, length, r = cells.codepoints, cells.lengths, cells.ratio
    floor = -np.inf if cells.fold == "full" else 0.0
    while True:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = (q[:-1] + q[1:]) / 2 + slope * np.diff(length) / (2 * r * np.diff(q))
        t = _with_held(t, cells)
        bounded = np.concatenate([[floor], t])
        useless = np.flatnonzero(~(np.diff(bounded) > 0))  # threshold i does not lie above the one before it
        if not useless.size:
            break
        drop = useless[0] if cells.fold != "odd" or useless[0] > 0 else 1
        q, length = np.delete(q, drop), np.delete(length, drop)
        middle = (q[:-1] + q[1:]) / 2
        r = _ratio(source, middle, source.pdf(middle)) if len(middle) else np.ones(0)
    if len(t) == len(cells.thresholds) and (t == cells.thresholds).all():
        return None
    moved = _without_empty(source, make_cells(source, t, cells.fold, cells.held))
    dearer = _cost(moved, slope) > _cost(cells, slope) * (1 + 1e-12)
    return None if dearer and not one_measure(source) else moved


def _cost(cells: Cells, slope: float) -> float:
    return cells.distortion + slope * cells.entropy


def _with_held(t: FloatArray, cells: Cells) -> FloatArray:
    """Thresholds with those that are held in their places, which are the outermost."""
    mask = _is_held(cells)
    if len(t) and mask.any():
        t[0] = cells.thresholds[0] if mask[0] else t[0]
        t[-1] = cells.thresholds[-1] if mask[-1] else t[-1]
    return t


def _without_empty(source: Source, cells: Cells) -> Cells:
    """Merge cells without mass (beyond the support, or lost to underflow) into their inner neighbours."""
    while len(cells.thresholds) and not (cells.mass > 0).all():
        empty = int(np.flatnonzero(cells.mass <= 0)[0])
        border = min(empty, len(cells.thresholds) - 1)
        cells = make_cells(source, np.delete(cells.thresholds, border), cells.fold, cells.held)
    return cells
