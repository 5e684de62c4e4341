"""The Viterbi algorithm where the state is the last bits of the stream.

A window of L bits picks the codepoint, and every step shifts k new bits in.  Paths that agree in the last
L - k bits have the same future, so each such state keeps its cheapest path; it is entered by 2^k windows that
differ only in their oldest k bits.  With codepoints stored by new bits, oldest bits and the bits between,
the innermost loop runs over consecutive memory, and the compiler makes vector instructions of it.

Costs are c^2 - 2 x c, which leave out the x^2 that all paths share: an outlier then costs no digits.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ..._compiled import kernel, parallel_kernel

__all__ = ["encode_windows", "slide"]

# Samples between two subtractions of the least path cost; see trellis_kernels.
_RENORMALISE = 64
_UNREACHED = np.float32(1e30)


@kernel
def _extend(old: Any, new: Any, twice_x: Any, code: Any, survivors: Any, least: Any, oldest: Any) -> None:
    """Extend paths by one step.

    old is (oldest, middle), new (middle, newest), code (newest, oldest, middle).
    """
    branches, middles = old.shape
    for newest in range(branches):
        path = old[0]
        c = code[newest, 0]
        for middle in range(middles):
            least[middle] = path[middle] + c[middle] * (c[middle] - twice_x)
            oldest[middle] = 0
        for h in range(1, branches):
            path = old[h]
            c = code[newest, h]
            for middle in range(middles):
                cost = path[middle] + c[middle] * (c[middle] - twice_x)
                better = cost < least[middle]
                oldest[middle] = np.int32(h) if better else oldest[middle]
                least[middle] = cost if better else least[middle]
        chosen = survivors[newest]
        for middle in range(middles):
            chosen[middle] = np.uint8(oldest[middle])
        for middle in range(middles):
            new[middle, newest] = least[middle]


@kernel
def _encode_one(x: Any, code: Any, out: Any) -> None:
    """Write the windows of the cheapest path from the all-zero window."""
    branches, _, middles = code.shape
    states = branches * middles
    survivors = np.empty((len(x), branches, middles), np.uint8)
    old = np.full(states, _UNREACHED)
    old[0] = 0
    new = np.empty_like(old)
    least = np.empty(middles, np.float32)
    oldest = np.empty(middles, np.int32)
    for t in range(len(x)):
        before = old.reshape(branches, middles)
        after = new.reshape(middles, branches)
        _extend(before, after, np.float32(2) * x[t], code, survivors[t], least, oldest)
        old, new = new, old
        if t % _RENORMALISE == _RENORMALISE - 1:
            lowest = old.min()
            for s in range(states):
                old[s] -= lowest
    state: Any = np.argmin(old)
    for t in range(len(x) - 1, -1, -1):
        newest = state % branches
        middle = state // branches
        out[t] = np.int64(survivors[t, newest, middle]) * states + state
        state = out[t] // branches


@parallel_kernel
def encode_windows(x: Any, code: Any, out: Any) -> None:
    """Write to `out` (rows, length) int32 the windows of least squared error to each row of x (float32)."""
    for row in numba.prange(x.shape[0]):
        _encode_one(x[row], code, out[row])


@parallel_kernel
def slide(symbols: Any, bits: int, mask: int, out: Any) -> None:
    """Write the window after each symbol of each row, from the all-zero window."""
    for row in numba.prange(symbols.shape[0]):
        window: Any = 0
        for t in range(symbols.shape[1]):
            window = ((window << bits) | np.int64(symbols[row, t])) & mask
            out[row, t] = window
