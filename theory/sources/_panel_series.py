"""Functions given as Chebyshev series on panels, the intervals between ascending edges."""

from __future__ import annotations

import math

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray

__all__ = ["DEGREE", "add_series", "find_panel", "local_coordinate", "panel_points", "series_values"]

_FAR_APART = 1.5  # ratio of the ends of a panel above which its coordinate is logarithmic: powers are lines
DEGREE = 16  # coefficients on a panel, and nodes of its rules


@kernel
def add_series(coefficients: FloatArray, x: FloatArray, work: FloatArray, out: FloatArray) -> None:
    """Add the Chebyshev series at the points x in (-1, 1) to `out` (Clenshaw)."""
    count = x.size
    for j in range(count):
        work[0, j] = 0.0
        work[1, j] = 0.0
    for i in range(coefficients.size - 1, 0, -1):
        c = coefficients[i]
        for j in range(count):
            now = 2.0 * x[j] * work[0, j] - work[1, j] + c
            work[1, j] = work[0, j]
            work[0, j] = now
    for j in range(count):
        out[j] += x[j] * work[0, j] - work[1, j] + coefficients[0]


@kernel
def find_panel(edges: FloatArray, x: float) -> int:
    """Panel whose half-open interval [edge, next edge) holds x, clipped to the first and last."""
    low = 0
    high = edges.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= x:
            low = middle
        else:
            high = middle
    return low


@kernel
def local_coordinate(r: FloatArray, low: float, high: float, out: FloatArray) -> None:
    """Coordinate in (-1, 1) of points on a panel: logarithmic on a panel whose ends are far apart in ratio."""
    if low > 0.0 and high > _FAR_APART * low:
        scale = 2.0 / math.log(high / low)
        for k in range(r.size):
            out[k] = scale * math.log(r[k] / low) - 1.0
    else:
        for k in range(r.size):
            out[k] = 2.0 * (r[k] - low) / (high - low) - 1.0


@kernel
def panel_points(edges: FloatArray, x: FloatArray) -> FloatArray:
    """Points of every panel that have the coordinates x there, shape (x, panels)."""
    out = np.empty((x.size, edges.size - 1))
    for p in range(edges.size - 1):
        low, high = edges[p], edges[p + 1]
        for k in range(x.size):
            if low > 0.0 and high > _FAR_APART * low:
                out[k, p] = low * math.exp(0.5 * (1.0 + x[k]) * math.log(high / low))
            else:
                out[k, p] = low + 0.5 * (1.0 + x[k]) * (high - low)
    return out


@kernel
def series_values(edges: FloatArray, coefficients: FloatArray, x: FloatArray) -> FloatArray:
    """Value of the piecewise series at every x; points outside take the nearest end."""
    out = np.zeros(x.size)
    work = np.empty((2, 1))
    point = np.empty(1)
    for i in range(x.size):
        p = find_panel(edges, x[i])
        local_coordinate(x[i : i + 1], edges[p], edges[p + 1], point)
        point[0] = min(max(point[0], -1.0), 1.0)
        add_series(coefficients[p], point, work, out[i : i + 1])
    return out
