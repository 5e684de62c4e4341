"""The logistic law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Logistic"]


@dataclass(frozen=True)
class Logistic(ScaleFamily):
    """Logistic law of zero mean.

    f(x) = 1 / (4 s cosh^2(x / (2 s))) with s = std sqrt(3) / pi.

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
    >>> print(Logistic().sf([0.0, 2.0]).round(12))
    [0.5        0.02589173]
    """

    std: float = 1.0

    _panels = 3
    _reach = 760.0  # the tail beyond is below the smallest double

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    @property
    def _scale(self) -> float:
        return self.std * math.sqrt(3.0) / math.pi

    def _density(self, z: FloatArray) -> FloatArray:
        decay = np.exp(-z)
        return np.asarray(decay / (1.0 + decay) ** 2)

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(-z - 2.0 * np.log1p(np.exp(-z)))

    def _upper(self, z: FloatArray) -> FloatArray:
        decay = np.exp(-z)
        return np.asarray(decay / (1.0 + decay))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.where(q > 0.25, np.log1p((1.0 - 2.0 * q) / q), np.log1p(-q) - np.log(q))

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        return np.minimum(9.0 + 2.0 * z, 40.0)  # the poles at +-i pi recede as z grows; measured limit

    def _standard_entropy(self) -> float:
        return 2.0 * math.log2(math.e)
