"""Which format for which tensor, at a budget: the least total loss over finite lists of operating points.

On the lower convex hull of every component's points the answer is exact and needs one sort: hull segments are
taken in order of loss saved per bit until the budget is spent (Everett 1963; Shoham and Gersho 1988).  The
same sort gives a lower bound that no choice can beat, so that the rest between two segments is a known gap;
points inside it are tried, and `exact=True` closes it by dynamic programming over the few components that
can still matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ._exact_allocation import solve_core
from ._hull import lower_hulls
from ._swaps import improve
from .components import Component, ComponentTable, component_table
from .shannon import checked_amount

__all__ = ["Allocation", "UniformAllocation", "allocate"]

_Ints = NDArray[np.int64]
_UNITS = {"bits": 1.0, "bytes": 8.0}
_ROUNDING = 1e-12  # part of the budget that a sum of costs may exceed it by; sums of 1e5 doubles err by less


@dataclass(frozen=True)
class UniformAllocation:
    """One operating point for all free components: the control.

    Attributes
    ----------
    choice : int
        Index of the operating point.
    bits, loss : float
        Total of all components, fixed ones included.
    """

    choice: int
    bits: float
    loss: float


@dataclass(frozen=True, eq=False)
class Allocation:
    """The operating point of each component.

    Attributes
    ----------
    choices : ndarray of int64, shape (n,)
        Index of the operating point of each component.
    rates, distortions : ndarray of float64, shape (n,)
        Bits and mean squared error per element at these points.
    bits, loss : float
        Totals: sum of size times rate, and sum of weight times size times distortion.
    bound : float
        No choice within the budget has less loss.
    slope : float
        Loss that one more bit would save, at the margin; 0 where more bits save nothing.
    feasible : tuple of float
        Least bits that any choice needs, and bits beyond which no choice has less loss.
    budget : float
        In bits.
    elements : float
        Sum of all sizes.
    uniform : UniformAllocation or None
        Best single operating point within the budget; None if components have different numbers of points,
        or no single one fits.
    """

    choices: _Ints
    rates: FloatArray
    distortions: FloatArray
    bits: float
    loss: float
    bound: float
    slope: float
    feasible: tuple[float, float]
    budget: float
    elements: float
    uniform: UniformAllocation | None

    @property
    def gap(self) -> float:
        """Loss above the bound: 0 where the choice is proved optimal."""
        return max(self.loss - self.bound, 0.0)

    @property
    def bits_per_element(self) -> float:
        """Mean rate over all elements."""
        return self.bits / self.elements


class _Items(NamedTuple):
    """What is decided at once: components, groups of them, and fixed ones, which have one point only."""

    offsets: _Ints
    bits: FloatArray
    loss: FloatArray
    owner: _Ints  # item of each component
    first: _Ints  # index that an item's first point has in its components


def allocate(
    components: Iterable[Component] | ComponentTable,
    budget: float,
    *,
    unit: str = "bits",
    exact: bool = False,
) -> Allocation:
    """Choose an operating point for each component at the least total loss within a budget.

    Minimise the sum of weight · size · distortion while the sum of size · rate is at most the budget.

    Parameters
    ----------
    components : iterable of Component, or ComponentTable
        At least one.  Members of a group take points of equal index; fixed ones have no choice.
    budget : float
        Total, fixed components included, > 0.
    unit : str
        Of the budget: "bits", "bytes", or "bits_per_element".
    exact : bool
        Close the gap by dynamic programming.

    Returns
    -------
    Allocation
        Within the budget (to 1e-12 of it); never of more loss than any single operating point for all; of gap
        0 where the budget ends between two hull segments, and otherwise within the stated gap, which is at
        most the loss one segment saves.  With `exact` the loss is the least possible and the gap 0.

    Raises
    ------
    TypeError
        If a component is none, or a number is no number.
    ValueError
        If there is no component, a number is out of range (see `ComponentTable`), the unit is unknown, the
        budget is not positive or too small (the feasible range is named), or the exact problem is too large.

    References
    ----------
    Everett (1963), Generalized Lagrange multiplier method; Shoham and Gersho (1988), Efficient bit allocation
    for an arbitrary set of quantizers; Pisinger (1995), A minimal algorithm for the multiple-choice knapsack
    problem.

    Examples
    --------
    >>> wide = Component("wide", [2, 3, 4], [0.12, 0.035, 0.0095], size=300, weight=2.0)
    >>> thin = Component("thin", [2, 3, 4], [0.12, 0.035, 0.0095], size=100)
    >>> result = allocate([wide, thin], 1400)
    >>> result.choices.tolist(), result.bits, round(result.loss, 3)
    ([2, 0], 1400.0, 17.7)
    """
    table = component_table(components)
    elements = float(table.sizes.sum())
    wanted = _budget_in_bits(budget, unit, elements)
    items = _items(table)
    state, bound, slope, feasible = _relaxed(items, wanted)
    control = _uniform(items, table, wanted)
    state = improve(items.offsets, items.bits, items.loss, state, wanted, slope, bound)
    if control is not None and items.loss[state].sum() > control.loss:
        state = np.where(np.diff(items.offsets) > 1, items.offsets[:-1] + control.choice, items.offsets[:-1])
        state = improve(items.offsets, items.bits, items.loss, state, wanted, slope, bound)
    if exact:
        state = solve_core(items.offsets, items.bits, items.loss, state, wanted, slope)
        bound = float(items.loss[state].sum())
    choices = (state - items.offsets[:-1] + items.first)[items.owner]
    picked = table.offsets[:-1] + choices
    return Allocation(
        choices,
        table.rates[picked],
        table.distortions[picked],
        float(items.bits[state].sum()),
        float(items.loss[state].sum()),
        bound,
        slope,
        feasible,
        wanted,
        elements,
        control,
    )


def _budget_in_bits(budget: float, unit: str, elements: float) -> float:
    amount = checked_amount("budget", budget, zero=False)
    if unit == "bits_per_element":
        return amount * elements
    if unit not in _UNITS:
        raise ValueError(f"unit must be 'bits', 'bytes' or 'bits_per_element', got {unit!r}")
    return amount * _UNITS[unit]


def _items(table: ComponentTable) -> _Items:
    """Merge groups, and reduce fixed components to their point."""
    count = len(table)
    key = np.where(table.groups >= 0, table.groups, table.groups.max(initial=-1) + 1 + np.arange(count))
    _, leader, owner = np.unique(key, return_index=True, return_inverse=True)
    fixed = np.full(leader.size, -1, dtype=np.int64)
    np.maximum.at(fixed, owner, table.fixed)
    points = np.where(fixed >= 0, 1, np.diff(table.offsets)[leader])
    offsets = np.concatenate([[0], np.cumsum(points)]).astype(np.int64)
    first = np.maximum(fixed, 0)
    member = np.repeat(np.arange(count), points[owner])
    inside = np.arange(member.size) - np.repeat(np.cumsum(points[owner]) - points[owner], points[owner])
    source = table.offsets[member] + first[owner[member]] + inside
    target = offsets[owner[member]] + inside
    bits, loss = np.zeros(offsets[-1]), np.zeros(offsets[-1])
    np.add.at(bits, target, table.rates[source] * table.sizes[member])
    np.add.at(loss, target, table.distortions[source] * (table.sizes * table.weights)[member])
    return _Items(offsets, bits, loss, owner, first)


def _relaxed(items: _Items, budget: float) -> tuple[_Ints, float, float, tuple[float, float]]:
    """Fill hull segments in order of slope: the choice, the bound, the slope at the end, and the range."""
    hull, ends = lower_hulls(items.offsets, items.bits, items.loss)
    bits, loss = items.bits[hull], items.loss[hull]
    least, most = float(bits[ends[:-1]].sum()), float(bits[ends[1:] - 1].sum())
    if least > budget * (1 + _ROUNDING):
        raise ValueError(
            f"budget must be at least {least:.6g} bits ({least / 8:.6g} bytes) for these components, got "
            f"{budget:.6g} bits; more than {most:.6g} bits save nothing"
        )
    inner = np.ones(hull.size, dtype=np.bool_)
    inner[ends[:-1]] = False
    after = np.flatnonzero(inner)
    cost, gain = bits[after] - bits[after - 1], loss[after - 1] - loss[after]
    order = np.argsort(-gain / cost, kind="stable")
    spent = least + np.cumsum(cost[order])
    taken = int(np.searchsorted(spent, budget * (1 + _ROUNDING), side="right"))
    owner = np.searchsorted(ends, after[order[:taken]], side="right") - 1
    position = ends[:-1] + np.bincount(owner, minlength=ends.size - 1)
    bound = float(loss[position].sum())
    if taken == order.size:
        return hull[position], bound, 0.0, (least, most)
    slope = float(gain[order[taken]] / cost[order[taken]])
    rest = max(budget - (spent[taken - 1] if taken else least), 0.0)
    return hull[position], bound - slope * rest, slope, (least, most)


def _uniform(items: _Items, table: ComponentTable, budget: float) -> UniformAllocation | None:
    """Best single point for all free components."""
    sizes = np.diff(items.offsets)
    free = sizes > 1
    points = np.unique(sizes[free])
    if points.size != 1:
        return None
    columns = items.offsets[:-1][free][:, None] + np.arange(points[0])
    alone = items.offsets[:-1][~free]
    bits = items.bits[columns].sum(axis=0) + items.bits[alone].sum()
    loss = items.loss[columns].sum(axis=0) + items.loss[alone].sum()
    fits = bits <= budget * (1 + _ROUNDING)
    if not fits.any():
        return None
    best = int(np.flatnonzero(fits)[np.argmin(loss[fits])])
    return UniformAllocation(best, float(bits[best]), float(loss[best]))
