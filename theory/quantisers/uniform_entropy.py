"""The entropy-constrained quantiser of the uniform law, in closed form.

Gyorgy and Linder (2000) proved that N = ceil(2^R) cells are best at R bits: N - 1 of one width and one that
is not wider.  The general method cannot find these: between log2 of two integers no single quantiser lies on
the lower hull of the operating points.
"""

from __future__ import annotations

import numpy as np
import scipy

from .._typing import FloatArray
from ..sources import Uniform
from .scalar import Design, ScalarQuantiser

__all__ = ["uniform_entropy_constrained"]


def uniform_entropy_constrained(source: Uniform, rate: float | None, slope: float | None) -> ScalarQuantiser:
    """Optimal quantiser of a uniform law at an entropy, or at a slope (then on the lower hull)."""
    width = 2 * source.support[1]
    if slope is not None:
        cells = _cells_of_slope(width, slope)
        return _build(source, np.full(cells, width / cells), slope)
    assert rate is not None
    cells = max(2, int(np.ceil(2.0**rate * (1 - 1e-15))))
    wide = _wide_probability(cells, rate)
    narrow = 1 - (cells - 1) * wide
    widths = width * np.full(cells, wide)
    widths[cells // 2 if cells % 2 else -1] = width * narrow
    return _build(source, widths, _slope(width, wide, narrow))


def _entropy(cells: int, wide: float) -> float:
    narrow = 1 - (cells - 1) * wide
    tail = -narrow * np.log2(narrow) if narrow > 0 else 0.0
    return float(-(cells - 1) * wide * np.log2(wide) + tail)


def _wide_probability(cells: int, rate: float) -> float:
    low, high = 1 / cells, 1 / (cells - 1)
    if _entropy(cells, low) <= rate:
        return low
    return float(
        scipy.optimize.brentq(lambda p: _entropy(cells, p) - rate, low, high, xtol=1e-17, rtol=9e-16)
    )


def _slope(width: float, wide: float, narrow: float) -> float:
    """-dD/dH along the family; its limit where the widths meet."""
    if wide - narrow < 1e-9 * wide:
        return float(width**2 * wide**2 * np.log(2) / 6)
    return float(width**2 / 4 * (wide**2 - narrow**2) / np.log2(wide / narrow))


def _cells_of_slope(width: float, slope: float) -> int:
    """Number of equal cells that minimises width^2 / (12 N^2) + slope * log2 N."""
    guess = width * np.sqrt(np.log(2) / (6 * slope))
    around = np.unique(np.clip(np.floor(guess) + np.arange(-1, 3), 1, None))
    costs = width**2 / (12 * around**2) + slope * np.log2(around)
    return int(around[np.argmin(costs)])


def _build(source: Uniform, widths: FloatArray, slope: float) -> ScalarQuantiser:
    edges = source.support[0] + np.concatenate([[0.0], np.cumsum(widths)])
    if np.array_equal(widths, widths[::-1]):
        edges = (edges - edges[::-1]) / 2
    design = Design(
        method="entropy_constrained",
        status="closed form",
        certificate="Gyorgy and Linder (2000)",
        slope=slope,
    )
    return ScalarQuantiser((edges[:-1] + edges[1:]) / 2, edges[1:-1], design=design)
