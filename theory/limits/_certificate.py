"""How far a test channel can be from the best one: a proved bound, over the whole continuum of outputs.

The dual condition is that c(y), the integral of v(x) exp(-s (x - y)^2) for a chosen function v, is at most 1
for all real y, so samples of c are not enough.  c is a positive mixture of Gaussian kernels, whose n-th
derivative is at most 1.0864 sqrt(n!) sqrt(2) sup c (Cramer's inequality for Hermite functions, in units of
the kernel width).  A Taylor polynomial of degree 5 at each place, w/8 apart, and bounds on its remainder
therefore bound c all around the place to 1e-8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ._kernels import correlation_scan

__all__ = ["Scan", "bounded", "scan_dual"]

_HALF = 1 / 16  # half the distance of places, in kernel widths
_CUTS = np.linspace(-_HALF, _HALF, 9)  # centres of the pieces a Taylor polynomial is looked at on
_PIECE = 1 / 128  # half the length of a piece
_CRAMER = 1.0864 * np.sqrt(2.0)
_REMAINDER = (
    _CRAMER * np.sqrt(720.0) / 720.0 * _HALF**6  # beyond degree 5 about the place
    + 1.2 * _CRAMER * np.sqrt(24.0) / 24.0 * _PIECE**4  # beyond degree 3 about the piece, the fifth included
    + 1e-9  # kernels that reach out of the nodes; the dual function is 1e-9 of the flat one there
)


@dataclass(frozen=True)
class Scan:
    """Bounds on c around the places, and where c has its local maxima.

    Attributes
    ----------
    places, bounds : ndarray of float64, shape (n,)
        c is at most `bounds[i]` within half a step of `places[i]`, and at most 1 elsewhere.
    peaks, heights : ndarray of float64, shape (m,)
        Local maxima of c above 1.
    """

    places: FloatArray
    bounds: FloatArray
    peaks: FloatArray
    heights: FloatArray

    def envelope(self, lower: FloatArray, upper: FloatArray, reach: FloatArray | float) -> FloatArray:
        """Largest bound within reach of each interval, at least 1."""
        start = np.searchsorted(self.places, lower - reach)
        stop = np.searchsorted(self.places, upper + reach, side="right")
        padded = np.append(self.bounds, 1.0)
        pairs = np.stack([start, np.maximum(stop, start)], axis=1).ravel()
        largest = np.maximum.reduceat(padded, pairs)[::2]
        return np.asarray(np.where(stop > start, np.maximum(largest, 1.0), 1.0))


def scan_dual(places: FloatArray, nodes: FloatArray, masses: FloatArray, width: float) -> Scan:
    """Bound c(y) = sum of mass_i exp(-(x_i - y)^2 / 2 w^2) over all y no further than w/16 from a place."""
    if not places.size:
        return Scan(places, places, places, places)
    return bounded(places, _taylor(correlation_scan(places, nodes, masses, width)), width)


def bounded(places: FloatArray, taylor: FloatArray, width: FloatArray | float) -> Scan:
    """Bound a function around places from its Taylor polynomials there.

    Parameters
    ----------
    places : ndarray of float64, shape (n,)
        Ascending.
    taylor : ndarray of float64, shape (n, 6)
        Coefficients in units of the widths.
    width : float, or ndarray of float64, shape (n,)
        Width, at most, of every kernel that reaches a place: each is a mixture of kernels of this width.
    """
    value, slope, curvature, third = (_derivative(taylor, k) for k in range(4))
    vertex = np.where(curvature < 0, -slope / np.minimum(curvature, -1e-300), np.where(slope < 0, -1.0, 1.0))
    offset = np.clip(vertex, -_PIECE, _PIECE)
    top = value + slope * offset + curvature * offset**2 / 2
    bounds = (top + np.abs(third) * _PIECE**3 / 6).max(axis=1)
    bounds += _REMAINDER * max(float(bounds.max()), 1.0) / (1 - _REMAINDER)
    best = np.argmax(top, axis=1)
    rows = np.arange(places.size)
    heights = top[rows, best]
    peak = (heights >= np.append(-np.inf, heights[:-1])) & (heights >= np.append(heights[1:], -np.inf))
    peak &= heights > 1
    return Scan(places, bounds, (places + width * (_CUTS[best] + offset[rows, best]))[peak], heights[peak])


def _taylor(sums: FloatArray) -> FloatArray:
    """Taylor coefficients of c in units of the kernel width, from the sums of t^k exp(-t^2 / 2)."""
    s0, s1, s2, s3, s4, s5 = sums.T
    hermite = (s0, s1, s2 - s0, s3 - 3 * s1, s4 - 6 * s2 + 3 * s0, s5 - 10 * s3 + 15 * s1)
    return np.asarray(np.stack(hermite, axis=1) / np.array([1.0, 1.0, 2.0, 6.0, 24.0, 120.0]))


def _derivative(taylor: FloatArray, order: int) -> FloatArray:
    """Differentiate the polynomials at the centres of the pieces."""
    coefficients = np.polynomial.polynomial.polyder(taylor, order, axis=1) if order else taylor
    return np.asarray(np.polynomial.polynomial.polyval(_CUTS, coefficients.T), dtype=np.float64)
