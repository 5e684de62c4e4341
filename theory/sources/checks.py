"""What the sources demand of their arguments."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from .._typing import ArrayLike, FloatArray

__all__ = ["checked_cells", "checked_positive"]


def checked_positive(name: str, value: float) -> float:
    """Return value as a float if it is a finite positive number, and raise otherwise."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def checked_cells(
    lower: ArrayLike, upper: ArrayLike, about: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[int, ...]]:
    """Ends and reference points as one-dimensional arrays of one length, and the shape of the answer."""
    a, b, c = (np.asarray(v, dtype=np.float64) for v in (lower, upper, about))
    if not (a <= b).all():
        raise ValueError("lower must not lie above upper, and neither may be NaN")
    if not np.isfinite(c).all():
        raise ValueError("about must be finite")
    a, b, c = np.broadcast_arrays(a, b, c)
    return a.ravel(), b.ravel(), c.ravel(), a.shape
