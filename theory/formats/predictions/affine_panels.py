"""Where the quadratures over the range and the minimum of a block are cut, and their nodes.

A block's range R = max - min and its minimum A have the joint density B (B - 1) f(a) f(a + r) w^(B-2), with w
the mass of (a, a + r).  It is integrated slice by slice: at each r a stored step is fixed, and a runs over
panels between which nothing jumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._typing import FloatArray, IntArray
from ...sources.base import Source
from ...sources.quadrature import legendre_rule
from ..number_types import NumberType

__all__ = ["Extremes", "Nodes", "Slices", "is_fine", "nodes_between", "rounding_spread", "slices"]

# Probabilities that a block's maximum stays below (first) or exceeds (second) a knot.  Tuned: panels of eight
# nodes between them integrate Student-t to 1e-9; what lies outside is 1e-12.
_BELOW = np.array([1e-12, 1e-8, 1e-5, 1e-3, 0.03, 0.2, 0.5])
_ABOVE = np.array([0.2, 0.03, 3e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
# A number type whose spacing is a smaller share of a number has so many of them that the place between two
# neighbours is spread evenly (the sum over its numbers is then an integral, to far below 1e-9).
_FINE = 1 / 100
_POINTS = 8
# Of the middle range: roundings of smaller ones are not cut (E8M0 has a hundred), which costs 1e-6 of the error.
_TINY = 1e-5
_NARROW = 1e-12  # of the range: panels narrower than that are the rounding of equal cuts


@dataclass(frozen=True)
class Extremes:
    """Knots of the laws of the minimum and the maximum of a block, ascending."""

    least: FloatArray
    greatest: FloatArray

    @classmethod
    def of(cls, source: Source, block_size: float) -> Extremes:
        """Quantiles of the extremes of `block_size` independent elements."""
        logs = np.concatenate([np.log(_BELOW), np.log1p(-_ABOVE)])
        tail = -np.expm1(logs / block_size)
        return cls(np.sort(source.ppf(tail)), np.sort(source.isf(tail)))

    def ranges(self) -> FloatArray:
        """Knots of the law of the range."""
        knots = np.maximum(self.greatest - self.least[::-1], 0.0)
        knots = np.unique(np.append(knots, max(self.greatest[0] - self.least[-1], 0.0)))
        if knots[0] == 0.0:
            knots = np.unique(np.concatenate([knots, knots[1] * np.array([1 / 64, 1 / 8])]))
        return knots


class Slices(NamedTuple):
    """Ranges, the step stored for each (0 where it underflows), and quadrature weights."""

    range: FloatArray
    step: FloatArray
    weight: FloatArray


class Nodes(NamedTuple):
    """Slice, minimum and quadrature weight (over range and minimum) of each node."""

    slice: IntArray
    least: FloatArray
    weight: FloatArray


def is_fine(number: NumberType, typical: float) -> bool:
    """Whether a typical value lies among so many numbers of a type that its place between two is even."""
    step = float(spacing(number, np.array(typical)))
    return typical < number.largest / 64 and step < _FINE * typical


def spacing(number: NumberType, x: FloatArray) -> FloatArray:
    """Distance of neighbours at magnitudes x."""
    up, down = number.round(x, "up"), number.round(x, "down")
    return np.where(up > down, up - down, number.round(x * (1 + 1e-9), "up") - down)


def rounding_spread(
    number: NumberType, x: FloatArray, mode: str, points: int
) -> tuple[FloatArray, FloatArray]:
    """Offsets (rows) that stand for exact minus stored value around x, and their weights (a column); `points` even."""
    middle = {"nearest": -0.5, "up": -1.0, "down": 0.0}[mode]
    parts = points // 2  # of the space between, since what the grid's ends do has a kink in its middle
    pair, weight = legendre_rule(2)
    nodes = np.concatenate([(pair + part) / parts for part in range(parts)])
    weights = np.tile(weight / parts, (parts, 1))
    return (nodes + middle) * spacing(number, np.abs(x)), weights


def slices(
    ranges: FloatArray, per_range: float, number: NumberType | None, rounding: str, points: int, spread: int
) -> Slices:
    """Slices of the law of the range, step = round(per_range * range); `spread` of them for one of many steps."""
    if number is None:
        r, weight = _rule(ranges, points)
        return Slices(r, per_range * r, weight)
    typical = per_range * float(ranges[ranges.size // 2])
    if is_fine(number, typical):
        r, weight = _rule(ranges, points)
        step = np.minimum(per_range * r, number.largest)
        offset, share = rounding_spread(number, step, rounding, spread)
        offset = np.where(step < number.largest, offset, 0.0)
        r = r + offset / per_range
        weight, step = np.broadcast_to(weight * share, r.shape), np.broadcast_to(step, r.shape)
        keep = r > 0
        return Slices(r[keep], step[keep], weight[keep])
    edges, values = number.steps(0.0, min(per_range * ranges[-1], number.largest), rounding)  # type: ignore[arg-type]
    least = max(ranges[0], _TINY * ranges[ranges.size // 2])
    inner = edges[(edges > per_range * least) & (edges < per_range * ranges[-1])] / per_range
    cuts = np.unique(np.concatenate([ranges, inner]))
    panel = np.searchsorted(ranges, cuts[:-1], side="right") - 1
    share = np.diff(cuts) / np.diff(ranges)[panel]
    parts = [_rule(cuts, fewer, chosen) for fewer, chosen in _by_share(share, points)]
    r, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    index = np.searchsorted(edges, per_range * r) - 1
    return Slices(r, np.where(index < 0, 0.0, values[np.clip(index, 0, values.size - 1)]), weight)


def _rule(
    knots: FloatArray, points: int, chosen: NDArray[np.bool] | slice = slice(None)
) -> tuple[FloatArray, FloatArray]:
    nodes, weights = legendre_rule(points)
    start, width = knots[:-1][chosen], np.diff(knots)[chosen]
    return (start + nodes * width).T.ravel(), (weights * width).T.ravel()


def nodes_between(
    extremes: Extremes,
    cuts: Slices,
    extra: FloatArray,
    strips: FloatArray,
    *,
    centre: float = 0.0,
    points: int = _POINTS,
) -> Nodes:
    """Nodes of the minimum in every slice.

    Parameters
    ----------
    extra : ndarray
        Values of the minimum or the maximum at which the integrand is not smooth (the law's breakpoints).
    strips : ndarray
        The same in units of the stored step, counted from `centre`.
    points : int
        Of the rule on a whole panel.
    """
    r, ones = cuts.range[:, None], np.ones((cuts.range.size, 1))
    steps = cuts.step[:, None] * strips + centre
    low = np.maximum(extremes.least[0], extremes.greatest[0] - r)
    high = np.maximum(low, np.minimum(extremes.least[-1], extremes.greatest[-1] - r))
    base = [extremes.least * ones, extremes.greatest - r, extra * ones, extra - r, low, high]
    panels = np.sort(np.clip(np.concatenate(base, axis=1), low, high), axis=1)
    edges = np.clip(np.concatenate([panels, steps, steps - r], axis=1), low, high)
    order = np.argsort(edges, axis=1, kind="stable")
    panel = np.cumsum(order < panels.shape[1], axis=1)[:, :-1] - 1
    edges = np.take_along_axis(edges, order, axis=1)
    width = np.diff(edges, axis=1)
    row, column = np.nonzero(width > _NARROW * r)
    width, start, panel = width[row, column], edges[row, column], panel[row, column]
    share = width / (panels[row, panel + 1] - panels[row, panel])
    parts = [
        _nodes(row[chosen], start[chosen], width[chosen], cuts.weight, fewer)
        for fewer, chosen in _by_share(share, points)
    ]
    return Nodes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _by_share(share: FloatArray, points: int) -> list[tuple[int, NDArray[np.bool]]]:
    """Return the points that parts of panels need: n of them on a share h of a panel err by h^(2n)."""
    few, some = share <= 1 / 16, (share > 1 / 16) & (share <= 1 / 3)
    return [(3, few), (min(5, points), some), (points, share > 1 / 3)]


def _nodes(row: IntArray, start: FloatArray, width: FloatArray, weight: FloatArray, points: int) -> Nodes:
    nodes, weights = legendre_rule(points)
    return Nodes(
        np.tile(row, points), (start + nodes * width).ravel(), (weights * width * weight[row]).ravel()
    )
