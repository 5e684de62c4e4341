"""Quantiles of a law that is known by its two tail probabilities.

Each is sought in the tail that is smaller, so that neither end of the law loses digits: the upper quantile of
q = 1e-20 solves sf(x) = q, the one of q = 0.9 solves cdf(x) = 0.1.
"""

from __future__ import annotations

import numpy as np

from .._typing import FloatArray
from .base import Source
from .quadrature import Density

__all__ = ["lower_quantile", "upper_quantile"]

_STEPS = 200  # bisection alone needs about 75; Newton steps on log tails about ten
_TINY = 1e-300  # what stands for 0 as an end in a geometric mean


def lower_quantile(law: Source, q: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Solve cdf(x) = q within low <= x <= high; NaN where q is outside [0, 1]."""
    return _quantile(law, q, 1.0 - q, low, high)


def upper_quantile(law: Source, q: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Solve sf(x) = q within low <= x <= high; NaN where q is outside [0, 1]."""
    return _quantile(law, 1.0 - q, q, low, high)


def _quantile(
    law: Source, below: FloatArray, above: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    below, above, low, high = np.broadcast_arrays(below, above, low, high)
    if below.ndim == 0:
        return _quantile(law, *(v.reshape(1) for v in (below, above, low, high))).reshape(())
    with np.errstate(all="ignore"):
        from_below = _solve(law.cdf, law.pdf, below, low, high, 1.0)
        from_above = _solve(law.sf, law.pdf, above, low, high, -1.0)
    x = np.where(below < above, from_below, from_above)
    x = np.where(below == 0.0, law.support[0], np.where(above == 0.0, law.support[1], x))
    return np.where((below >= 0.0) & (above >= 0.0), x, np.nan)


def _solve(
    tail: Density, slope: Density, value: FloatArray, low: FloatArray, high: FloatArray, sign: float
) -> FloatArray:
    """Newton steps for log tail(x) = log value, or bisection where they leave the shrinking bracket."""
    answer = np.array(low)
    active = ((value > 0.0) & (value <= 0.5) & (low < high)).nonzero()
    target, left, right = value[active], low[active], high[active]
    x = _middle(left, right)
    for _ in range(_STEPS):
        if not x.size:
            break
        found = tail(x)
        beyond = sign * (found - target) > 0.0
        left, right = np.where(beyond, left, x), np.where(beyond, x, right)
        excess = np.log(found / target)
        moved = x - sign * excess * found / slope(x)
        moved = np.where((moved > left) & (moved < right), moved, _middle(left, right))
        moved = np.where(np.abs(excess) < 2e-16, x, moved)
        answer[active] = moved
        # What has settled stays: an answer must not depend on how long its company takes.
        going = np.abs(moved - x) > 4e-16 * np.abs(moved)
        active = tuple(index[going] for index in active)
        x, target, left, right = moved[going], target[going], left[going], right[going]
    return answer


def _middle(left: FloatArray, right: FloatArray) -> FloatArray:
    """Zero between ends of different sign, else the geometric mean: halves the decades, then the digits."""
    size = np.sqrt(np.maximum(np.abs(left), _TINY)) * np.sqrt(np.maximum(np.abs(right), _TINY))
    return np.where((left < 0.0) & (right > 0.0), 0.0, np.where(right > 0.0, size, -size))
