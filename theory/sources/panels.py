"""Panels for laws that are known by their density alone.

The line is cut into panels so short that a 24-point Gauss-Legendre rule and the same rule on the two parts of
the panel agree, for mass, first and second moment, each relative to the panel's own.  A panel that passes is
replaced by its parts, whose error is smaller by many digits where the density is analytic.  So cells may lie
anywhere and be as narrow as they like: each is integrated directly about the asked point, panel by panel.

The catch is what adaptive rules cannot see: a spike that falls between all nodes.  The first cuts are
therefore quantiles, and the panels must hold the whole mass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .._typing import FloatArray
from .base import Source
from .quadrature import Density, integrate, legendre_rule

__all__ = ["entropy_over", "landmarks", "moments_over", "panel_edges", "tail_power"]

_LEVELS = np.array([1e-15, 1e-9, 1e-5, 1e-3, 0.02, 0.1, 0.25, 0.5])
# Agreement of a panel with its parts: those of an analytic panel are then exact to rounding.
_AGREEMENT = 1e-12
# Below this a disagreement that a cut did not reduce is the density's own noise (scipy's have up to 1e-11),
# and cutting on would never end.  At a kink it halves with the panel, at a jump or a pole it is larger.
_NOISE = 1e-9
_ENTROPY_ERROR = 1e-15  # nats, of one panel; the parts that replace it are better by many digits
_ROUNDS = 400  # of cutting: a pole at 0 could be approached by 8^-332 before doubles end
_MOST_PANELS = 50_000  # a density that needs more is not piecewise smooth
_FAR = 1e150  # squares of larger coordinates overflow
_LEAST_MASS = 1e-30  # of a panel at an end of the support: a pole is not followed further
_LEAST_DENSITY = 1e-290  # of a panel worth cutting: denormal numbers have lost digits
_MASS_ERROR = 1e-8  # of the panels' total mass: more means that they have missed some


def landmarks(law: Source) -> FloatArray:
    """Finite quantiles and breakpoints of a law, ascending: where its mass is."""
    with np.errstate(all="ignore"):
        points = np.concatenate([law.ppf(_LEVELS), law.isf(_LEVELS), law.breakpoints])
    return np.unique(points[np.isfinite(points)])


def panel_edges(density: Density, support: tuple[float, float], marks: Iterable[float]) -> FloatArray:
    """Ascending edges of the panels of a density, over its support or as far as doubles go.

    Raises
    ------
    ValueError
        If the density is not piecewise smooth, or the panels do not hold a mass of one.
    """
    low, high = support
    ends = [end for end in support if np.isfinite(end)]
    inner = np.clip([*marks, *ends], low, high)
    with np.errstate(all="ignore"):
        edges = np.unique(np.concatenate([_outer(density, inner, support), inner, _graded(inner, ends)]))
        edges = _refine(density, edges, support)
        mass = moments_over(density, edges, edges[:1], edges[-1:], np.zeros(1))[0, 0]
    if not abs(mass - 1.0) < _MASS_ERROR:
        raise ValueError(f"the density must integrate to one, got {mass:.9g} over ({low}, {high})")
    return edges


def _outer(density: Density, inner: FloatArray, support: tuple[float, float]) -> FloatArray:
    """Return edges at doubling distances from the bulk, until the density is zero."""
    span = float(np.ptp(inner)) or 1.0
    steps = span * 2.0 ** np.arange(0.0, 1000.0)
    steps = steps[steps < _FAR]
    out = []
    for end, start, sign in ((support[0], inner.min(), -1.0), (support[1], inner.max(), 1.0)):
        if np.isinf(end):
            points = start + sign * steps
            alive = np.flatnonzero(density(points) > 0)
            out.append(points[: alive[-1] + 2 if alive.size else 1])
    return np.concatenate(out) if out else np.empty(0)


def _graded(inner: FloatArray, ends: list[float]) -> FloatArray:
    """Return edges that close in on finite ends, where a density may vanish or grow like a power."""
    middle = float(np.median(inner))
    return np.concatenate(
        [end + (middle - end) * 8.0 ** -np.arange(1.0, 11.0) for end in ends] or [np.empty(0)]
    )


def _refine(density: Density, edges: FloatArray, support: tuple[float, float]) -> FloatArray:
    """Cut panels until they agree with their parts; every cut is an edge, also the last one."""
    start, stop, found = edges[:-1], edges[1:], [edges]
    before = np.full(start.size, np.inf)
    for _ in range(_ROUNDS):
        if not start.size:
            break
        if sum(part.size for part in found) > _MOST_PANELS:
            raise ValueError(f"the density must be piecewise smooth; {_MOST_PANELS} panels do not resolve it")
        # Towards an end of the support a pole may be waiting: close in faster than by halves.
        share = np.where(start == support[0], 0.125, np.where(stop == support[1], 0.875, 0.5))
        cut = start + share * (stop - start)
        found.append(cut)
        gap, mass = _disagreement(density, start, cut, stop)
        # Nodes are rounded like all doubles, and a density that varies over the panel feels it.
        grain = np.spacing(np.maximum(np.abs(start), np.abs(stop))) / (stop - start)
        rough = (gap > np.maximum(_AGREEMENT, 64.0 * grain)) & ((gap > _NOISE) | (gap < before / 1.5))
        rough &= mass > np.maximum(_LEAST_DENSITY * (stop - start), np.where(share == 0.5, 0.0, _LEAST_MASS))
        start, cut, stop, before = start[rough], cut[rough], stop[rough], gap[rough]
        start, stop, before = np.append(start, cut), np.append(cut, stop), np.tile(before, 2)
    return np.unique(np.concatenate(found))


def _disagreement(
    density: Density, start: FloatArray, cut: FloatArray, stop: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Largest relative difference of a panel's moments from the sum of its parts', and its mass."""
    lower, upper = np.concatenate([start, start, cut]), np.concatenate([stop, cut, stop])
    width = upper - lower
    parts = integrate(density, lower, width, np.tile(start, 3), width)
    whole, left, right = np.split(np.nan_to_num(parts, posinf=0.0), 3, axis=1)
    total = left + right
    gap = np.abs(whole - total) / np.where(total > 0.0, total, 1.0)
    return np.asarray(gap.max(axis=0)), total[0]


def moments_over(
    density: Density, edges: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray
) -> FloatArray:
    """Moments 0, 1 and 2 of the cells (a, b) about c, shape (3, n)."""
    if not a.size:
        return np.zeros((3, 0))
    # np.clip and np.nan_to_num take longer than all else here: designs ask for few cells, thousands of times.
    a, b = (np.minimum(np.maximum(end, edges[0]), edges[-1]) for end in (a, b))
    first = np.minimum(np.searchsorted(edges, a, side="right") - 1, edges.size - 2)
    last = np.minimum(np.maximum(np.searchsorted(edges, b, side="left") - 1, first), edges.size - 2)
    count = last - first + 1
    begin = np.cumsum(count) - count
    cell = np.repeat(np.arange(a.size), count)
    panel = first[cell] + np.arange(cell.size) - begin[cell]
    start, stop = np.maximum(a[cell], edges[panel]), np.minimum(b[cell], edges[panel + 1])
    with np.errstate(all="ignore"):
        parts = integrate(density, start, stop - start, c[cell], edges[panel + 1] - edges[panel])
    if not np.isfinite(parts).all():
        parts = np.nan_to_num(parts, posinf=0.0)
    return np.asarray(np.add.reduceat(parts, begin, axis=1))


def entropy_over(law: Source, edges: FloatArray) -> float:
    """Differential entropy in bits of a law over its panels, cut further where f log f needs it."""
    start, stop, nats = edges[:-1], edges[1:], 0.0
    before = np.full(start.size, np.inf)
    for _ in range(_ROUNDS):
        middle = start + (stop - start) / 2
        parts = _information(law, start, middle) + _information(law, middle, stop)
        gap = np.abs(_information(law, start, stop) - parts)
        rough = (gap > _ENTROPY_ERROR) & ((gap > _NOISE) | (gap < before / 1.5))
        nats += float(parts[~rough].sum())
        if not rough.any():
            break
        start, stop = np.append(start[rough], middle[rough]), np.append(middle[rough], stop[rough])
        before = np.tile(gap[rough], 2)
    return nats / math.log(2.0)


def _information(law: Source, start: FloatArray, stop: FloatArray) -> FloatArray:
    """Integral of -f log f over panels."""
    nodes, weights = legendre_rule(24)
    width = stop - start
    with np.errstate(all="ignore"):
        log_density = law.logpdf(start + nodes * width)
        density = np.exp(log_density)
        terms = np.where((density > 0.0) & np.isfinite(density), -density * log_density, 0.0)
        return np.asarray((terms * (weights * width)).sum(axis=0))


def tail_power(density: Density, edges: FloatArray, support: tuple[float, float]) -> float:
    """Return the power p with which the heavier infinite tail falls, as |x|^-p, where doubles end."""
    height = np.nan_to_num(density(edges), posinf=np.inf)
    alive, centre = edges[height > _LEAST_DENSITY], edges[np.argmax(height)]
    powers = [math.inf]
    for limit, end in ((support[0], alive[0]), (support[1], alive[-1])):
        if math.isinf(limit):
            pair = density(np.array([centre / 2 + end / 2, end]))
            powers.append(math.log2(pair[0] / pair[1]))
    return min(powers)
