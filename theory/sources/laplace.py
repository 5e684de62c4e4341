"""The Laplace law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Laplace"]


@dataclass(frozen=True)
class Laplace(ScaleFamily):
    """Laplace (double exponential) law of zero mean.

    f(x) = exp(-|x| / s) / (2 s) with s = std / sqrt(2).

    Parameters
    ----------
    std : float > 0
        Standard deviation.

    Raises
    ------
    ValueError, TypeError
        If std is not a positive finite number.

    Examples
    --------
    >>> print(Laplace(std=2.0).partial_moments(0.0, float("inf")).round(12))
    [0.5        0.70710678 2.        ]
    """

    std: float = 1.0

    _reach = 760.0  # the tail beyond is below the smallest double

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The cusp at 0."""
        return (0.0,)

    @property
    def _scale(self) -> float:
        return self.std * math.sqrt(0.5)

    def _density(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.exp(-z))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(-z - math.log(2.0))

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.exp(-z))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.asarray(-np.log(2.0 * q))

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        return np.full_like(z, 44.0)  # measured: one panel holds all but e^-44 of a tail

    def _standard_entropy(self) -> float:
        return math.log2(2.0 * math.e)
