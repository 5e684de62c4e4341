"""Lower convex hulls of the operating points of many items at once."""

from __future__ import annotations

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray, IntArray

__all__ = ["lower_hulls"]


@kernel
def lower_hulls(offsets: IntArray, bits: FloatArray, loss: FloatArray) -> tuple[IntArray, IntArray]:
    """Points on each item's lower convex hull, in order of bits, from the cheapest to the one of least loss.

    Returns the indices of the points, item after item, and the offsets of the items among them.
    """
    kept = np.empty(bits.size, np.int64)
    ends = np.zeros(offsets.size, np.int64)
    top = 0
    for i in range(offsets.size - 1):
        start, size = offsets[i], offsets[i + 1] - offsets[i]
        order = np.argsort(bits[start : start + size])
        base = top
        for k in range(size):
            p = start + order[k]
            while top > base and bits[kept[top - 1]] == bits[p] and loss[p] < loss[kept[top - 1]]:
                top -= 1
            if top > base and loss[p] >= loss[kept[top - 1]]:
                continue
            while top > base + 1:
                a, b = kept[top - 2], kept[top - 1]
                if (loss[a] - loss[b]) * (bits[p] - bits[b]) > (loss[b] - loss[p]) * (bits[b] - bits[a]):
                    break
                top -= 1
            kept[top] = p
            top += 1
        ends[i + 1] = top
    return kept[:top].copy(), ends
