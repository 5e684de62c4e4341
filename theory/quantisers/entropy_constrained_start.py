"""Where the thresholds of an entropy-constrained design begin.

With a price `mu` on every level beside the price `slope` on every bit, the best cell width w at a point of
density f satisfies f w (w^2 - s^2) = 6 mu with s^2 = 6 slope / ln 2: equal steps s where the law is dense,
w ~ (6 mu / f)^(1/3), the cube-root rule of a fixed number of levels, far out.
"""

from __future__ import annotations

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from .entropy_constrained_newton import Fold
from .point_density import tail_offset

__all__ = ["start_thresholds"]


def start_thresholds(
    source: Source, slope: float, fold: Fold, *, price: float, most: int, phase: float = 0.5
) -> tuple[FloatArray, float]:
    """First thresholds for a slope, and the price per level (over the step squared) that they came to.

    `phase` shifts the grid of a law that is not solved by halves, in cells.
    """
    step = float(np.sqrt(6 * slope / np.log(2)))
    mesh = _mesh(source, fold != "full", step)
    density = source.pdf(mesh)
    most_here = most if fold == "full" else most // 2
    while True:
        count = _level_count(mesh, density, step, price)
        if count[-1] <= most_here:
            break
        price *= 2
    first = {"full": phase, "odd": 0.5, "even": 1.0}[fold]
    end = (
        tail_offset(source) + 1
    )  # cells beyond the last threshold: one, and what the density promises in vain
    wanted = np.arange(max(first, end) if fold == "full" else first, count[-1] - end, 1.0)
    if not len(wanted):
        wanted = np.array([min(first, count[-1] / 2)])
    return _strictly_ascending(np.interp(wanted, count, mesh)), price


def _mesh(source: Source, half: bool, step: float) -> FloatArray:
    """Points that resolve the law: equally spaced in the bulk, geometric in probability in the tails."""
    tails = np.geomspace(1e-300, 1e-2, 1200)
    upper = source.isf(tails[::-1])
    lower = -upper[::-1] if half else source.ppf(tails)
    start = 0.0 if half else lower[-1]
    bulk = np.linspace(start, upper[0], 2000)
    points = np.concatenate([bulk, upper] if half else [lower, bulk, upper])
    points = np.unique(points[np.isfinite(points)])
    if half:
        points = points[points >= 0]
    reach = points[-1] + step * np.array([0.5, 1.0])  # a law narrower than the step still gets a threshold
    return np.concatenate([points, reach]) if np.isinf(source.support[1]) else points


def _level_count(mesh: FloatArray, density: FloatArray, step: float, price: float) -> FloatArray:
    """Number of cells from the first mesh point to each: the integral of 1 / width."""
    with np.errstate(divide="ignore", over="ignore"):
        r = 6 * price / (density * step)
    v = 1 + np.cbrt(r)  # width over step: v^3 - v = r, Newton from above
    with np.errstate(invalid="ignore"):
        for _ in range(40):
            v = v - (v**3 - v - r) / (3 * v**2 - 1)
    inverse = np.where(np.isfinite(v), 1 / np.maximum(v, 1.0), 0.0) / step
    pieces = (inverse[1:] + inverse[:-1]) / 2 * np.diff(mesh)
    return np.concatenate([[0.0], np.cumsum(pieces)])


def _strictly_ascending(x: FloatArray) -> FloatArray:
    return x[np.concatenate([[True], np.diff(x) > 0])] if len(x) else x
