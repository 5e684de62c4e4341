"""Entropy-constrained quantisers between the hull points of a law.

Laws with lighter tails than the Gaussian have rates that no slope reaches: the best single quantiser there
lies above the lower hull of the operating points (a uniform law between log2 of two integers is the extreme
case).  It is found by minimising the distortion at the given entropy for each sensible number of levels, with
few thresholds and analytic gradients, and polished by Newton's method on the Lagrange conditions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy

from .._typing import FloatArray
from ..sources import Source
from ._weights import holds_atom, spread_of
from .entropy_constrained_newton import Cells, Fold, condition_derivative, conditions_of, make_cells
from .lloyd_max import lloyd_max
from .uniform import grid, step_of_entropy

__all__ = ["best_between"]

# Largest number of levels tried: beyond it the operating points lie so close that none falls between them.
_MOST_LEVELS = 64
# Equal steps miss the rate by more where the entropy jumps over it (atoms, that is).
_RATE_MISSED = 1e-8
# Largest number of levels for which lopsided solutions of a symmetric law are tried.
_MOST_SKEWED = 8


def best_between(source: Source, rate: float, *, thorough: bool) -> tuple[Cells, float, float] | None:
    """Cells of least distortion at an entropy, their slope and the residual; None with too many levels.

    Equally spaced thresholds are always a start, and a candidate as they stand: the answer is never worse.
    """
    if 2.0**rate > _MOST_LEVELS:
        return None
    fold, start = _equal_steps(source, rate)
    cells = make_cells(source, start, fold)
    with np.errstate(all="ignore"):  # cells without mass are refused below
        slope = _fitted_slope(cells)
    held = (cells.mass > 0).all() and abs(cells.entropy - rate) < _RATE_MISSED
    found = [(cells, slope, _worst(source, cells, slope))] if held else []
    starts = [(fold, start)]
    if thorough:
        least = max(2, int(np.ceil(2.0**rate - 1e-9)))
        starts += [s for levels in range(least, least + 3) for s in _starts(source, levels, rate)]
    found += [solved for fold, start in starts if (solved := _solve(source, start, fold, rate)) is not None]
    return min(found, key=lambda item: item[0].distortion) if found else None


def _equal_steps(source: Source, rate: float) -> tuple[Fold, FloatArray]:
    thresholds, _ = grid(source, step_of_entropy(source, rate, "mid-tread"), "mid-tread")
    low, high = source.support
    thresholds = thresholds[(thresholds > low) & (thresholds < high)]
    return ("odd", thresholds[thresholds > 0]) if source.symmetric else ("full", thresholds)


def _starts(source: Source, levels: int, rate: float) -> list[tuple[Fold, FloatArray]]:
    """Lloyd-Max thresholds moved until their entropy is the rate: stretched, or shifted to either side."""
    thresholds = lloyd_max(source, levels).thresholds
    starts: list[tuple[Fold, FloatArray]] = []
    cut = levels % 2 == 0 and holds_atom(source, 0.0)  # no threshold cuts an atom
    if source.symmetric and not cut:
        fold: Fold = "odd" if levels % 2 else "even"
        positive = thresholds[thresholds > 1e-12 * spread_of(source)]
        starts.append((fold, _moved(source, positive, fold, rate, positive)))
    if levels <= _MOST_SKEWED or cut or not source.symmetric:
        step = np.full(len(thresholds), spread_of(source) / levels)
        for direction in (step,) if source.symmetric else (step, -step):
            starts.append(("full", _moved(source, thresholds, "full", rate, direction)))
    return starts


def _moved(
    source: Source, thresholds: FloatArray, fold: Fold, rate: float, direction: FloatArray
) -> FloatArray:
    """Thresholds moved in a direction until the entropy falls to the rate; as they are where it does not."""

    def excess(amount: float) -> float:
        with np.errstate(all="ignore"):
            return make_cells(source, thresholds + amount * direction, fold).entropy - rate

    if not len(thresholds) or not excess(0.0) > 0:
        return thresholds
    far = 0.5
    while excess(far) > 0 and far < 1e3:
        far *= 2
    if excess(far) > 0:
        return thresholds
    return np.asarray(thresholds + float(scipy.optimize.brentq(excess, 0.0, far)) * direction)


def _solve(source: Source, start: FloatArray, fold: Fold, rate: float) -> tuple[Cells, float, float] | None:
    if not len(start):
        return None
    factor = 1 if fold == "full" else 2

    @lru_cache(maxsize=4)  # the search asks for distortion, entropy and both slopes at one place
    def cells_at(places: bytes) -> Cells:
        ordered = np.sort(
            np.nan_to_num(np.frombuffer(places))
        )  # the search may leave the numbers, or the half
        return make_cells(source, ordered if fold == "full" else np.maximum(ordered, 0.0), fold)

    def cells_of(t: FloatArray) -> Cells:
        return cells_at(t.tobytes())

    def distortion_slope(t: FloatArray) -> FloatArray:
        cells = cells_of(t)
        return factor * cells.density * conditions_of(cells, 0.0)

    def entropy_slope(t: FloatArray) -> FloatArray:
        cells = cells_of(t)
        return factor * cells.density * (conditions_of(cells, 1.0) - conditions_of(cells, 0.0))

    at_rate: Any = {"type": "eq", "fun": lambda t: cells_of(t).entropy - rate, "jac": entropy_slope}
    minimise: Any = scipy.optimize.minimize  # its stubs have no overload for this call
    with np.errstate(all="ignore"):
        found = minimise(
            lambda t: cells_of(t).distortion,
            start,
            jac=distortion_slope,
            method="SLSQP",
            constraints=at_rate,
            options={"maxiter": 100, "ftol": 1e-10 * source.std**2},
        )
        if not np.isfinite(found.x).all() or (np.diff(found.x) <= 0).any():
            return None
        return _polish(source, found.x, fold, rate)


def _polish(
    source: Source, thresholds: FloatArray, fold: Fold, rate: float
) -> tuple[Cells, float, float] | None:
    """Newton's method on the threshold conditions together with the entropy."""
    cells = make_cells(source, thresholds, fold)
    slope = _fitted_slope(cells)
    for _ in range(20):
        length_steps = conditions_of(cells, 1.0) - conditions_of(cells, 0.0)
        right = np.append(-conditions_of(cells, slope), rate - cells.entropy)
        if np.max(np.abs(right)) < 1e-14:
            break
        matrix = np.zeros((len(right), len(right)))
        matrix[:-1, :-1] = condition_derivative(source, cells, slope)
        matrix[:-1, -1] = length_steps
        matrix[-1, :-1] = (1 if fold == "full" else 2) * cells.density * length_steps
        if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
            return None
        step = np.linalg.lstsq(matrix, right, rcond=None)[0]
        moved = cells.thresholds + step[:-1]
        if (np.diff(moved) <= 0).any() or (fold != "full" and moved[0] <= 0):
            return None
        cells, slope = make_cells(source, moved, fold), slope + float(step[-1])
    if abs(cells.entropy - rate) > 1e-9 or not (cells.mass > 0).all():
        return None
    return cells, slope, _worst(source, cells, slope)


def _worst(source: Source, cells: Cells, slope: float) -> float:
    """Largest threshold condition, relative to the variance."""
    return float(np.max(np.abs(conditions_of(cells, slope)), initial=0.0)) / source.std**2


def _fitted_slope(cells: Cells) -> float:
    squares = conditions_of(cells, 0.0)
    lengths = conditions_of(cells, 1.0) - squares
    total = float(lengths @ lengths)
    return float(-(squares @ lengths) / total) if total > 0 else 1.0
