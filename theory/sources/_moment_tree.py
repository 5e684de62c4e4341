"""Moments of any run of sorted data in logarithmic time, to full relative accuracy.

Prefix sums are the usual way and lose everything where a cell is small: its second moment is then the
difference of two sums larger by many powers of ten.  Here whole blocks of samples, pairs of blocks, pairs
of pairs and so on each keep their mass, mean and second moment about the mean.  Any run of samples is a few
dozen such nodes and at most two broken blocks, whose samples are visited one by one.  The second moment about
a point c is then a sum of positive terms,

    sum over nodes of  M2 + W (mean - c)^2,

so that nothing cancels, however far out and however narrow the run.  The mean of a node is kept as the sum of
two numbers (`centre` + `offset`), the second the rounding error of the first, because a mean far from zero
loses the digits that a narrow run around it needs.

The merging of two nodes is the pairwise update of Chan, Golub and LeVeque (1983), eq. 1.5.
"""

from __future__ import annotations

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray, IntArray

__all__ = ["BLOCK", "build_tree", "quantile_index", "range_moments", "upper_index"]

# Samples in a block: the tree takes 64 / BLOCK bytes a sample, a query the time of about BLOCK samples.
# Tuned: tenfold either way costs a factor of 3 in time or a quarter of the data's own memory.
BLOCK = 128


@kernel
def _merge(tree: FloatArray, left: int, right: int, parent: int) -> None:
    mass = tree[0, left] + tree[0, right]
    share = tree[0, right] / mass
    gap = (tree[1, right] - tree[1, left]) + (tree[2, right] - tree[2, left])
    centre = tree[1, left] + share * gap
    low = (tree[1, left] - centre) + tree[2, left]
    high = (tree[1, right] - centre) + tree[2, right]
    tree[0, parent] = mass
    tree[1, parent] = centre
    tree[2, parent] = (1.0 - share) * low + share * high
    tree[3, parent] = tree[3, left] + tree[3, right] + gap * gap * share * tree[0, left]


@kernel
def _leaf(values: FloatArray, weights: FloatArray, start: int, tree: FloatArray, node: int) -> None:
    first = np.float64(values[start])
    mass = 0.0
    moment = 0.0
    for i in range(start, start + BLOCK):
        weight = weights[i] if weights.size else 1.0
        mass += weight
        moment += weight * (values[i] - first)
    centre = first + moment / mass
    moment = 0.0
    for i in range(start, start + BLOCK):
        weight = weights[i] if weights.size else 1.0
        moment += weight * (values[i] - centre)
    offset = moment / mass
    second = 0.0
    for i in range(start, start + BLOCK):
        weight = weights[i] if weights.size else 1.0
        distance = (values[i] - centre) - offset
        second += weight * distance * distance
    tree[0, node] = mass
    tree[1, node] = centre
    tree[2, node] = offset
    tree[3, node] = second


@kernel
def build_tree(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Build the nodes, shape (4, nodes): mass, centre, offset, second moment; leaves first, level by level.

    `weights` is empty where all are one.
    """
    leaves = values.size // BLOCK
    nodes = 0
    count = leaves
    while count:
        nodes += count
        count //= 2
    tree = np.empty((4, nodes))
    for k in range(leaves):
        _leaf(values, weights, k * BLOCK, tree, k)
    below = 0
    count = leaves
    while count > 1:
        level = below + count
        for k in range(count // 2):
            _merge(tree, below + 2 * k, below + 2 * k + 1, level + k)
        below = level
        count //= 2
    return tree


@kernel
def _add_samples(
    values: FloatArray, weights: FloatArray, start: int, stop: int, about: float, out: FloatArray
) -> None:
    for i in range(start, stop):
        weight = weights[i] if weights.size else 1.0
        distance = values[i] - about
        out[0] += weight
        out[1] += weight * distance
        out[2] += weight * distance * distance


@kernel
def _add_node(tree: FloatArray, node: int, about: float, out: FloatArray) -> None:
    distance = (tree[1, node] - about) + tree[2, node]
    out[0] += tree[0, node]
    out[1] += tree[0, node] * distance
    out[2] += tree[3, node] + tree[0, node] * distance * distance


@kernel
def _run(
    values: FloatArray,
    weights: FloatArray,
    tree: FloatArray,
    start: int,
    stop: int,
    about: float,
    out: FloatArray,
) -> None:
    """Add the moments of samples start .. stop - 1 about a point to `out`."""
    left = (start + BLOCK - 1) // BLOCK
    right = stop // BLOCK
    if left >= right:
        _add_samples(values, weights, start, stop, about, out)
        return
    _add_samples(values, weights, start, left * BLOCK, about, out)
    _add_samples(values, weights, right * BLOCK, stop, about, out)
    level = 0
    count = values.size // BLOCK
    while left < right:
        if left & 1:
            _add_node(tree, level + left, about, out)
            left += 1
        if right & 1:
            right -= 1
            _add_node(tree, level + right, about, out)
        left //= 2
        right //= 2
        level += count
        count //= 2


@kernel
def upper_index(values: FloatArray, x: FloatArray) -> IntArray:
    """Count the values <= each x, compared exactly and without a float64 copy of float32 data."""
    out = np.empty(x.size, np.int64)
    for k in range(x.size):
        low = 0
        high = values.size
        while low < high:
            middle = (low + high) // 2
            if np.float64(values[middle]) <= x[k]:
                low = middle + 1
            else:
                high = middle
        out[k] = low
    return out


@kernel
def range_moments(
    values: FloatArray,
    weights: FloatArray,
    tree: FloatArray,
    start: IntArray,
    stop: IntArray,
    about: FloatArray,
) -> FloatArray:
    """Weighted sums of 1, x - about and (x - about)^2 over samples start .. stop - 1, shape (3, queries)."""
    out = np.zeros((start.size, 3))
    for k in range(start.size):
        _run(values, weights, tree, start[k], stop[k], about[k], out[k])
    return out.T.copy()


@kernel
def quantile_index(
    values: FloatArray, weights: FloatArray, tree: FloatArray, total: float, q: FloatArray, from_above: bool
) -> IntArray:
    """Smallest i with mass(values[: i + 1]) >= q, or, from above, with mass(values[i + 1 :]) <= q."""
    out = np.empty(q.size, np.int64)
    moments = np.empty(3)
    for k in range(q.size):
        low = 0
        high = values.size - 1
        while low < high:
            middle = (low + high) // 2
            moments[:] = 0.0
            if from_above:
                _run(values, weights, tree, middle + 1, values.size, 0.0, moments)
                reached = moments[0] / total <= q[k]
            else:
                _run(values, weights, tree, 0, middle + 1, 0.0, moments)
                reached = moments[0] / total >= q[k]
            if reached:
                high = middle
            else:
                low = middle + 1
        out[k] = low
    return out
