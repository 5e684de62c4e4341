"""What every source demands of the intervals it is asked about."""

from __future__ import annotations

import numpy as np

from .._typing import ArrayLike, FloatArray

__all__ = ["checked_cells"]


def checked_cells(
    lower: ArrayLike, upper: ArrayLike, about: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[int, ...]]:
    """Return ends and reference points as one-dimensional arrays of one length, and the answer's shape."""
    a, b, c = _real("lower", lower), _real("upper", upper), _real("about", about)
    if np.count_nonzero(np.isfinite(c)) < c.size:
        raise ValueError(f"about must be finite, got {c[~np.isfinite(c)][0]}")
    if not a.shape == b.shape == c.shape:
        a, b, c = np.broadcast_arrays(a, b, c)
    ordered = a <= b
    if np.count_nonzero(ordered) < ordered.size:
        first = int(np.flatnonzero(~ordered)[0])
        ends = f"({a.flat[first]}, {b.flat[first]})"
        raise ValueError(
            f"lower must not exceed upper, and neither may be NaN; got {ends} at position {first}"
        )
    return a.reshape(-1), b.reshape(-1), c.reshape(-1), a.shape


def _real(name: str, value: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiubV":  # V: bfloat16 and its like
            raise TypeError(f"got {array.dtype} in {value!r}")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of real numbers: {error}") from None
