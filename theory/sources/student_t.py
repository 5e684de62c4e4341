"""Student's t law.

The catch is the tail, a power of x: for df near 2 most of the variance lies beyond any point that panels
reach.  There the moments about 0 have closed forms in incomplete beta functions, and as a power has no scale
of its own, moving them to another point costs no digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property

import numpy as np
import scipy

from .._arguments import check_positive
from .._typing import FloatArray, IntArray
from .log_gamma import DIGITS, log_gamma
from .scale_family import ScaleFamily

__all__ = ["StudentT"]

# Above this the tail behind three panels is below rounding, and needs no closed form.
_NO_TAIL = 100.0
# Below this nearly all of the variance lies beyond the panels, and finite cells are small differences of it.
_NEARLY_INFINITE = 2.01
_TERMS = 25  # of a series in t < 0.14, which is where the panels end


@dataclass(frozen=True)
class StudentT(ScaleFamily):
    """Student's t law of zero mean and finite variance.

    f(x) is proportional to (1 + z^2 / df)^(-(df + 1) / 2) with z = x / s, s = std sqrt((df - 2) / df).

    Parameters
    ----------
    df : float > 2
        Degrees of freedom.  Accuracy is tested from 2.000001 to 1e8.
    std : float > 0
        Standard deviation.

    Raises
    ------
    ValueError, TypeError
        If df or std is not a finite number in its range.

    Examples
    --------
    >>> law = StudentT(df=4.0)
    >>> print(law.sf([0.0, 10.0]), law.log_concave)
    [5.00000000e-01 7.25640853e-05] False
    """

    df: float
    std: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "df", check_positive("df", self.df))
        if self.df <= 2.0:
            raise ValueError(f"df must exceed 2 for the variance to be finite, got {self.df}")

    @property
    def log_concave(self) -> bool:
        """Never: the tails are powers."""
        return False

    @cached_property
    def _scale(self) -> float:
        return self.std * math.sqrt((self.df - 2.0) / self.df)

    @cached_property
    def _panels(self) -> int:  # type: ignore[override]
        return 1 if self.df < 16.0 else 2 if self.df <= _NO_TAIL else 3

    @cached_property
    def _log_peak(self) -> float:
        with localcontext() as context:
            context.prec = DIGITS
            half = Decimal(self.df) / 2
            step = log_gamma(half + Decimal("0.5")) - log_gamma(half)
            return float(step) - 0.5 * math.log(math.pi * self.df)

    @cached_property
    def _peak(self) -> float:
        return math.exp(self._log_peak)

    def _density(self, z: FloatArray) -> FloatArray:
        term = z * z
        term /= self.df
        term = np.log1p(term)
        term *= -(self.df + 1.0) / 2.0
        term = np.exp(term)
        term *= self._peak
        return term

    def _log_density(self, z: FloatArray) -> FloatArray:
        ratio = z / math.sqrt(self.df)
        inner = np.minimum(ratio, 1e8)  # 1 + 1e16 is 1e16, and larger squares overflow
        outer = np.log(np.maximum(ratio, 1e8) / 1e8)
        return np.asarray(self._log_peak - (self.df + 1.0) * (0.5 * np.log1p(inner * inner) + outer))

    def _upper(self, z: FloatArray) -> FloatArray:
        square = z * z / self.df  # by the argument that keeps its digits: small in the middle, or in the tail
        middle = scipy.special.betaincc(0.5, self.df / 2.0, square / (1.0 + square))
        tail = scipy.special.betainc(self.df / 2.0, 0.5, 1.0 / (1.0 + square))
        return 0.5 * np.where(square < 1.0, middle, tail)

    def _smooth_width(self, z: FloatArray) -> FloatArray:
        # Measured: limited by the singularities at +-i sqrt(df) for small df, and by decay for large df.
        local = np.sqrt(1.0 + z * z / self.df)
        decay = 7.0 / (local + z * (0.2 * (1.0 + 1.0 / self.df)))
        return np.asarray(local * np.minimum(local * decay, 2.5 * math.sqrt(self.df)))

    def _beyond(
        self, out: FloatArray, wide: IntArray, edge: FloatArray, end: FloatArray, about: FloatArray
    ) -> FloatArray:
        if self.df <= _NO_TAIL:
            start = np.minimum(edge, end)
            raw = self._tail_moments(start) - self._tail_moments(end)
            if self.df < _NEARLY_INFINITE:
                raw[2] = self._second_moment_between(start, end)
            out[0, wide] += raw[0]
            out[1, wide] += raw[1] - about * raw[0]
            out[2, wide] += raw[2] + about * (about * raw[0] - 2.0 * raw[1])
        return out

    def _tail_moments(self, x: FloatArray) -> FloatArray:
        """Return the moments about 0 of (x, infinity)."""
        inner = 1.0 / (1.0 + (x / self._scale) ** 2 / self.df)
        raw = np.empty((3, *x.shape))
        raw[0] = 0.5 * scipy.special.betainc(self.df / 2.0, 0.5, inner)
        raw[1] = inner ** ((self.df - 1.0) / 2.0)
        raw[1] *= self._scale * self._peak * self.df / (self.df - 1.0)
        raw[2] = 0.5 * self.std**2 * scipy.special.betainc(self.df / 2.0 - 1.0, 1.5, inner)
        return raw

    def _second_moment_between(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """Return the second moment about 0 of finite cells far out, term by term of the power series."""
        order, terms = self.df / 2.0 - 1.0, np.arange(_TERMS)[:, None]
        low, high = (1.0 / (1.0 + (x / self._scale) ** 2 / self.df) for x in (start, end))
        # x^order - y^order without cancellation where the order is almost 0.
        leading = -(low**order) * np.expm1(order * np.log(high / low))
        rest = (low ** (order + terms) - high ** (order + terms)) / (order + terms)
        rest[0] = leading / order
        rest *= scipy.special.poch(-0.5, terms) / scipy.special.factorial(
            terms
        )  # of the series of (1 - t)^(1/2)
        return np.asarray(0.5 * self.std**2 * rest.sum(axis=0) / scipy.special.beta(order, 1.5))

    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        half = self.df / 2.0
        middle = scipy.special.betaincinv(0.5, half, 1.0 - 2.0 * q)
        tail = scipy.special.betaincinv(half, 0.5, 2.0 * q)
        z = np.sqrt(self.df * np.where(q > 0.25, middle / (1.0 - middle), (1.0 - tail) / tail))
        # 1 - tail has lost digits where df is large: one Newton step for log q brings them back.
        mass = self._upper(z)
        step = np.log(mass / q) * mass / self._density(z)
        return np.where((q > 0.25) | ~np.isfinite(step), z, z + step)

    def _standard_entropy(self) -> float:
        half = self.df / 2.0
        if self.df <= _NO_TAIL:
            slope = float(scipy.special.psi(half + 0.5) - scipy.special.psi(half))
        else:  # the difference cancels: asymptotic series in h - 1/4, whose coefficients are Euler numbers
            w = half - 0.25
            slope = 1.0 / (2.0 * w) - 1.0 / (32.0 * w**3) + 5.0 / (512.0 * w**5) - 61.0 / (8192.0 * w**7)
        return ((half + 0.5) * slope - self._log_peak) / math.log(2.0)
