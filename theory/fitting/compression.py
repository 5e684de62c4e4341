"""Data as a few thousand weighted points that give the same sums of smooth functions.

A likelihood is a sum of a smooth function of |x| over all values, and a fit evaluates hundreds of them.
Magnitudes are therefore binned, 128 bins to the octave, and each bin is replaced by the two points and
weights of its Gauss quadrature, which have the bin's mass and first three moments.  Sums of 1, |x|, x^2 and
|x|^3 stay exact.  For any other f the error of a bin of width h is at most

    mass * max |f''''| * h^4 / 1536

(the remainder of two-point Gauss quadrature: max |f''''| / 4! times the least mean square of a monic
quadratic on the bin, at most (h^2 / 8)^2), and as h <= x / 128 in a bin at x, that is at most
2.5e-12 * max |x^4 f''''(x)| for each value.  x^4 f'''' is 12 or less for f = log(1 + x^2), and
p (p-1) (p-2) (p-3) |x|^p for |x|^p.  The log-likelihood of ten million values moves by thousandths of a nat
(some hundredths at p = 20), where a difference of 2 begins to tell laws apart.

Data of at most 8192 distinct values stay as they are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compiled import kernel
from .._typing import FloatArray

__all__ = ["BINS_PER_OCTAVE", "EXACT_SIZE", "compress"]

# Derived from the bound above, which falls with the fourth power; time and memory grow in proportion.
BINS_PER_OCTAVE = 128

# Tuned: about the number of points that compression leaves of float32 weights.  Only time depends on it.
EXACT_SIZE = 8192

# The magnitudes of float64 below 1, subnormal ones included, span 1074 octaves.
_OCTAVES = 1080

# A bin whose values differ by less than this fraction is one point: its square is beneath rounding error.
_NARROW = 1e-9


def compress(values: NDArray[Any], weights: FloatArray, unit: float) -> tuple[FloatArray, FloatArray]:
    """Compress values to non-negative magnitudes and their weights.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (n,)
    weights : ndarray of float64, shape (n,) or (0,)
        Positive weight of each value; empty where all are one.
    unit : float
        A power of two above every magnitude.

    Returns
    -------
    magnitudes : ndarray of float64, shape (m,)
        Points in [0, 1), in units of `unit`.
    weights : ndarray of float64, shape (m,)
        Their positive weights, of the same sum.
    """
    if values.size <= EXACT_SIZE:
        magnitudes = np.abs(values.astype(np.float64)) / unit
        return magnitudes, weights if weights.size else np.ones(values.size)
    zeros, mass, mean, second, third = _bin_moments(values, weights, 1.0 / unit)
    filled = mass > 0
    points, masses = _two_points(mass[filled], mean[filled], second[filled], third[filled])
    if zeros > 0:
        points, masses = np.append(points, 0.0), np.append(masses, zeros)
    return points, masses


@kernel
def _bin(magnitude: float) -> int:
    mantissa, exponent = math.frexp(magnitude)
    return -exponent * BINS_PER_OCTAVE + int((mantissa - 0.5) * (2 * BINS_PER_OCTAVE))


@kernel
def _bin_moments(
    values: NDArray[Any], weights: FloatArray, inverse: float
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Weight of zero; then for each bin of magnitudes mass, mean, and sums of (x / mean - 1)^2 and ^3."""
    size = _OCTAVES * BINS_PER_OCTAVE
    mass, mean, second, third = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)
    zeros = 0.0
    for i in range(values.size):
        weight = weights[i] if weights.size else 1.0
        magnitude = abs(values[i] * inverse)
        if magnitude == 0.0:
            zeros += weight
        else:
            k = _bin(magnitude)
            mass[k] += weight
            mean[k] += weight * magnitude
    for k in range(size):
        if mass[k] > 0.0:
            mean[k] /= mass[k]
    for i in range(values.size):
        magnitude = abs(values[i] * inverse)
        if magnitude > 0.0:
            k = _bin(magnitude)
            distance = magnitude / mean[k] - 1.0
            square = distance * distance * (weights[i] if weights.size else 1.0)
            second[k] += square
            third[k] += square * distance
    return zeros, mass, mean, second, third


def _two_points(
    mass: FloatArray, mean: FloatArray, second: FloatArray, third: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Two-point Gauss quadrature of each bin; one point where the bin has no width to speak of."""
    deviation = np.sqrt(second / mass)
    wide = deviation > _NARROW
    m, s, w = mean[wide], deviation[wide], mass[wide]
    half_skew = third[wide] / w / s**3 / 2
    root = np.hypot(1.0, half_skew)
    low = w * (1 + half_skew / root) / 2
    points = np.concatenate([mean[~wide], m * (1 + s * (half_skew - root)), m * (1 + s * (half_skew + root))])
    return points, np.concatenate([mass[~wide], low, w - low])
