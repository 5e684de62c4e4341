"""The scale at which a codebook serves a source best.

With nearest-neighbour encoding the thresholds move with the scale and drop out of the derivative,

    D'(s) = -2 sum_i q_i integral over cell i of (x - s q_i) f(x) dx,

so the best scale of a law with a density is a root of a function that is integrated exactly.  The catch is
that D can have several minima, where one codepoint or another takes over the bulk: the scales are scanned
first, from where the largest codepoint lies deep inside the bulk to where the smallest lies far out in the
tail, and all minima near the best are refined.

On data D is a parabola between scales at which a sample changes its cell.  While these are few enough all of
them are visited, which finds the best scale of all; on more data the scan is refined by alternating between
best cells for the scale and best scale for the cells.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from .._typing import FloatArray
from ..sources import Empirical, Source
from ._weights import mean_of, one_measure, scales_at_atoms, spread_of
from .scalar import midpoints

__all__ = ["best_scale", "cell_edges"]

# Scales tried, per octave, before the minima are refined.  Tuned: uniform codebooks have one minimum,
# floating-point formats a few that lie an octave apart; with 80 the answers are the same.
_SCAN_PER_OCTAVE = 8
# Local minima of the scan that come within this factor of the best are refined.
_WORTH_REFINING = 1.05
# Scales at which a codepoint meets an atom, the best of those tried, that are refined.
_REFINED_AT_ATOMS = 4
# Steps of the alternation between cells and scale on data; it ends by itself when no sample moves.
_MAX_ALTERNATIONS = 10_000
# Scales at which a sample changes its cell that are all visited: 60 bytes and a tenth of a microsecond each.
_MOST_VISITED = 4_000_000


def best_scale(source: Source, points: FloatArray) -> float:
    """Positive factor of least mean squared error for distinct, ascending codepoints; ValueError if none helps."""
    if isinstance(source, Empirical):
        values, weights = source.atoms()
        if values.size * (len(points) - 1) <= _MOST_VISITED:
            return _settled(source, points, _checked(_visited(values, weights, points)))
    scales = _scanned_scales(source, points)
    costs = np.array([_distortion(source, points * scale) for scale in scales])
    inner = costs[1:-1]
    lowest = (inner < costs[:-2]) & (inner <= costs[2:]) & (inner <= _WORTH_REFINING * costs.min())
    found = [
        _settled(source, points, scales[k + 1])
        if isinstance(source, Empirical)
        else _stationary(source, points, *scales[k : k + 3])
        for k in np.flatnonzero(lowest)
    ]
    if not (source.discrete or one_measure(source)):
        met = scales_at_atoms(source, points, float(scales[int(np.argmin(costs))]))
        met.sort(key=lambda scale: _distortion(source, points * scale[1]))
        found += [_stationary(source, points, *scale) for scale in met[:_REFINED_AT_ATOMS]]
    return _checked(min(found, key=lambda scale: _distortion(source, points * scale), default=0.0))


def cell_edges(points: FloatArray) -> FloatArray:
    """Borders of the cells of ascending codepoints, infinite ends included."""
    return np.concatenate([[-np.inf], midpoints(points), [np.inf]])


def _checked(scale: float) -> float:
    if scale > 0:
        return scale
    raise ValueError("codepoints: no positive scale suits the source (are all signs the wrong way round?)")


def _distortion(source: Source, points: FloatArray) -> float:
    edges = cell_edges(points)
    return float(source.partial_moments(edges[:-1], edges[1:], points)[2].sum())


def _derivative(source: Source, points: FloatArray, scale: float) -> float:
    """Minus half the derivative of the distortion with respect to the scale."""
    edges = cell_edges(points * scale)
    return float(np.sum(points * source.partial_moments(edges[:-1], edges[1:], points * scale)[1]))


def _scanned_scales(source: Source, points: FloatArray) -> FloatArray:
    """Scales from the largest codepoint inside the bulk to the smallest in the far tail, ends included."""
    magnitudes = np.abs(points[points != 0])
    spread = math.hypot(spread_of(source), mean_of(source))
    low, high = spread / (8 * magnitudes.max()), 32 * spread / magnitudes.min()
    while _derivative(source, points, low) <= 0 and low > 1e-9 * spread / magnitudes.max():
        low /= 2
    return np.geomspace(low / 2, high, int(_SCAN_PER_OCTAVE * math.log2(2 * high / low)) + 2)


def _stationary(source: Source, points: FloatArray, low: float, middle: float, high: float) -> float:
    """Root of the derivative between scales around a minimum."""
    if not _derivative(source, points, low) > 0 > _derivative(source, points, high):
        if source.discrete or one_measure(source):
            return middle
        within = scipy.optimize.minimize_scalar(  # kinks, where an atom changes its cell
            lambda s: _distortion(source, points * s),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-12 * high},
        )
        return float(within.x)
    return float(
        scipy.optimize.brentq(lambda s: _derivative(source, points, s), low, high, xtol=1e-300, rtol=9e-16)
    )


def _settled(source: Source, points: FloatArray, scale: float) -> float:
    """Best scale for the cells, best cells for the scale, until the samples keep their cells."""
    for _ in range(_MAX_ALTERNATIONS):
        edges = cell_edges(points * scale)
        mass, first, _ = source.partial_moments(edges[:-1], edges[1:])
        new = float(np.sum(points * first) / np.sum(points * points * mass))
        if new == scale:
            break
        scale = new
    return scale


def _visited(values: FloatArray, weights: FloatArray, points: FloatArray) -> float:
    """Best scale of all on data, 0 where none is positive.

    Between two changes D(s) = E x^2 - 2 s a + s^2 b with a = E x q(x), b = E q(x)^2.  As s grows from 0 every
    value comes from the outermost codepoint of its sign and passes the thresholds of its sign inwards; zero
    keeps its cell.
    """
    thresholds = midpoints(points)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scales = values[:, None] / thresholds
    row, column = np.nonzero((scales > 0) & np.isfinite(scales))
    order = np.argsort(scales[row, column], kind="stable")
    row, column = row[order], column[order]
    changes = scales[row, column]
    up = thresholds[column] < 0  # a negative value moves up, towards zero
    before, after = points[column + ~up], points[column + up]
    start = points[np.where(values > 0, -1, np.where(values < 0, 0, np.sum(thresholds < 0)))]
    a = np.cumsum(np.append(weights @ (values * start), weights[row] * values[row] * (after - before)))
    b = np.cumsum(np.append(weights @ start**2, weights[row] * (after**2 - before**2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.clip(a / b, np.append(0.0, changes), np.append(changes, np.inf))
    gain = np.where(b > 0, inside * (2 * a - inside * b), 0.0)
    best = int(np.argmax(gain))
    return float(inside[best]) if gain[best] > 0 else 0.0
