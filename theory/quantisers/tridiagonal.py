"""Symmetric tridiagonal systems: the Newton step of every scalar designer.

A threshold touches only the two cells beside it, so the second derivative of any cost of a scalar quantiser
is tridiagonal, and a Newton step costs a few operations per level.
"""

from __future__ import annotations

from .._compiled import kernel
from .._typing import FloatArray

__all__ = ["solve_positive"]


@kernel
def solve_positive(diagonal: FloatArray, off: FloatArray, right: FloatArray) -> tuple[FloatArray, bool]:
    """Solve a symmetric tridiagonal system by L D L^T; also says whether the matrix is positive definite.

    Where a pivot is not positive the factorisation stops and the solution is returned as it stands, together
    with False: the caller must not use it.
    """
    n = diagonal.size
    x = right.copy()
    pivots = diagonal.copy()
    for i in range(n):
        if i > 0:
            factor = off[i - 1] / pivots[i - 1]
            pivots[i] -= factor * off[i - 1]
            x[i] -= factor * x[i - 1]
        if not pivots[i] > 0.0:
            return x, False
    x[n - 1] /= pivots[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = (x[i] - off[i] * x[i + 1]) / pivots[i]
    return x, True
