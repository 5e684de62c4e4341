"""The relative error of restored values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["relative_error"]

# Elements widened to float64 at once: what a cache holds.
_CHUNK = 1 << 15


def relative_error(array: NDArray[Any], restored: NDArray[Any]) -> float:
    """R, the root mean squared error over the root mean square of the values, summed in float64.

    Parameters
    ----------
    array, restored : ndarray of one shape
        Real and finite.

    Returns
    -------
    float
        0 where both are equal, infinity where only the array is all zero.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 3.0]))
    0.2
    """
    if array.shape != restored.shape:
        raise ValueError(f"restored must be of shape {array.shape}, as the array is, got {restored.shape}")
    flat, other = array.reshape(-1), restored.reshape(-1)
    exponent = _exponent(flat)
    error = energy = 0.0
    for start in range(0, flat.size, _CHUNK):
        x = flat[start : start + _CHUNK].astype(np.float64)
        difference = x - other[start : start + _CHUNK].astype(np.float64)
        if exponent:
            x, difference = np.ldexp(x, -exponent), np.ldexp(difference, -exponent)
        error += float(np.square(difference).sum())  # not @: its threads cost more than they gain here
        energy += float(np.square(x).sum())
    if error == 0:
        return 0.0
    return math.sqrt(error / energy) if energy > 0 else math.inf


def _exponent(flat: NDArray[Any]) -> int:
    """Power of two to take out, so that squares stay in the range of doubles; 0 where they do."""
    if flat.size == 0 or flat.dtype.itemsize < 8:
        return 0
    peak = float(max(flat.max(), -flat.min()))
    return 0 if peak == 0 or 1e-120 < peak < 1e120 else math.frexp(peak)[1]
