"""The normal law (placeholder numerics replaced below the interface)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from .._typing import ArrayLike, FloatArray
from .base import Source

__all__ = ["Normal"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class Normal(Source):
    """Normal law of zero mean."""

    std: float = 1.0

    @property
    def log_concave(self) -> bool:
        """Always."""
        return True

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density."""
        return np.exp(self.logpdf(x))

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Log density."""
        z = np.asarray(x, dtype=np.float64) / self.std
        return np.asarray(-0.5 * z * z - np.log(self.std * np.sqrt(2 * np.pi)))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Distribution function."""
        return np.asarray(special.ndtr(np.asarray(x) / self.std))

    def sf(self, x: ArrayLike) -> FloatArray:
        """Survival function."""
        return np.asarray(special.ndtr(-np.asarray(x) / self.std))

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile."""
        return np.asarray(self.std * special.ndtri(np.asarray(q)))

    def isf(self, q: ArrayLike) -> FloatArray:
        """Upper quantile."""
        return np.asarray(-self.std * special.ndtri(np.asarray(q)))

    def differential_entropy(self) -> float:
        """Bits."""
        return float(0.5 * np.log2(2 * np.pi * np.e) + np.log2(self.std))

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Moments."""
        a, b, c = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (lower, upper, about)))
        flip = a + b < 0
        a, b, c = np.where(flip, -b, a), np.where(flip, -a, b), np.where(flip, -c, c)
        narrow = b - a <= self.std
        raw = self._upper(a) - self._upper(b)
        m1 = raw[1] - c * raw[0]
        m2 = raw[2] - 2 * c * raw[1] + c * c * raw[0]
        half = np.where(narrow, (b - a) / 2, 0.0)[..., None]
        mid = np.where(narrow, a + (b - a) / 2, 0.0)[..., None]
        x = mid + half * _NODES
        f = self.pdf(x) * _WEIGHTS * half
        d = x - c[..., None]
        out = np.stack([raw[0], m1, m2])
        fine = np.stack([f.sum(-1), (f * d).sum(-1), (f * d * d).sum(-1)])
        out = np.where(narrow, fine, out)
        out[1] = np.where(flip, -out[1], out[1])
        return out

    def _upper(self, x: FloatArray) -> FloatArray:
        z = x / self.std
        q = special.ndtr(-z)
        phi = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        finite = np.where(np.isfinite(z), z, 0.0)
        return np.stack([q, self.std * phi, self.std**2 * (q + finite * phi)])
