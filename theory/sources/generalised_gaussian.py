"""The generalised normal law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from .._arguments import check_positive
from .._typing import FloatArray
from .scale_family import ScaleFamily

__all__ = ["GeneralisedNormal"]


@dataclass(frozen=True)
class GeneralisedNormal(ScaleFamily):
    """Generalised normal law of zero mean: density proportional to exp(-|x / scale|^beta)."""

    beta: float
    std: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta", check_positive("beta", self.beta))

    @property
    def log_concave(self) -> bool:
        """For beta at least 1."""
        return self.beta >= 1

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The middle."""
        return (0.0,)

    @cached_property
    def _scale(self) -> float:  # type: ignore[override]
        return self.std * math.exp((math.lgamma(1 / self.beta) - math.lgamma(3 / self.beta)) / 2)

    @cached_property
    def _peak(self) -> float:
        return 0.5 / math.gamma(1 + 1 / self.beta)

    def _density(self, z: FloatArray) -> FloatArray:
        return np.asarray(self._peak * np.exp(-(z**self.beta)))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(math.log(self._peak) - z**self.beta)

    def _upper(self, z: FloatArray) -> FloatArray:
        return np.asarray(0.5 * special.gammaincc(1 / self.beta, z**self.beta))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        return np.asarray(special.gammainccinv(1 / self.beta, 2 * q) ** (1 / self.beta))

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        rate = self.beta * np.maximum(z, 1e-300) ** (self.beta - 1)
        return np.minimum(np.minimum(2.0, 2.0 / self.beta) * z, 5.0 / rate)

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        smooth = self._smooth_width(a / self._scale) * self._scale
        wide = np.flatnonzero(b - a > smooth)
        width = b - a
        width[wide] = 0.0
        out = self._integrate(np.minimum(a, 1e300), np.nan_to_num(width), c, np.maximum(smooth, 1e-300))
        out[:, wide] = self._closed(a[wide], b[wide], c[wide])
        return out

    def _closed(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        low, high = (a / self._scale) ** self.beta, (b / self._scale) ** self.beta
        raw = np.empty((3, a.size))
        for k in range(3):
            order = (k + 1) / self.beta
            size = math.exp(math.lgamma(order) - math.lgamma(1 / self.beta)) * self._scale**k / 2
            upper = special.gammaincc(order, low) - special.gammaincc(order, high)
            lower = special.gammainc(order, high) - special.gammainc(order, low)
            raw[k] = size * np.where(low < order, lower, upper)
        return np.stack([raw[0], raw[1] - c * raw[0], raw[2] - 2 * c * raw[1] + c * c * raw[0]])

    def _standard_entropy(self) -> float:
        return (1 / self.beta - math.log(self._peak)) / math.log(2)
