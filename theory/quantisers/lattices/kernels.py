"""Nearest points of small lattices, in integer coordinates.

Z^n rounds.  D_n (even coordinate sum) rounds, and if the sum comes out odd rounds the coordinate that was
nearest to a half the other way (Conway and Sloane 1982).  A2 and E8 are unions of two translates of a
simpler lattice; the nearer of the two answers is the answer.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ..._compiled import kernel, parallel_kernel

__all__ = ["nearest_checkerboard", "nearest_e8", "nearest_hexagonal", "round_checkerboard"]


@kernel
def round_checkerboard(x: Any, offset: float, step: float, odd: int, out: Any) -> float:
    """Nearest offset + step * z with the sum of z of a given parity; returns the squared distance."""
    parity: Any = odd
    worst = -1.0
    flip = 0
    distance = 0.0
    for i in range(len(x)):
        z = (x[i] - offset) / step
        nearest = np.rint(z)
        error = z - nearest
        distance += error * error
        parity ^= np.int64(nearest) & 1
        if abs(error) > worst:
            worst = abs(error)
            flip = i
        out[i] = offset + step * nearest
    if parity:
        up = (x[flip] - out[flip]) >= 0
        out[flip] += step if up else -step
        distance += 1 - 2 * worst
    return distance * step * step


@parallel_kernel
def nearest_checkerboard(x: Any, out: Any) -> None:
    """Nearest points of D_n to the rows of x."""
    for row in numba.prange(x.shape[0]):
        round_checkerboard(x[row], 0.0, 1.0, 0, out[row])


@parallel_kernel
def nearest_e8(x: Any, out: Any) -> None:
    """Nearest points of E8 = D8 + {0, (1/2)^8} to the rows of x; x and out in halves."""
    for row in numba.prange(x.shape[0]):
        other = np.empty(x.shape[1])
        even = round_checkerboard(x[row], 0.0, 2.0, 0, out[row])
        if round_checkerboard(x[row], 1.0, 2.0, 0, other) < even:
            out[row] = other


@parallel_kernel
def nearest_hexagonal(x: Any, out: Any) -> None:
    """Nearest points of A2 to the rows of x, in units of (1/2, sqrt(3)/2): both even or both odd."""
    for row in numba.prange(x.shape[0]):
        a, b = x[row, 0], x[row, 1]
        even_a, even_b = 2 * np.rint(a / 2), 2 * np.rint(b / 2)
        odd_a, odd_b = 2 * np.rint((a - 1) / 2) + 1, 2 * np.rint((b - 1) / 2) + 1
        even = (a - even_a) ** 2 + 3 * (b - even_b) ** 2
        odd = (a - odd_a) ** 2 + 3 * (b - odd_b) ** 2
        out[row, 0] = even_a if even <= odd else odd_a
        out[row, 1] = even_b if even <= odd else odd_b
