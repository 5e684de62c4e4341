"""Student's t law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from .._arguments import check_positive
from .._typing import FloatArray, IntArray
from .scale_family import ScaleFamily

__all__ = ["StudentT"]


@dataclass(frozen=True)
class StudentT(ScaleFamily):
    """Student's t law of zero mean and finite variance."""

    df: float
    std: float = 1.0

    _panels = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "df", check_positive("df", self.df))
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
    def _peak(self) -> float:
        return math.exp(self._log_peak)

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

    def _beyond(
        self, out: FloatArray, wide: IntArray, edge: FloatArray, end: FloatArray, about: FloatArray
    ) -> FloatArray:
        if self.df > 100:
            return out
        raw = self._tail_moments(np.minimum(edge, end)) - self._tail_moments(end)
        out[0, wide] += raw[0]
        out[1, wide] += raw[1] - about * raw[0]
        out[2, wide] += raw[2] + about * (about * raw[0] - 2.0 * raw[1])
        return out

    def _tail_moments(self, x: FloatArray) -> FloatArray:
        ratio = x / self._scale
        inner = 1.0 / (1.0 + ratio * ratio / self.df)
        raw = np.empty((3, x.size))
        raw[0] = special.betainc(self.df / 2, 0.5, inner)
        raw[1] = inner ** ((self.df - 1) / 2)
        raw[2] = special.betainc(self.df / 2 - 1, 1.5, inner)
        raw *= self._half_moments
        return raw

    @cached_property
    def _half_moments(self) -> FloatArray:
        first = self._peak * self.df / (self.df - 1) * self._scale
        return np.array([[0.5], [first], [0.5 * self.std**2]])

    def _standard_entropy(self) -> float:
        nu = self.df
        half = (nu + 1) / 2
        return float((half * (special.psi(half) - special.psi(nu / 2)) - self._log_peak) / math.log(2))
