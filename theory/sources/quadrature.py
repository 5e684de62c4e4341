"""Gauss-Legendre rules, correct to the last bit.

The usual tables in double precision (`numpy.polynomial.legendre.leggauss`) carry weights that are wrong by
1e-13 and nodes whose distance from the end is wrong by 1e-14, both relative.  An integrand that
decays over the interval lives on just these nodes, so the rules are polished here by Newton's method in
decimal arithmetic, once.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np

from .._typing import FloatArray

__all__ = ["legendre_rule"]

_DIGITS = 34  # twice the digits of a double: rounding to double at the end is then the only error


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
