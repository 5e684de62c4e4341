"""Moments by Gauss-Legendre panels, with rules that are correct to the last bit.

The usual tables in double precision (`numpy.polynomial.legendre.leggauss`) carry weights that are wrong by
1e-13 and nodes whose distance from the end is wrong by 1e-14, both relative.  An integrand that decays over
the panel lives on just these nodes, so the rules are polished here by Newton's method in decimal arithmetic,
once.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np

from .._typing import FloatArray

__all__ = ["Density", "integrate", "legendre_rule"]

Density = Callable[[FloatArray], FloatArray]

_DIGITS = 34  # twice the digits of a double: rounding to double at the end is then the only error
# Panels evaluated together.  Tuned: 24 x 512 doubles stay in a second-level cache; ten times as many cost a
# quarter more, ten times fewer double the overhead.
_BLOCK = 512
# Up to this many panels one 24-point rule for all costs less than sorting them by width.  Tuned.
_FEW = 64
# Widths, relative to what 24 points integrate to rounding, up to which 8 and 4 points do.  The error of n
# points falls as the 2n-th power of the width, so these follow from the 24; tenfold larger loses digits.
_EIGHT, _FOUR = 1 / 20, 1 / 800


@lru_cache
def legendre_rule(n: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of the n-point Gauss-Legendre rule on (0, 1), as columns of shape (n, 1)."""
    nodes, weights = np.empty((n, 1)), np.empty((n, 1))
    with localcontext() as context:
        context.prec = _DIGITS
        for i, start in enumerate(np.polynomial.legendre.leggauss(n)[0]):
            x = Decimal(float(start))
            for _ in range(2):  # from 16 digits to 32 and beyond
                value, slope = _legendre(n, x)
                x -= value / slope
            nodes[i], weights[i] = float((1 + x) / 2), float(1 / ((1 - x * x) * slope * slope))
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def _legendre(n: int, x: Decimal) -> tuple[Decimal, Decimal]:
    previous, value = Decimal(1), x
    for k in range(2, n + 1):
        previous, value = value, ((2 * k - 1) * x * value - (k - 1) * previous) / k
    return value, n * (previous - x * value) / (1 - x * x)


def integrate(
    density: Density, start: FloatArray, width: FloatArray, about: FloatArray, smooth: FloatArray
) -> FloatArray:
    """Moments 0, 1 and 2 about a point of panels no wider than `smooth`, where 24 points reach rounding.

    Every argument but the density has shape (n,), the result (3, n).  A panel's result does not depend on the
    panels beside it, to the last bit, as long as their number stays on one side of a few dozen.
    """
    if start.size <= _FEW:
        return _panel_moments(density, start, width, about, 24)
    out = np.empty((3, start.size))
    eight, four = width <= _EIGHT * smooth, width <= _FOUR * smooth
    for n, chosen in ((24, ~eight), (8, eight & ~four), (4, four)):
        index = chosen.nonzero()[0]
        for i in range(0, index.size, _BLOCK):
            block = index[i : i + _BLOCK]
            out[:, block] = _panel_moments(density, start[block], width[block], about[block], n)
    return out


def _panel_moments(
    density: Density, start: FloatArray, width: FloatArray, about: FloatArray, n: int
) -> FloatArray:
    if start.size == 1:  # numpy would sum a lone column pairwise
        return _panel_moments(density, start.repeat(2), width.repeat(2), about.repeat(2), n)[:, :1]
    nodes, weights = legendre_rule(n)
    offset = nodes * width
    term = density(start + offset) * weights
    offset += start - about
    out = np.empty((3, start.size))
    for k in range(3):
        np.add.reduce(term, axis=0, out=out[k])
        term *= offset
    out *= width
    return out
