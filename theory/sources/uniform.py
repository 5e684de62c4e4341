"""The uniform law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(ScaleFamily):
    """Uniform law of zero mean."""

    std: float = 1.0

    _reach = 1.0

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
        """The ends."""
        return self.support

    @property
    def _scale(self) -> float:
        return float(self.std * np.sqrt(3.0))

    def _density(self, z: FloatArray) -> FloatArray:
        return np.where(np.isnan(z), z, np.where(z <= 1.0, 0.5, 0.0))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.log(self._density(z))

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.clip(1.0 - z, 0.0, 1.0))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.where((q >= 0) & (q <= 0.5), 1.0 - 2.0 * q, np.nan)

    def _smooth_width(self, z: FloatArray) -> float:
        return 2.0

    def _standard_entropy(self) -> float:
        return 1.0
