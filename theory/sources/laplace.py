"""The Laplace law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Laplace"]


@dataclass(frozen=True)
class Laplace(ScaleFamily):
    """Laplace (double exponential) law of zero mean."""

    std: float = 1.0

    _reach = 760.0

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The cusp."""
        return (0.0,)

    @property
    def _scale(self) -> float:
        return float(self.std / np.sqrt(2.0))

    def _density(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.exp(-z))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(-z - np.log(2.0))

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.exp(-z))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.asarray(-np.log(2.0 * q))

    def _smooth_width(self, z: FloatArray) -> float:
        return 42.0

    def _standard_entropy(self) -> float:
        return float(np.log2(2.0 * np.e))
