"""The exact least loss within a budget, by dynamic programming over the components that can still matter.

A point whose reduced cost is not below the gap of a known choice is in no better choice (Pisinger 1995),
which leaves a core of few items.  Over them the states are all pairs (bits, loss) that no other pair beats in
both (Nemhauser and Ullmann 1969), so that bits need not be integers, less those that cannot beat the known
choice whatever follows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ._swaps import reduced_costs

__all__ = ["solve_core"]

_Ints = NDArray[np.int64]
_STATES = 5_000_000  # kept over all items: 200 MB; beyond, the problem is not for an exact solver
_ROUNDING = 1e-12


def solve_core(
    offsets: _Ints, bits: FloatArray, loss: FloatArray, state: _Ints, budget: float, slope: float
) -> _Ints:
    """Best choice within the budget, from a feasible one and a Lagrangian slope."""
    if slope == 0:
        return state
    costs = reduced_costs(offsets, bits, loss, slope)
    base = _cheapest(offsets, bits, costs)
    slack = budget * (1 + _ROUNDING) - float(bits[base].sum())
    known = float(costs[state].sum()) + slope * (slack - float((bits[state] - bits[base]).sum()))
    points = np.flatnonzero(costs < known * (1 - 1e-12))
    items = np.searchsorted(offsets, points, side="right") - 1
    _, start = np.unique(items, return_index=True)
    groups = [g for g in np.split(points, start[1:]) if g.size > 1]
    groups.sort(key=lambda g: -float(np.ptp(bits[g])))
    owners = [int(np.searchsorted(offsets, g[0], side="right")) - 1 for g in groups]
    more = [bits[g] - bits[base[i]] for g, i in zip(groups, owners, strict=True)]
    chosen = _search(more, [costs[g] for g in groups], slack, slope, known)
    if chosen is None:
        return state
    best = base.copy()
    for g, i, k in zip(groups, owners, chosen, strict=True):
        best[i] = g[k]
    return best


def _cheapest(offsets: _Ints, bits: FloatArray, costs: FloatArray) -> _Ints:
    """Point of reduced cost 0 with the fewest bits, of each item."""
    size = np.diff(offsets)
    price = np.where(costs <= 0.0, bits, np.inf)
    least = np.repeat(np.minimum.reduceat(price, offsets[:-1]), size)
    hits = np.flatnonzero(price == least)
    _, first = np.unique(np.searchsorted(offsets, hits, side="right"), return_index=True)
    return hits[first]


def _search(
    more: list[FloatArray], costs: list[FloatArray], slack: float, slope: float, known: float
) -> list[int] | None:
    """Option of each item that makes cost + slope · slack least; None if that is not below `known`."""
    most = np.append(np.cumsum([m.max() for m in more][::-1])[::-1], 0.0)
    least = np.append(np.cumsum([m.min() for m in more][::-1])[::-1], 0.0)
    spent, cost = np.zeros(1), np.zeros(1)
    history: list[tuple[_Ints, _Ints]] = []
    kept = 0
    for k, (m, c) in enumerate(zip(more, costs, strict=True)):
        bits, price = (spent[:, None] + m).ravel(), (cost[:, None] + c).ravel()
        left = np.maximum(slack - bits - most[k + 1], 0.0)
        alive = np.flatnonzero((bits + least[k + 1] <= slack) & (price + slope * left < known))
        order = alive[np.lexsort((price[alive], bits[alive]))]
        true = price[order] - slope * bits[order]
        front = order[true < np.concatenate([[np.inf], np.minimum.accumulate(true)[:-1]])]
        spent, cost = bits[front], price[front]
        history.append((front // m.size, front % m.size))
        kept += front.size
        if kept > _STATES:
            raise ValueError(
                f"exact allocation needs more than {_STATES} states; leave out exact, which states its gap, "
                "or round the sizes"
            )
    total = cost + slope * (slack - spent)
    if not total.size or not history or float(total.min()) >= known:
        return None
    place = int(np.argmin(total))
    chosen = []
    for parents, options in reversed(history):
        chosen.append(int(options[place]))
        place = int(parents[place])
    return chosen[::-1]
