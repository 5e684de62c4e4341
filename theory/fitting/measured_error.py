"""The relative error of a quantiser on the data themselves, with its standard error.

R = sqrt(mean (x - Q(x))^2 / mean x^2), over every value: the sorted values are walked through once, cell by
cell, which gives what encoding and decoding each of them would.  Fourth-order sums taken on the way give the
standard error by the delta method for a ratio of two means A/B of independent pairs,

    var(A/B) = mean (a - (A/B) b)^2 / (n B^2),   a = (x - Q(x))^2,  b = x^2,   se(R) = se(A/B) / 2R

(W. G. Cochran, "Sampling Techniques", 3rd ed., 1977, chapter 6).  It rests on fourth moments: of very heavy
tails the rare large values decide; until one of them is drawn, R and its standard error are both too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compiled import kernel
from .._typing import ArrayLike, FloatArray
from ..quantisers import ScalarQuantiser
from .sample import Sample, as_sample

__all__ = ["MeasuredError", "measure_error"]


@dataclass(frozen=True)
class MeasuredError:
    """Relative error of a quantiser on data.

    Attributes
    ----------
    relative : float
        R, root-mean-square error over root-mean-square value.
    standard_error : float
        Standard error of `relative` if the values are independent draws from some law and the quantiser was
        not chosen on them; NaN where the error is exactly zero.
    """

    relative: float
    standard_error: float


def measure_error(quantiser: ScalarQuantiser, array: ArrayLike | Sample) -> MeasuredError:
    """Quantise every value and compare.

    Parameters
    ----------
    quantiser : ScalarQuantiser
        Codepoints and thresholds in the units of the data.
    array : array_like of any shape, or Sample
        Values as for `prepare`.

    Returns
    -------
    MeasuredError
        R over all values, exact to rounding, and its standard error.

    Raises
    ------
    TypeError, ValueError
        As `prepare`; TypeError if `quantiser` has no codepoints.

    Examples
    --------
    >>> round(measure_error(ScalarQuantiser([-1.0, 1.0]), [-2.0, -1.0, 1.0, 2.0]).relative ** 2, 12)
    0.2
    """
    if not isinstance(quantiser, ScalarQuantiser):
        raise TypeError(f"quantiser must be a ScalarQuantiser, got {type(quantiser).__name__}")
    sample = as_sample(array)
    law, rms = sample.law, sample.moments.rms
    error, fourth, cross = (
        _error_sums(law.values, law.weights, quantiser.codepoints, quantiser.thresholds, 1.0 / rms)
        / sample.count
    )
    ratio = float(error)  # b is in units of the mean square: B = 1
    if ratio == 0:
        return MeasuredError(0.0, math.nan)
    spread = float(fourth) - 2 * ratio * float(cross) + ratio**2 * sample.moments.kurtosis
    deviation = math.sqrt(max(spread, 0.0) / sample.count)
    return MeasuredError(math.sqrt(ratio), deviation / (2 * math.sqrt(ratio)))


@kernel
def _error_sums(
    values: NDArray[Any], weights: FloatArray, codepoints: FloatArray, thresholds: FloatArray, inverse: float
) -> FloatArray:
    """Sum e^2, e^4 and e^2 x^2 over sorted values, e and x in units of 1/inverse."""
    out = np.zeros(3)
    stop = 0
    for cell in range(codepoints.size):
        start = stop
        if cell < thresholds.size:
            stop = _first_above(values, thresholds[cell], start)
        else:
            stop = values.size
        error, fourth, cross = 0.0, 0.0, 0.0
        for i in range(start, stop):
            x = np.float64(values[i])
            distance = (x - codepoints[cell]) * inverse
            square = distance * distance
            mass = square * weights[i] if weights.size else square
            x *= inverse
            error += mass
            fourth += mass * square
            cross += mass * x * x
        out[0] += error
        out[1] += fourth
        out[2] += cross
    return out


@kernel
def _first_above(values: NDArray[Any], threshold: float, start: int) -> int:
    """Index of the first value above a threshold, at or behind `start`."""
    low, high = start, values.size
    while low < high:
        middle = (low + high) // 2
        if np.float64(values[middle]) > threshold:
            high = middle
        else:
            low = middle + 1
    return low
