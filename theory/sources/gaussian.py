"""The normal law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Normal"]

_LOG_PEAK = -0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class Normal(ScaleFamily):
    """Normal law of zero mean."""

    std: float = 1.0

    _panels = 2
    _reach = 40.0

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    @property
    def _scale(self) -> float:
        return self.std

    def _density(self, z: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-0.5 * z * z) * np.exp(_LOG_PEAK))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(_LOG_PEAK - 0.5 * z * z)

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(special.ndtr(-z))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.asarray(-special.ndtri(q))

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        return np.asarray(8.0 / (1.0 + z / 5.0))

    def _standard_entropy(self) -> float:
        return float(0.5 * np.log2(2 * np.pi * np.e))
