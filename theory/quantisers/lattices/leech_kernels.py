"""Nearest points of the Leech lattice, exactly, by search over the words of the Golay code.

In units of 1/sqrt(8) the lattice is the set of m + 2 c + 4 z, with m = 0 or 1 in all coordinates, c a word of
the Golay code, and z integer with a sum of the parity of m (Conway and Sloane, SPLAG, chapter 4, section 11).
Given m and c the nearest point is that of a checkerboard lattice, and its distance adds up over coordinates
if two sums are carried: the least cost with an even and with an odd sum of z.  Tables over the 256 patterns
of each byte of c hold both; a word of the code then costs three look-ups.  All 2 * 4096 words are tried, so
nothing rests on a bound; eight points go side by side to fill vector registers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ..._compiled import kernel, parallel_kernel
from .kernels import round_checkerboard

__all__ = ["nearest_leech"]

_LANES = 32


@kernel
def _distance(x: float, residue: int) -> float:
    """Squared distance from x to residue + 8 Z."""
    z = (x - residue) / 8
    error = 8 * (z - np.rint(z))
    return float(error * error)


@kernel
def _byte_table(x: Any, m: int, even: Any, odd: Any, low: Any) -> None:
    """Least costs over z, by pattern of 8 bits of c and parity of the sum of z; x is (lanes, 8)."""
    lanes = x.shape[0]
    even[0, :] = 0.0
    odd[0, :] = np.inf
    for i in range(8):
        for lane in range(lanes):
            for residue in range(4):
                low[residue, lane] = _distance(x[lane, i], m + 2 * residue)
        for pattern in range(1 << i):
            above = pattern | (1 << i)
            for lane in range(lanes):
                e = even[pattern, lane]
                o = odd[pattern, lane]
                even[above, lane] = min(e + low[1, lane], o + low[3, lane])
                odd[above, lane] = min(e + low[3, lane], o + low[1, lane])
                even[pattern, lane] = min(e + low[0, lane], o + low[2, lane])
                odd[pattern, lane] = min(e + low[2, lane], o + low[0, lane])


@kernel
def _search(words: Any, m: int, even: Any, odd: Any, best: Any, choice: Any) -> None:
    """Try every word; even and odd are (3, 256, lanes)."""
    lanes = best.shape[0]
    for index in range(words.shape[0]):
        u, v, w = words[index, 0], words[index, 1], words[index, 2]
        code = np.int64(index + words.shape[0] * m)
        for lane in range(lanes):
            both_even = min(even[0, u, lane] + even[1, v, lane], odd[0, u, lane] + odd[1, v, lane])
            both_odd = min(even[0, u, lane] + odd[1, v, lane], odd[0, u, lane] + even[1, v, lane])
            if m == 0:
                cost = min(both_even + even[2, w, lane], both_odd + odd[2, w, lane])
            else:
                cost = min(both_even + odd[2, w, lane], both_odd + even[2, w, lane])
            choice[lane] = code if cost < best[lane] else choice[lane]
            best[lane] = min(cost, best[lane])


@kernel
def _restore(x: Any, words: Any, code: int, out: Any) -> None:
    """The point nearest to x among those of one m and one word."""
    m = code // words.shape[0]
    shifted, offset = np.empty(24), np.empty(24)
    for i in range(24):
        bit = (words[code % words.shape[0], i // 8] >> (i % 8)) & 1
        offset[i] = m + 2 * bit
        shifted[i] = x[i] - offset[i]
    round_checkerboard(shifted, 0.0, 4.0, m, out)
    for i in range(24):
        out[i] += offset[i]


@kernel
def _nearest_group(x: Any, words: Any, out: Any) -> None:
    lanes = x.shape[0]
    even, odd = np.empty((3, 256, lanes)), np.empty((3, 256, lanes))
    low = np.empty((4, lanes))
    best = np.full(lanes, np.inf)
    choice = np.zeros(lanes, np.int64)
    for m in range(2):
        for byte in range(3):
            _byte_table(x[:, 8 * byte : 8 * byte + 8], m, even[byte], odd[byte], low)
        _search(words, m, even, odd, best, choice)
    for lane in range(lanes):
        _restore(x[lane], words, choice[lane], out[lane])


@parallel_kernel
def nearest_leech(x: Any, words: Any, out: Any) -> None:
    """Nearest points to the rows of x, shape (rows, 24), in units of 1/sqrt(8); words is (4096, 3) bytes."""
    rows = x.shape[0]
    for group in numba.prange((rows + _LANES - 1) // _LANES):
        first = group * _LANES
        last = min(first + _LANES, rows)
        _nearest_group(x[first:last], words, out[first:last])
