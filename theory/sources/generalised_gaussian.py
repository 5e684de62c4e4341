"""The generalised normal law.

The catch is where it is not analytic: |x|^beta has a branch point at 0 unless beta is an even integer, and at
large beta the density is flat and then falls off a cliff.  So only cells that are narrow against both are
integrated in x.  A wide cell is cut where the exponent y = |x / alpha|^beta is 1: below, the power series of
the exponential is integrated term by term; above, the panels are laid in y, where the density is exp(-y)
times a power.

The scale of the standard form is a power of two near alpha, and the rest of alpha goes into a rate: the
exponent is then right to two units in the last place, while (x / alpha)^50 would be wrong by fifty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property

import numpy as np
import scipy

from .._arguments import check_positive
from .._typing import FloatArray
from .log_gamma import DIGITS, log_gamma
from .quadrature import legendre_rule
from .scale_family import ScaleFamily

__all__ = ["GeneralisedNormal"]

_LEAST_BETA = 0.01  # below, the scale and the tails together exceed the range of double precision
_FLAT = 1e-8  # exponent below which two terms of its series are exact to rounding
_ANALYTIC = (1.0, 2.0, 3.0, 4.0)  # exponents without a branch point at 0, seen from one side
_TERMS = 20  # of the exponential series at y <= 1: 1/20! is below 1e-18


@dataclass(frozen=True)
class GeneralisedNormal(ScaleFamily):
    """Generalised normal (exponential power) law of zero mean.

    f(x) = beta / (2 alpha Gamma(1/beta)) exp(-|x / alpha|^beta), where
    alpha^2 = std^2 Gamma(1/beta) / Gamma(3/beta).  It is the Laplace law at beta = 1, the normal law at 2,
    and approaches the uniform law as beta grows.

    Parameters
    ----------
    beta : float >= 0.01
        Shape.  Accuracy is tested from 0.2 to 50.
    std : float > 0
        Standard deviation.

    Raises
    ------
    ValueError, TypeError
        If beta or std is not a finite number in its range.

    Examples
    --------
    >>> law = GeneralisedNormal(beta=0.5)
    >>> print(law.partial_moments(0.0, float("inf")).round(12))
    [0.5        0.27386128 0.5       ]
    """

    beta: float
    std: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta", check_positive("beta", self.beta))
        if self.beta < _LEAST_BETA:
            raise ValueError(f"beta must be at least {_LEAST_BETA}, got {self.beta}")

    @property
    def log_concave(self) -> bool:
        """For beta of 1 and more."""
        return self.beta >= 1.0

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The branch point at 0; none where beta is an even integer."""
        return () if self.beta % 2.0 == 0.0 else (0.0,)

    @cached_property
    def _log_alpha(self) -> Decimal:
        with localcontext() as context:
            context.prec = DIGITS
            beta = Decimal(self.beta)
            return Decimal(self.std).ln() + (log_gamma(1 / beta) - log_gamma(3 / beta)) / 2

    @cached_property
    def _scale(self) -> float:
        exponent = float(self._log_alpha) / math.log(2.0)
        return math.pow(
            2.0, round(exponent) if self.beta <= 512.0 else exponent
        )  # the rate must not overflow

    @cached_property
    def _rate(self) -> float:
        with localcontext() as context:
            context.prec = DIGITS
            return float((Decimal(self.beta) * (Decimal(self._scale).ln() - self._log_alpha)).exp())

    @cached_property
    def _knee(self) -> float:
        return math.pow(self._rate, -1.0 / self.beta)  # where the exponent is 1

    @cached_property
    def _peak(self) -> float:
        return 0.5 / (self._knee * math.gamma(1.0 + 1.0 / self.beta))

    @cached_property
    def _reach(self) -> float:  # type: ignore[override]
        return self._knee * math.pow(760.0, 1.0 / self.beta)

    def _density(self, z: FloatArray) -> FloatArray:
        return np.asarray(self._peak * np.exp(-self._rate * z**self.beta))

    def _log_density(self, z: FloatArray) -> FloatArray:
        return np.asarray(math.log(self._peak) - self._rate * z**self.beta)

    def _upper(self, z: FloatArray) -> FloatArray:
        y = self._rate * z**self.beta
        middle = 0.5 - self._peak * z * (1.0 - y / (self.beta + 1.0))  # y may underflow long before z does
        return np.where(y < _FLAT, middle, 0.5 * scipy.special.gammaincc(1.0 / self.beta, y))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        order, inner = 1.0 / self.beta, 1.0 - 2.0 * q
        y = np.where(
            q > 0.25, scipy.special.gammaincinv(order, inner), scipy.special.gammainccinv(order, 2.0 * q)
        )
        middle = 0.5 * inner / self._peak * (1.0 + y / (self.beta + 1.0))
        return np.where(y < _FLAT, middle, self._knee * y**order)

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        # Measured for beta from 0.2 to 50: the growth of the exponent and the ratio of the ends that 24
        # points bear, and for beta >= 8 how far the flat top reaches.
        beta, growth = self.beta, min(8.0, max(3.0, 40.0 / self.beta))
        end = self._knee * (self._rate * z**beta + growth) ** (1.0 / beta)
        if beta in _ANALYTIC:
            return np.asarray(end - z)
        width = np.minimum(min(6.0, 8.0 / beta) * z, end - z)
        return np.maximum(width, self._knee * 0.002 ** (1.0 / beta) - z) if beta >= 8.0 else width

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        scale = self._scale
        a, b = np.minimum(a, self._reach * scale), np.minimum(b, self._reach * scale)
        width, smooth = b - a, self._smooth_width(a / scale) * scale
        wide = (width > smooth).nonzero()[0]
        if not wide.size:
            return self._integrate(a, width, c, smooth)
        width[wide] = 0.0
        out = self._integrate(a, width, c, smooth)
        out[:, wide] = self._wide_moments(a[wide] / scale, b[wide] / scale, c[wide] / scale)
        out[1, wide] *= scale
        out[2, wide] *= scale * scale
        return out

    def _wide_moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        knee, out = self._knee, np.zeros((3, a.size))
        far, near = (b > knee).nonzero()[0], (a < knee).nonzero()[0]
        if far.size:
            out[:, far] = self._tail_moments(np.maximum(a[far], knee), b[far], c[far])
        if near.size:
            raw = self._series_moments(np.minimum(b[near], knee)) - self._series_moments(a[near])
            out[0, near] += raw[0]
            out[1, near] += raw[1] - c[near] * raw[0]
            out[2, near] += raw[2] + c[near] * (c[near] * raw[0] - 2.0 * raw[1])
        return out

    @cached_property
    def _series(self) -> FloatArray:
        order = np.arange(_TERMS)[:, None, None]
        sign = np.where(order % 2, -1.0, 1.0)
        return sign / scipy.special.factorial(order) / (self.beta * order + np.arange(1.0, 4.0)[:, None])

    def _series_moments(self, z: FloatArray) -> FloatArray:
        powers = (self._rate * z**self.beta) ** np.arange(_TERMS)[:, None]
        sums = (powers[:, None] * self._series).sum(axis=0)
        return np.asarray(sums * self._peak * np.stack((z, z * z, z**3)))

    @cached_property
    def _exponent_panels(self) -> tuple[FloatArray, FloatArray]:
        # Starts and widths in y: a panel ends at 8 times its start (branch point) or 40 further (decay).
        power = max(3.0 / self.beta - 1.0, 0.0)
        end, edges = power + 45.0 + 6.0 * math.sqrt(power), [1.0]
        while edges[-1] < end:
            edges.append(min(8.0 * edges[-1], edges[-1] + 40.0))
        return np.array(edges[:-1])[:, None] - 1.0, np.diff(edges)[:, None]

    def _tail_moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        start = self._rate * a**self.beta
        length = self._rate * b**self.beta - start
        leads, widths = self._exponent_panels
        shift = np.minimum(leads, length)
        span = np.minimum(widths, length - shift)
        nodes, weights = (column[:, :, None] for column in legendre_rule(24))
        t = shift + nodes * span  # nodes, panels, cells
        step = a * np.expm1(np.log1p(t / start) / self.beta)
        term = np.exp(-(start + t)) * (a + step) / (start + t) * weights
        step += a - c
        out = np.empty((3, a.size))
        for k in range(3):
            out[k] = (term.sum(axis=0) * span).sum(axis=0)
            term *= step
        out *= self._peak / self.beta
        return out

    def _standard_entropy(self) -> float:
        return (1.0 / self.beta - math.log(self._peak)) / math.log(2.0)
