"""The uniform law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(ScaleFamily):
    """Uniform law of zero mean, on plus and minus sqrt(3) std.

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
    >>> print(Uniform().partial_moments(0.0, float("inf")).round(12))
    [0.5       0.4330127 0.5      ]
    """

    std: float = 1.0

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    @property
    def support(self) -> tuple[float, float]:
        """Plus and minus sqrt(3) std."""
        return (-self._scale, self._scale)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The ends of the support."""
        return self.support

    @property
    def _scale(self) -> float:
        return self.std * math.sqrt(3.0)

    def _density(self, z: FloatArray) -> FloatArray:
        return np.where(z > 1.0, 0.0, 0.5 + 0.0 * z)

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.where(z > 1.0, -np.inf, math.log(0.5) + 0.0 * z)

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.maximum(1.0 - z, 0.0))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.where(q >= 0.0, 1.0 - 2.0 * q, np.nan)

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        return np.full_like(z, np.inf)

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        a = np.minimum(a, self._scale)
        width = np.minimum(b, self._scale) - a
        mass, centre = width / (2.0 * self._scale), (a - c) + width / 2.0
        return np.stack((mass, mass * centre, mass * (centre * centre + width * width / 12.0)))

    def _standard_entropy(self) -> float:
        return 1.0
