"""Weighted k-means on the line: Lloyd's iteration where a step costs the levels, not the data.

A step asks for the moments of every cell, which the sorted data answer in logarithmic time each
(`Empirical.partial_moments`), so that data are read only once, when they are sorted.  The iteration ends at
an exact fixed point after finitely many steps, when no sample changes its cell.

The catch is that data have very many such fixed points, and for hundreds of levels the one next to a start
that ignores this, even the cube-root rule, is 1 to 10% above the best.  So the start is itself an optimum:
the data are gathered in some dozen bins per level, placed by the cube-root rule, and cut optimally between
them by dynamic programming, in a few milliseconds.  What comes out is within about 0.02% of the best; data
with no more distinct values than bins are cut exactly.  `exact=True` makes every distinct value a bin.
"""

from __future__ import annotations

import numpy as np

from .._arguments import check_levels
from .._typing import FloatArray
from ..sources.empirical import Empirical
from ._centroids import CellState, cells_of
from ._partition import optimal_codepoints
from .globally_optimal import check_enough, globally_optimal
from .scalar import Design, ScalarQuantiser

__all__ = ["kmeans"]

# Bins per level, and at least, of the start.  Tuned on Gaussian, Laplace and Student-t(3) samples: 4, 8, 16
# and 32 bins end 4e-3, 8e-4, 2e-4 and 4e-5 above the optimum, at a cost in proportion.
_BINS_PER_LEVEL, _FEWEST_BINS = 16, 2048
# Shares of the samples between which the density is taken as constant, for each level, and the factor between
# the shares near the ends, where heavy tails need codepoints though they hold few samples.  Both may be
# anything from half to four times as much.
_SHARES, _TAIL_FACTOR = 2, 1.2


def kmeans(
    source: Empirical,
    levels: int,
    *,
    start: FloatArray | None = None,
    exact: bool = False,
    tolerance: float = 1e-12,
    max_iterations: int = 10_000,
) -> ScalarQuantiser:
    """Codepoints that minimise the weighted mean squared error of data.

    The sum over samples of w (x - q)^2, q the nearest codepoint.

    Parameters
    ----------
    source : Empirical
        The data.
    levels : int, 2 to 65,536
        Number of codepoints, at most the number of distinct values.
    start : ndarray of float64, shape (levels,), optional
        First guess, strictly ascending; default the best codepoints of the data in bins.  Without effect if
        exact.
    exact : bool
        Find the global optimum by dynamic programming (`globally_optimal`): 80 bytes of memory and about
        2 microseconds a distinct value.
    tolerance : float, >= 0
        Stop when no codepoint is further from the centroid of its cell than this, relative to the rms
        error of that cell.
        At 0 the iteration goes on until no sample changes its cell.
    max_iterations : int, >= 1
        Most steps to take; the design's status says when they did not suffice.

    Returns
    -------
    ScalarQuantiser
        Thresholds are midpoints.  `.design` holds status ("converged" or "iteration limit"), iterations,
        `residual` (largest distance of a codepoint from its centroid over the rms error of its cell) and
        certificate ("dynamic programming" if exact, else "none").

    Raises
    ------
    TypeError
        If the source is not Empirical or the levels are not an integer.
    ValueError
        If the data have fewer distinct values than levels, or an option is out of range.

    References
    ----------
    Lloyd, IEEE Trans. IT-28 (1982), method I; MacQueen (1967).

    Examples
    --------
    >>> from bitlaw.theory import Empirical
    >>> kmeans(Empirical([0.0, 1.0, 7.0, 8.0, 9.0]), 2).codepoints
    array([0.5, 8. ])
    """
    levels = check_levels(levels)
    if not isinstance(source, Empirical):
        raise TypeError(f"source must be Empirical, got {type(source).__name__}")
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance must be at least 0 and finite, got {tolerance}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
    check_enough(source, levels)
    if exact:
        return globally_optimal(source, levels).quantiser
    first, optimal = (start, False) if start is not None else _binned_start(source, levels)
    cells, iterations, settled = _iterate(source, first, tolerance, max_iterations)
    design = Design(
        method="lloyd_max",
        status="converged" if settled else "iteration limit",
        iterations=iterations,
        residual=cells.residual,
        certificate="dynamic programming" if optimal else "none",
    )
    return ScalarQuantiser(cells.codepoints, design=design)


def _binned_start(source: Empirical, levels: int) -> tuple[FloatArray, bool]:
    """Codepoints optimal for data gathered in bins; also whether each distinct value was a bin of its own."""
    bins = max(_BINS_PER_LEVEL * levels, _FEWEST_BINS)
    if source.distinct <= bins:
        return optimal_codepoints(*source.atoms(), levels).codepoints, True
    last = np.append(_cube_root_quantiles(source, bins), source.support[1])
    mass, first, _ = source.partial_moments(np.append(-np.inf, last[:-1]), last, about=last)
    filled = mass > 0
    centroids = last[filled] + first[filled] / mass[filled]
    if centroids.size < levels:  # nearly all distinct values crowd together in a few bins
        return optimal_codepoints(*source.atoms(), levels).codepoints, True
    return optimal_codepoints(centroids, mass[filled], levels).codepoints, False


def _cube_root_quantiles(source: Empirical, count: int) -> FloatArray:
    """Points 1 to count - 1 that cut the cube root of the density of the data into equal parts.

    Panter and Dite (1951); the density is taken as constant between sample quantiles.
    """
    shares = np.linspace(0, 1, min(_SHARES * count // _BINS_PER_LEVEL, source.distinct) + 1)
    tail = _TAIL_FACTOR ** -np.arange(np.log(source.values.size) / np.log(_TAIL_FACTOR) + 1)
    edges = np.unique(np.concatenate([source.ppf(shares), source.ppf(tail), source.isf(tail)]))
    part = np.cbrt(source.probability(edges[:-1], edges[1:]) * np.diff(edges) ** 2)
    reached = np.append(0.0, np.cumsum(part))
    return np.unique(np.interp(np.arange(1, count) * (reached[-1] / count), reached, edges))


def _iterate(
    source: Empirical, start: FloatArray, tolerance: float, max_iterations: int
) -> tuple[CellState, int, bool]:
    """Step to a fixed point; also return how many steps, and whether it was reached."""
    cells = cells_of(source, start)
    for iteration in range(max_iterations):
        if cells.filled and cells.residual <= tolerance:
            return cells, iteration, True
        new = cells_of(source, _refilled(cells))
        if cells.filled and np.array_equal(new.moments[0], cells.moments[0]):
            return new, iteration + 1, True
        cells = new
    return cells, max_iterations, False


def _refilled(cells: CellState) -> FloatArray:
    """Centroids; codepoints whose cells are empty split the cells of greatest error instead."""
    if cells.filled:
        return cells.centroids
    points = cells.centroids.copy()
    mass, first, second = cells.moments
    empty = np.flatnonzero(mass == 0)
    mass = np.where(mass > 0, mass, 1.0)
    error = second - first**2 / mass
    worst = np.argsort(-error)[: empty.size]
    half = np.sqrt(np.maximum(error[worst], 0.0) / mass[worst])
    points[empty] = points[worst] + half
    points[worst] -= half
    points.sort()
    return points
