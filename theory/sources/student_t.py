"""Student's t law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from .._typing import FloatArray
from .checks import checked_positive
from .scale_family import ScaleFamily

__all__ = ["StudentT"]


@dataclass(frozen=True)
class StudentT(ScaleFamily):
    """Student's t law of zero mean and finite variance."""

    df: float
    std: float = 1.0

    _panels = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "df", checked_positive("df", self.df))
        if self.df <= 2:
            raise ValueError(f"df must exceed 2 for a finite variance, got {self.df!r}")

    @property
    def log_concave(self) -> bool:
        """Never."""
        return False

    @cached_property
    def _scale(self) -> float:  # type: ignore[override]
        return self.std * math.sqrt((self.df - 2) / self.df)

    @cached_property
    def _log_peak(self) -> float:
        return float(-special.betaln(self.df / 2, 0.5) - 0.5 * math.log(self.df))

    def _density(self, z: FloatArray) -> FloatArray:
        return np.exp(self._log_density(z))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(self._log_peak - (self.df + 1) / 2 * np.log1p(z * z / self.df))

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(special.stdtr(self.df, -z))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.asarray(-special.stdtrit(self.df, q))

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        local = np.sqrt(1.0 + z * z / self.df)
        rate = (1.0 + 1.0 / self.df) * z / local
        return np.asarray(local * np.minimum(2.5 * math.sqrt(self.df), 7.0 / (1.0 + rate / 5.0)))

    def _beyond(self, edge: FloatArray, end: FloatArray, about: FloatArray) -> FloatArray:
        nu, z, c = self.df, edge / self._scale, about / self._scale
        stretch = np.log(np.maximum(end, edge) / edge)
        power, raw = np.ones_like(z), np.zeros((3, z.size))
        peak = np.where(
            z * z > 20 * nu, np.exp(self._log_peak + nu / 2 * np.log(nu / (z * z))) * math.sqrt(nu), 0.0
        )
        for j in range(6):
            for k in range(3):
                order = nu + 2 * j - k
                raw[k] += power * z**k * -np.expm1(-order * stretch) / order
            power = power * -((nu + 1) / 2 + j) / (j + 1) * nu / (z * z)
        raw = np.where(peak > 0, raw * peak, 0.0)
        out = np.stack([raw[0], raw[1] - c * raw[0], raw[2] - 2 * c * raw[1] + c * c * raw[0]])
        return out * np.array([[1.0], [self._scale], [self._scale**2]])

    def _standard_entropy(self) -> float:
        nu = self.df
        half = (nu + 1) / 2
        return float((half * (special.psi(half) - special.psi(nu / 2)) - self._log_peak) / math.log(2))
