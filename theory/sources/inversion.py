"""Inversion of a monotone function of one variable between known bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._typing import FloatArray

__all__ = ["invert_monotone"]

Function = Callable[[FloatArray], FloatArray]


def invert_monotone(
    function: Function, slope: Function, value: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    """Solve function(x) = value elementwise for low <= x <= high.

    The function rises or falls; `slope` is the size of its derivative.  Newton steps on the logarithm of the
    function (exact for an exponential tail), replaced by bisection where they leave the shrinking bracket.
    Where low equals high, or value is NaN, that bound is the answer.
    """
    low, high, value = (np.array(v, dtype=np.float64) for v in np.broadcast_arrays(low, high, value))
    open_ends = np.isfinite(low) & np.isfinite(high) & (high > low)
    x = np.where(open_ends, low + (high - low) / 2, low)
    if not open_ends.any():
        return np.asarray(x)
    with np.errstate(all="ignore"):
        rising = function(high) >= function(low)
        for _ in range(200):
            found = function(x)
            above = (found > value) == rising
            high, low = np.where(open_ends & above, x, high), np.where(open_ends & ~above, x, low)
            step = found / slope(x) * np.log(found / value)
            moved = np.where(rising, x - step, x + step)
            inside = (moved > low) & (moved < high)
            moved = np.where(inside, moved, low + (high - low) / 2)
            moved = np.where(open_ends & (found != value), moved, x)
            settled = np.abs(moved - x) <= 2e-16 * np.abs(moved)
            x = moved
            if settled.all():
                break
    return np.asarray(x)
