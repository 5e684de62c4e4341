"""Integrals of functions that fall more slowly than the density does, such as its cube root.

The body is integrated over the panels of the density.  Beyond them panels double in length until they
contribute nothing more, so that power laws are followed to 1e300 and exponentials stop at once.  The
integrand is given by its logarithm: densities underflow long before their cube roots matter no more.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from ._letters import graded, weighted_letters
from ._panels import density_panels
from .shannon import weights_errors

__all__ = ["integral"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_NEGLIGIBLE = 1e-16  # contribution, relative to the sum so far, of a panel after which nothing is expected
_FAR = 1e300


def integral(source: Source, log_integrand: Callable[[FloatArray], FloatArray]) -> float:
    """Integral of exp(log_integrand) over the support of a source; infinite where it diverges."""
    panels = weighted_letters(source) if weights_errors(source) else density_panels(source)
    lower, upper = source.support
    start, stop = panels.lower[0], panels.upper[-1]
    body = float(_panel_sums(log_integrand, *graded(panels.lower, panels.upper)).sum())
    right = _tail(log_integrand, stop, stop - panels.lower[-1], upper, body)
    if source.symmetric:
        return body + 2 * right
    mirrored = _tail(lambda x: log_integrand(-x), -start, panels.upper[0] - start, -lower, body)
    return body + right + mirrored


def _tail(
    log_integrand: Callable[[FloatArray], FloatArray], start: float, length: float, stop: float, body: float
) -> float:
    total, last = 0.0, np.inf
    while start < stop:
        end = min(start + length, stop)
        part = float(_panel_sums(log_integrand, np.array([start]), np.array([end]))[0])
        total += part
        if part <= _NEGLIGIBLE * (body + total):
            return total
        if end > _FAR:
            return total + part / max(last / part - 1, 0.0) if last > part else np.inf
        start, length, last = end, 2 * length, part
    return total


def _panel_sums(
    log_integrand: Callable[[FloatArray], FloatArray], lower: FloatArray, upper: FloatArray
) -> FloatArray:
    half = (upper - lower) / 2
    points = (lower + half)[:, None] + half[:, None] * _NODES
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = np.exp(log_integrand(points))
    return np.asarray(half * (np.where(np.isnan(values), 0.0, values) @ _WEIGHTS))
