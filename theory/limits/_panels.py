"""Intervals on which a density is as good as a polynomial, found by bisection.

Every integral of this package runs over them, and their lengths tell how smooth the law is where: short
panels gather around a cusp or a jump and grow in proportion to the distance from it.  Nothing has to be known
of the law; points that it declares not to be analytic only save bisections.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ..sources import Source

__all__ = ["DEGREE", "FIT", "INTEGRAL", "NODES", "Panels", "density_panels", "law_ends"]

DEGREE = 16
NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
FIT = np.linalg.inv(np.polynomial.chebyshev.chebvander(NODES, DEGREE)).T
INTEGRAL = np.array([0.0 if k % 2 else 2.0 / (1 - k * k) for k in range(DEGREE + 1)])

_TAIL = 1e-17  # mass left out at each end: it moves no rate by more than 1e-14 bit; tuned to rounding
_LAST_TERMS = 1e-9  # last Chebyshev terms over the largest value; Gauss rules then err by about its square
_EMPTY = 1e-15  # a panel of less mass is not looked into any further; tuned to rounding
_MASS_ERROR = 1e-12  # disagreement with the law's own probability that makes a panel suspicious
_LOST_MASS = 1e-9  # mass of one panel that its density may miss; an error of that size in a rate is let pass
_DEPTH = 200  # bisections of one panel; a double runs out of digits before
_EDGES = (1e-9, 1e-4, 0.0137, 0.3781)  # levels of the first edges: no round number, so that none hits a cusp


@dataclass(frozen=True)
class Panels:
    """Consecutive intervals, and the points where the density is not analytic.

    Attributes
    ----------
    lower, upper : ndarray of float64, shape (n,)
        Ends of the panels, ascending; `upper[i] == lower[i + 1]`.
    rough : ndarray of float64, shape (m,)
        Declared points of non-analyticity, and ends of the support.
    """

    lower: FloatArray
    upper: FloatArray
    rough: FloatArray


@lru_cache(maxsize=64)
def density_panels(source: Source) -> Panels:
    """Panels that cover all of a law but 1e-17 of its mass at each end."""
    start, stop = law_ends(source)
    inner = [p for p in source.breakpoints if start < p < stop]
    levels = np.array(_EDGES)
    first = np.concatenate([source.ppf(levels), source.isf(0.73 * levels), inner])
    edges = np.unique(np.concatenate([[start, stop], first[(first > start) & (first < stop)]]))
    lower, upper = _bisect(source, edges[:-1], edges[1:])
    _check_mass(source, lower, upper)
    ends = [end for end in source.support if np.isfinite(end) and start <= end <= stop]
    return Panels(lower, upper, np.array(sorted({*inner, *ends}), dtype=np.float64))


def law_ends(source: Source) -> tuple[float, float]:
    """Find the ends of the support, or of all but 1e-17 of the mass where that is much shorter."""
    start, stop = float(source.ppf(_TAIL)), float(source.isf(_TAIL))
    low, high = source.support
    near = 1e-3 * (stop - start)
    return (low if start - low < near else start), (high if high - stop < near else stop)


def _bisect(source: Source, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    done: list[tuple[FloatArray, FloatArray]] = []
    for _ in range(_DEPTH):
        keep = _is_resolved(source, lower, upper)
        done.append((lower[keep], upper[keep]))
        lower, upper = lower[~keep], upper[~keep]
        if not lower.size:
            break
        middle = lower + (upper - lower) / 2
        lower, upper = np.concatenate([lower, middle]), np.concatenate([middle, upper])
    starts, stops = (np.sort(np.concatenate(ends)) for ends in zip(*done, strict=True))
    return starts, stops


def _check_mass(source: Source, lower: FloatArray, upper: FloatArray) -> None:
    """Raise where the density does not hold the mass: at atoms, or at a pole that doubles do not resolve."""
    half = (upper - lower) / 2
    points = (lower + half)[:, None] + half[:, None] * NODES
    with np.errstate(all="ignore"):
        masses = half * (np.nan_to_num(source.pdf(points), nan=0.0, posinf=0.0) @ FIT @ INTEGRAL)
    missing = source.probability(lower, upper) - masses
    worst = int(np.argmax(np.abs(missing)))
    if abs(missing[worst]) > _LOST_MASS:
        raise ValueError(
            f"source must have a density that holds all its mass; {missing[worst]:.3g} is missing near "
            f"x = {lower[worst]:.6g}, where there is an atom or a pole"
        )


def _is_resolved(source: Source, lower: FloatArray, upper: FloatArray) -> NDArray[np.bool_]:
    half = (upper - lower) / 2
    points = (lower + half)[:, None] + half[:, None] * NODES
    with np.errstate(all="ignore"):
        density = np.nan_to_num(source.pdf(points), nan=0.0, posinf=0.0)
    largest = np.max(density, axis=1)
    series = density @ FIT
    information = (density * np.log(np.maximum(density, 1e-300) / np.maximum(largest, 1e-300)[:, None])) @ FIT
    tail = np.maximum(np.abs(series[:, -3:]).max(axis=1), np.abs(information[:, -3:]).max(axis=1))
    error = np.abs(half * (series @ INTEGRAL) - source.probability(lower, upper))
    smooth = (tail <= _LAST_TERMS * largest) & (error <= _MASS_ERROR)
    spent = (points[:, -1] <= lower) | (points[:, 0] >= upper)
    return np.asarray(smooth | (2 * half * largest < _EMPTY) | spent)
