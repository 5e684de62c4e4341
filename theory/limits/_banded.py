"""Cholesky factorisation of symmetric banded matrices.

LAPACK has it, but its threads wait for each other on matrices as small as these (a hundred or two in size and
width) for ten to sixty times the work itself.  Row j of a band holds the entries (j + d, j), d = 0, 1, ..., of the
lower triangle.
"""

from __future__ import annotations

import math

from .._compiled import kernel
from .._typing import FloatArray

__all__ = ["banded_cholesky", "solve_banded"]


@kernel
def banded_cholesky(band: FloatArray) -> bool:
    """Replace a band, shape (n, width), by that of its Cholesky factor; False if it is not positive definite."""
    n, width = band.shape
    for j in range(n):
        if not band[j, 0] > 0.0:
            return False
        root = math.sqrt(band[j, 0])
        band[j, 0] = root
        reach = min(width, n - j)
        for d in range(1, reach):
            band[j, d] /= root
        for p in range(1, reach):
            factor = band[j, p]
            for q in range(p, reach):
                band[j + p, q - p] -= factor * band[j, q]
    return True


@kernel
def solve_banded(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve L L^T x = right for the factor of `banded_cholesky`."""
    n, width = factor.shape
    x = right.copy()
    for j in range(n):
        x[j] /= factor[j, 0]
        for d in range(1, min(width, n - j)):
            x[j + d] -= factor[j, d] * x[j]
    for j in range(n - 1, -1, -1):
        for d in range(1, min(width, n - j)):
            x[j] -= factor[j, d] * x[j + d]
        x[j] /= factor[j, 0]
    return x
