"""The two one-dimensional searches that fits reduce to: a root of a monotone function, and a highest peak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize

from .._typing import FloatArray

__all__ = ["decreasing_root", "highest_peak"]

# Fits search in logarithms and in 1/df, both of order one: beyond this nothing is left but rounding.
_TOLERANCE = 1e-14

# Parts a doubtful interval is cut into, and how often: 8^20 is finer than the tolerance.
_PARTS = 8
_ROUNDS = 20


def decreasing_root(function: Callable[[float], float], start: float) -> float:
    """Root of a continuous decreasing function that has one, looked for outwards from `start`."""
    low = high = start
    step = 0.5
    while function(high) > 0:
        low, high, step = high, high + step, 2 * step
    step = 0.5
    while function(low) < 0:
        low, high, step = low - step, low, 2 * step
    if low == high:
        return start
    return float(optimize.brentq(function, low, high, xtol=_TOLERANCE, rtol=1e-15))


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
            return float(
                optimize.brentq(
                    lambda x: value_and_slope(x)[1], grid[low], grid[high], xtol=_TOLERANCE, rtol=1e-15
                )
            )
        grid = np.linspace(grid[low], grid[high], _PARTS + 1)
    return float(grid[best])
