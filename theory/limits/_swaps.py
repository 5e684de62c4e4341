"""Moves that bring an allocation closer to its bound: one step up, or one up against one down elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray

__all__ = ["improve", "reduced_costs"]

_Ints = NDArray[np.int64]
_MOVES = 200  # each is the best of all pairs; a dozen is usual
_CANDIDATES = 4000  # points of least reduced cost that are looked at; more has not helped at 1e5 components
_NOTHING = 1e-13  # part of the loss below which a gain is rounding
_ROUNDING = 1e-12  # part of the budget by which sums may exceed it


def reduced_costs(offsets: _Ints, bits: FloatArray, loss: FloatArray, slope: float) -> FloatArray:
    """Lagrangian loss + slope · bits of each point above the least of its item."""
    price = loss + slope * bits
    return np.asarray(price - np.repeat(np.minimum.reduceat(price, offsets[:-1]), np.diff(offsets)))


def improve(
    offsets: _Ints,
    bits: FloatArray,
    loss: FloatArray,
    state: _Ints,
    budget: float,
    slope: float,
    bound: float,
) -> _Ints:
    """Apply the best move until none gains; points of reduced cost above the gap are in no better choice."""
    total = float(loss[state].sum())
    if slope == 0 or total - bound <= _NOTHING * total:
        return state
    points = _candidates(offsets, reduced_costs(offsets, bits, loss, slope), state, total - bound)
    items = np.searchsorted(offsets, points, side="right") - 1
    state = state.copy()
    slack = budget * (1 + _ROUNDING) - float(bits[state].sum())
    for _ in range(_MOVES):
        more, gain = bits[points] - bits[state[items]], loss[state[items]] - loss[points]
        best, moves = _best_move(items, more, gain, slack)
        if best <= _NOTHING * total:
            break
        slack -= float(more[moves].sum())
        state[items[moves]] = points[moves]
    return state


def _candidates(offsets: _Ints, costs: FloatArray, state: _Ints, gap: float) -> _Ints:
    """Points of least reduced cost below the gap, with the present points of their items."""
    below = costs < gap
    below[state] = False
    points = np.flatnonzero(below)
    if points.size > _CANDIDATES:
        points = points[np.argpartition(costs[points], _CANDIDATES)[:_CANDIDATES]]
    items = np.searchsorted(offsets, points, side="right") - 1
    return np.unique(np.concatenate([points, state[items]]))


def _best_move(items: _Ints, more: FloatArray, gain: FloatArray, slack: float) -> tuple[float, _Ints]:
    """Largest gain of loss by one point or by a pair within the slack, and the points."""
    single = np.where(more <= slack, gain, -np.inf)
    best, moves = (
        float(single.max(initial=0.0)),
        np.array([int(np.argmax(single))]) if single.size else _none(),
    )
    up, down = np.flatnonzero((gain > best) & (more > slack)), np.flatnonzero(more < 0)
    if not up.size or not down.size:
        return best, moves
    down = down[np.argsort(more[down], kind="stable")]
    leader, second = _running_best(items[down], gain[down])
    count = np.searchsorted(more[down], slack - more[up], side="right")
    up, count = up[count > 0], count[count > 0]
    partner = leader[count - 1]
    partner = np.where(items[down[partner]] == items[up], second[count - 1], partner)
    up, partner = up[partner >= 0], partner[partner >= 0]
    pair = gain[up] + gain[down[partner]]
    if pair.size and float(pair.max()) > best:
        k = int(np.argmax(pair))
        return float(pair[k]), np.array([up[k], down[partner[k]]])
    return best, moves


def _running_best(items: _Ints, gain: FloatArray) -> tuple[_Ints, _Ints]:
    """Position of the largest gain so far, and of the largest so far of another item (-1 for none)."""
    leader, second = np.empty(items.size, np.int64), np.empty(items.size, np.int64)
    first, other = 0, -1
    for k in range(items.size):
        if gain[k] > gain[first]:
            if items[k] != items[first]:
                other = first
            first = k
        elif items[k] != items[first] and (other < 0 or gain[k] > gain[other]):
            other = k
        leader[k], second[k] = first, other
    return leader, second


def _none() -> _Ints:
    return np.empty(0, np.int64)
