"""Products with Hadamard matrices, row by row, in a fixed order of additions.

Fixed, so that another implementation (on a tensor of another library, on another device) can reach the same
last bit: butterflies at distance 1, 2, 4, ... inside the power of two, then the core's sums from its first
column to its last, then one product with the scale.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from .._compiled import kernel, parallel_kernel
from .hadamard import core_matrix, factors

__all__ = ["hadamard_rows"]


def hadamard_rows(rows: NDArray[Any], signs: NDArray[np.int8], *, forward: bool) -> NDArray[Any]:
    """Rotate each row: H (sign * row) / sqrt(n), or back: sign * (H^T row) / sqrt(n)."""
    size = rows.shape[1]
    found = factors(size)
    assert found is not None, "the caller has checked the length"
    core = core_matrix(found[0])
    scale = rows.dtype.type(1.0 / math.sqrt(size))
    out = np.empty_like(rows)
    matrix = np.ascontiguousarray(core if forward else core.T)
    _rotate(rows, signs.astype(rows.dtype), matrix.astype(rows.dtype), scale, forward, out)
    return out


@parallel_kernel
def _rotate(rows: Any, signs: Any, core: Any, scale: Any, forward: bool, out: Any) -> None:
    size = rows.shape[1]
    order = core.shape[0]
    length = size // order
    for r in numba.prange(rows.shape[0]):
        row = out[r]
        if forward:
            for i in range(size):
                row[i] = rows[r, i] * signs[i]
        else:
            row[:] = rows[r]
        for start in range(0, size, length):
            _butterflies(row[start : start + length])
        if order > 1:
            _core_sums(row, core, length)
        for i in range(size):
            row[i] *= scale
        if not forward:
            for i in range(size):
                row[i] *= signs[i]


@kernel
def _butterflies(row: Any) -> None:
    """Sylvester's matrix times a row whose length is a power of two, in place."""
    n = row.shape[0]
    half = 1
    while 2 * half < n:  # two distances at a time: the same additions with half the traffic
        for start in range(0, n, 4 * half):
            for i in range(start, start + half):
                a, b = row[i], row[i + half]
                c, d = row[i + 2 * half], row[i + 3 * half]
                p, q, r, t = a + b, a - b, c + d, c - d
                row[i] = p + r
                row[i + half] = q + t
                row[i + 2 * half] = p - r
                row[i + 3 * half] = q - t
        half *= 4
    if half < n:
        for i in range(half):
            a, b = row[i], row[i + half]
            row[i] = a + b
            row[i + half] = a - b


@kernel
def _core_sums(row: Any, core: Any, length: int) -> None:
    """(core x identity) times a row of order * length elements, in place."""
    order = core.shape[0]
    old = row.copy()
    for i in range(order):
        target = row[i * length : (i + 1) * length]
        target[:] = core[i, 0] * old[:length]
        for j in range(1, order):
            source = old[j * length : (j + 1) * length]
            if core[i, j] > 0:
                for k in range(length):
                    target[k] += source[k]
            else:
                for k in range(length):
                    target[k] -= source[k]
