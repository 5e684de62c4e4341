"""The two one-dimensional searches that fits reduce to: a root of a monotone function, and a highest peak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._typing import FloatArray

__all__ = ["bracketed_root", "decreasing_root", "highest_peak"]

# Fits search in logarithms and in 1/df, both of order one: beyond this nothing is left but rounding.
_TOLERANCE = 1e-15

# Parts a doubtful interval is cut into, and how often: 8^20 parts are finer than the tolerance.
_PARTS = 8
_ROUNDS = 20

_Function = Callable[[float], float]


def bracketed_root(function: _Function, low: float, high: float) -> float:
    """Root of a continuous function between two points at which its signs differ.

    Inverse quadratic interpolation where it is safe, else bisection (T. R. Chandrupatla, "A new hybrid
    quadratic/bisection algorithm for finding the zero of a nonlinear function without using derivatives",
    Adv. Eng. Softw. 28 (1997)).  scipy's solvers leave a reference cycle that keeps the function, and with it
    the data, in memory until the next garbage collection.
    """
    a, b, fa, fb = high, low, function(high), function(low)
    share = 0.5
    while True:
        x = a + share * (b - a)
        fx = function(x)
        if (fx > 0) == (fa > 0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best, residual = (a, fa) if abs(fa) < abs(fb) else (b, fb)
        least = (_TOLERANCE + 2 * np.finfo(float).eps * abs(best)) / abs(b - a) if b != a else 1.0
        if residual == 0 or least > 0.5:
            return best
        share = min(max(_next_share(a, b, c, fa, fb, fc), least), 1 - least)


def _next_share(a: float, b: float, c: float, fa: float, fb: float, fc: float) -> float:
    """Where between a and b to look next: by inverse quadratic interpolation, or halfway."""
    xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
    if not (phi * phi < xi and (1 - phi) ** 2 < 1 - xi):
        return 0.5
    return fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)


def decreasing_root(function: _Function, start: float) -> float:
    """Root of a continuous decreasing function that has one, looked for outwards from `start`."""
    low = high = start
    step = 0.5
    while function(high) > 0:
        low, high, step = high, high + step, 2 * step
    step = 0.5
    while function(low) < 0:
        low, high, step = low - step, low, 2 * step
    return bracketed_root(function, low, high) if low < high else start


def highest_peak(value_and_slope: Callable[[float], tuple[float, float]], grid: FloatArray) -> float:
    """Where a smooth function is largest on an interval, to rounding.

    Parameters
    ----------
    value_and_slope : callable
        The function and its derivative.
    grid : ndarray of float64, ascending
        Points from end to end of the interval, fine enough that the highest peak is the highest one there.

    Returns
    -------
    float
        A root of the derivative next to the highest point of the grid; or exactly an end of the interval,
        where the function rises towards it.
    """
    for _ in range(_ROUNDS):
        values, slopes = np.array([value_and_slope(float(x)) for x in grid]).T
        best = int(np.argmax(values))
        other = best + 1 if slopes[best] > 0 else best - 1
        if slopes[best] == 0 or not 0 <= other < grid.size:
            break
        low, high = sorted((best, other))
        if slopes[low] > 0 > slopes[high]:
            return bracketed_root(lambda x: value_and_slope(x)[1], float(grid[low]), float(grid[high]))
        grid = np.linspace(grid[low], grid[high], _PARTS + 1)
    return float(grid[best])
