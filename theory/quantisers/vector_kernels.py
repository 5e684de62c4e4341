"""Nearest codeword by exhaustive search, a row of vectors at a time."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .._compiled import kernel, parallel_kernel

__all__ = ["nearest_codewords", "nearest_in_block"]

# Vectors searched side by side, so that the innermost loop is vector instructions; four registers of eight.
_LANES = 32


@kernel
def nearest_in_block(x: Any, weights: Any, codebook: Any, index: Any, error: Any) -> None:
    """As `nearest_codewords`, all vectors side by side on one core."""
    count, dimension = x.shape
    columns, metric = x.T.copy(), weights.T.copy()
    distance = np.empty(count)
    for lane in range(count):
        error[lane] = np.inf
    for j in range(codebook.shape[0]):
        for lane in range(count):
            distance[lane] = 0.0
        for d in range(dimension):
            c = codebook[j, d]
            for lane in range(count):
                difference = columns[d, lane] - c
                distance[lane] += metric[d, lane] * difference * difference
        for lane in range(count):
            better = distance[lane] < error[lane]
            index[lane] = np.int32(j) if better else index[lane]
            error[lane] = distance[lane] if better else error[lane]


@parallel_kernel
def nearest_codewords(x: Any, weights: Any, codebook: Any, index: Any, error: Any) -> None:
    """Write index (int32) and weighted squared distance of the nearest codeword; the first of equals wins.

    x and weights are (count, dimension), codebook (size, dimension), all float64; index and error (count,).
    """
    count = x.shape[0]
    for block in numba.prange((count + _LANES - 1) // _LANES):
        first = block * _LANES
        last = min(first + _LANES, count)
        nearest_in_block(x[first:last], weights[first:last], codebook, index[first:last], error[first:last])
