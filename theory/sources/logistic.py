"""The logistic law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Logistic"]


@dataclass(frozen=True)
class Logistic(ScaleFamily):
    """Logistic law of zero mean."""

    std: float = 1.0

    _panels = 3
    _reach = 760.0

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    @property
    def _scale(self) -> float:
        return float(self.std * np.sqrt(3.0) / np.pi)

    def _density(self, z: FloatArray) -> FloatArray:
        e = np.exp(-z)
        return np.asarray(e / (1.0 + e) ** 2)

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(-z - 2.0 * np.log1p(np.exp(-z)))

    def _upper(self, z: FloatArray) -> FloatArray:
        e = np.exp(-z)
        return np.asarray(e / (1.0 + e))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.asarray(np.log1p(-q) - np.log(q))

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        return np.minimum(9.0 + 2.0 * z, 40.0)

    def _standard_entropy(self) -> float:
        return float(2.0 * np.log2(np.e))
