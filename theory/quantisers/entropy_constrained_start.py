"""Where the thresholds of an entropy-constrained design begin.

With a price `mu` on every level beside the price `slope` on every bit, the best cell width w at a point of
density f satisfies f w (w^2 - s^2) = 6 mu with s^2 = 6 slope / ln 2: equal steps s where the law is dense,
w ~ (6 mu / f)^(1/3), the cube-root rule of a fixed number of levels, far out.

Where an error weighs r the price of a bit buys less: s^2 = 6 slope / (r ln 2), and the density of the measure of
errors, r f, takes the place of f.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from ._weights import one_measure
from .entropy_constrained_newton import Fold
from .point_density import tail_offset

__all__ = ["start_thresholds"]

# Quantiles in either tail of the mesh; laws whose errors are weighted end, and answer slowly.
_TAIL = 1200


def start_thresholds(
    source: Source, slope: float, fold: Fold, *, price: float, most: int, phase: float = 0.5
) -> tuple[FloatArray, float]:
    """First thresholds for a slope, and the price per level (over the step squared) that they came to.

    `phase` shifts the grid of a law that is not solved by halves, in cells.
    """
    step = float(np.sqrt(6 * slope / np.log(2)))
    mesh, density, root = (_mesh if one_measure(source) else _kept_mesh)(source, fold != "full")
    if np.isinf(source.support[1]):  # a law narrower than the step still gets a threshold
        beyond = mesh[-1] + step * np.array([0.5, 1.0])
        mesh, density = np.append(mesh, beyond), np.append(density, source.pdf(beyond))
        root = np.append(root, [root[-1], root[-1]])
    most_here = most if fold == "full" else most // 2
    while True:
        count = _level_count(mesh, density, step, price, root)
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


def _mesh(source: Source, half: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points that resolve the law, its density there and the root of what errors weigh.

    Equally spaced in the bulk, geometric in probability in the tails.
    """
    tails = np.geomspace(1e-300, 1e-2, _TAIL if one_measure(source) else _TAIL // 10)
    upper = source.isf(tails[::-1])
    lower = -upper[::-1] if half else source.ppf(tails)
    start = 0.0 if half else lower[-1]
    bulk = np.linspace(start, upper[0], 2000)
    points = np.concatenate([bulk, upper] if half else [lower, bulk, upper])
    points = np.unique(points[np.isfinite(points)])
    if half:
        points = points[points >= 0]
    density = source.pdf(points)
    if one_measure(source):
        return points, density, np.ones(len(points))
    weighted = source.distortion_density(points)
    live = (density > 0) & (weighted > 0)
    return points, density, np.sqrt(np.divide(weighted, density, out=np.ones(len(points)), where=live))


# Laws whose errors are weighted answer quantiles slowly.
_kept_mesh = lru_cache(maxsize=32)(_mesh)


def _level_count(
    mesh: FloatArray, density: FloatArray, step: float, price: float, root: FloatArray
) -> FloatArray:
    """Number of cells from the first mesh point to each: the integral of 1 / width."""
    with np.errstate(divide="ignore", over="ignore"):
        r = 6 * price * root / (density * step)
    v = 1 + np.cbrt(r)  # width over step: v^3 - v = r, Newton from above
    with np.errstate(invalid="ignore"):
        for _ in range(40):
            v = v - (v**3 - v - r) / (3 * v**2 - 1)
    inverse = np.where(np.isfinite(v), 1 / np.maximum(v, 1.0), 0.0) * root / step
    pieces = (inverse[1:] + inverse[:-1]) / 2 * np.diff(mesh)
    return np.concatenate([[0.0], np.cumsum(pieces)])


def _strictly_ascending(x: FloatArray) -> FloatArray:
    return x[np.concatenate([[True], np.diff(x) > 0])] if len(x) else x
