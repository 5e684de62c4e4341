"""The Viterbi algorithm over a trellis of two branches per state, many sequences side by side.

Sequences are independent, so the innermost loop of everything runs over a row of them (the lanes): it has no
branches and no gathers, and the compiler makes vector instructions of it.  Survivors are one bit per state
and sample, 32 states to a word.

Costs are float32.  To keep them honest, the least of the four subset costs is taken off each sample's costs
(a far outlier would swamp the other samples' share) and the least path cost is taken off now and then.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ..._compiled import kernel, parallel_kernel

__all__ = ["encode_sequences", "walk"]

# Samples between two subtractions of the least path cost: costs stay within a few hundred of each other, so
# float32 keeps five digits.  Ten times more would cost a digit, ten times fewer a few per cent of speed.
_RENORMALISE = 64
_UNREACHED = np.float32(1e30)


@kernel
def _subset_costs(x: Any, code: Any, price: Any, cost: Any, pick: Any) -> None:
    """Least (x - c)^2 + price over each subset's codepoints, less the least of all, and who attains it."""
    lanes = x.shape[0]
    for q in range(4):
        c = code[q, 0]
        b = price[q, 0]
        for lane in range(lanes):
            d = x[lane] - c
            cost[q, lane] = d * d + b
            pick[q, lane] = 0
        for j in range(1, code.shape[1]):
            c = code[q, j]
            b = price[q, j]
            for lane in range(lanes):
                d = x[lane] - c
                value = d * d + b
                better = value < cost[q, lane]
                cost[q, lane] = value if better else cost[q, lane]
                pick[q, lane] = np.int32(j) if better else pick[q, lane]
    for lane in range(lanes):
        least = min(min(cost[0, lane], cost[1, lane]), min(cost[2, lane], cost[3, lane]))
        for q in range(4):
            cost[q, lane] -= least


@kernel
def _extend(old: Any, new: Any, cost: Any, previous: Any, subset: Any, survivors: Any, word: Any) -> None:
    """Extend every path by one sample: each state keeps the cheaper of the two paths that enter it."""
    states, lanes = old.shape
    for group in range((states + 31) // 32):
        for lane in range(lanes):
            word[lane] = np.uint32(0)
        for k in range(min(states - 32 * group, 32)):
            state = 32 * group + k
            path_0 = old[previous[state, 0]]
            path_1 = old[previous[state, 1]]
            cost_0 = cost[subset[state, 0]]
            cost_1 = cost[subset[state, 1]]
            out = new[state]
            bit = np.uint32(1) << np.uint32(k)
            for lane in range(lanes):
                a = path_0[lane] + cost_0[lane]
                b = path_1[lane] + cost_1[lane]
                out[lane] = min(a, b)
                word[lane] |= np.uint32(bit if b < a else np.uint32(0))
        for lane in range(lanes):
            survivors[group, lane] = word[lane]


@kernel
def _renormalise(path: Any) -> None:
    states, lanes = path.shape
    for lane in range(lanes):
        least = path[0, lane]
        for state in range(states):
            least = min(least, path[state, lane])
        for state in range(states):
            path[state, lane] -= least


@kernel
def _trace_back(
    path: Any, survivors: Any, picks: Any, previous: Any, subset: Any, origin: Any, lane: int, out: Any
) -> None:
    """Follow the cheapest path of a lane from its end, and write the index chosen at each sample."""
    state = 0
    for s in range(path.shape[0]):
        if path[s, lane] < path[state, lane]:
            state = s
    for t in range(out.shape[0] - 1, -1, -1):
        bit = (survivors[t, state >> 5, lane] >> np.uint32(state & 31)) & np.uint32(1)
        q = subset[state, bit]
        out[t] = origin[q, picks[t, q, lane]]
        state = previous[state, bit]


@kernel
def _encode_group(
    x: Any,
    scale: float,
    reach: float,
    code: Any,
    price: Any,
    origin: Any,
    previous: Any,
    subset: Any,
    out: Any,
) -> None:
    lanes, length = x.shape
    states = previous.shape[0]
    columns = np.empty((length, lanes), np.float32)
    for lane in range(lanes):
        for t in range(length):
            columns[t, lane] = np.float32(min(max(x[lane, t] / scale, -reach), reach))
    survivors = np.empty((length, (states + 31) // 32, lanes), np.uint32)
    picks = np.empty((length, 4, lanes), np.uint16)
    cost = np.empty((4, lanes), np.float32)
    pick = np.empty((4, lanes), np.int32)
    word = np.empty(lanes, np.uint32)
    old = np.full((states, lanes), _UNREACHED)
    old[0, :] = 0
    new = np.empty_like(old)
    for t in range(length):
        _subset_costs(columns[t], code, price, cost, pick)
        for q in range(4):
            for lane in range(lanes):
                picks[t, q, lane] = np.uint16(pick[q, lane])
        _extend(old, new, cost, previous, subset, survivors[t], word)
        old, new = new, old
        if t % _RENORMALISE == _RENORMALISE - 1:
            _renormalise(old)
    for lane in range(lanes):
        _trace_back(old, survivors, picks, previous, subset, origin, lane, out[lane])


@parallel_kernel
def encode_sequences(
    x: Any,
    scale: float,
    reach: float,
    code: Any,
    price: Any,
    origin: Any,
    previous: Any,
    subset: Any,
    lanes: int,
    out: Any,
) -> None:
    """Write to `out` the indices of least squared error plus price of each row of x, from state 0.

    x is (rows, length) float64, and is divided by the scale and clipped to +-reach first.  code, price (4, K)
    float32 and origin (4, K) uint16 hold the codepoints of each subset, what choosing them costs, and their
    index in their codebook; out is (rows, length) uint16.
    """
    rows = x.shape[0]
    for group in numba.prange((rows + lanes - 1) // lanes):
        first = group * lanes
        last = min(first + lanes, rows)
        part = x[first:last]
        _encode_group(part, scale, reach, code, price, origin, previous, subset, out[first:last])


@parallel_kernel
def walk(indices: Any, branches: Any, next_state: Any, codebook: Any) -> None:
    """Write the codebook (0 or 1) that each index of each row belongs to, from state 0."""
    for row in numba.prange(indices.shape[0]):
        state = 0
        for t in range(indices.shape[1]):
            which = state & 1
            codebook[row, t] = which
            state = next_state[state, branches[which, indices[row, t]]]
