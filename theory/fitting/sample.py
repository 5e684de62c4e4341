"""Measured values made ready for fits: sorted once, compressed once, in units that cannot overflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from .._typing import ArrayLike, FloatArray
from ..sources import Empirical
from .compression import compress

__all__ = ["Moments", "Sample", "as_sample", "prepare"]

_NARROW_FLOATS = (np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float8_e5m2))


@dataclass(frozen=True)
class Moments:
    """Summary of the values themselves, about zero.

    Attributes
    ----------
    mean : float
        Sample mean.  The families fitted have zero mean: it says what that neglects.
    rms : float
        Root mean square.
    kurtosis : float
        Mean fourth power over squared mean square; 3 for a normal law.
    max_over_rms : float
        Largest magnitude over the root mean square.
    zeros : float
        Fraction of exact zeros.
    """

    mean: float
    rms: float
    kurtosis: float
    max_over_rms: float
    zeros: float


@dataclass(frozen=True, eq=False)
class Sample:
    """Values of a tensor, in the forms that fits need.  Made by `prepare`.

    Attributes
    ----------
    law : Empirical
        The values in ascending order, equal ones perhaps merged.
    unit : float
        A power of two above every magnitude.
    magnitudes, weights : ndarray of float64, shape (m,)
        Magnitudes in units of `unit`, compressed where they are many (see `compression`).
    count : int
        Number of values.
    moments : Moments
    """

    law: Empirical
    unit: float
    magnitudes: FloatArray
    weights: FloatArray
    count: int
    moments: Moments

    def mean_of(self, terms: FloatArray) -> float:
        """Weighted mean over the values of one term for each magnitude."""
        return float(np.sum(self.weights * terms)) / self.count  # pairwise, and in one thread

    @property
    def largest(self) -> float:
        """Largest magnitude, in units of `unit`."""
        low, high = self.law.support
        return max(-low, high) / self.unit


def prepare(array: ArrayLike) -> Sample:
    """Sort and compress values once, for any number of fits and measurements.

    Parameters
    ----------
    array : array_like of any shape, 2 to 1e8 values
        float16, float32, float64, integer or, from `ml_dtypes`, bfloat16, float8_e4m3fn, float8_e5m2; finite,
        not all equal.  Exact zeros are values like any other.

    Returns
    -------
    Sample
        What `fit`, `fit_all` and `analyse` take in place of the array.

    Raises
    ------
    TypeError
        If the array is not of the types above.
    ValueError
        If it has fewer than two values, is constant, or holds NaN or infinity (the position is named).

    Examples
    --------
    >>> prepare([1.0, -1.0, 3.0, -3.0]).moments.kurtosis
    1.64
    """
    law = Empirical(_widened(array))
    low, high = law.support
    unit = float(np.ldexp(1.0, int(np.frexp(max(-low, high))[1])))
    magnitudes, weights = compress(law.values, law.weights, unit)
    count = round(law.total)
    return Sample(law, unit, magnitudes, weights, count, _moments(law, unit, magnitudes, weights))


def as_sample(array: ArrayLike | Sample) -> Sample:
    """Prepare values unless they are."""
    return array if isinstance(array, Sample) else prepare(array)


def _widened(array: ArrayLike) -> NDArray[Any]:
    """Eight-bit floats as float16, which holds all of them; anything else as it is."""
    data = np.asarray(array)
    return data.astype(np.float16) if data.dtype in _NARROW_FLOATS else data


def _moments(law: Empirical, unit: float, magnitudes: FloatArray, weights: FloatArray) -> Moments:
    squares = magnitudes * magnitudes
    mean_square = float(np.sum(weights * squares)) / law.total
    rms = unit * mean_square**0.5
    return Moments(
        mean=law.mean,
        rms=rms,
        kurtosis=float(np.sum(weights * squares * squares)) / law.total / mean_square**2,
        max_over_rms=max(-law.support[0], law.support[1]) / rms,
        zeros=float(weights[magnitudes == 0].sum()) / law.total,
    )
