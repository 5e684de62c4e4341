"""A law restricted to an interval and renormalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import ArrayLike, FloatArray
from .base import Source
from .inversion import invert_monotone
from .panels import entropy_over, panel_edges

__all__ = ["Truncated"]


@dataclass(frozen=True)
class Truncated(Source):
    """The law of X given that lower < X <= upper.

    Parameters
    ----------
    source : Source
        A law with a density.
    lower, upper : float, lower < upper
        The interval; infinite ends are allowed.

    Raises
    ------
    ValueError
        If the interval is empty, not a number, or carries no probability.
    TypeError
        If `source` is not a source with a density.

    Examples
    --------
    >>> from bitlaw.theory import Normal, Truncated
    >>> Truncated(Normal(), 0.0, float("inf")).mean
    0.797884560802865...
    """

    source: Source
    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not isinstance(self.source, Source) or self.source.discrete:
            raise TypeError(f"source must be a source with a density, got {self.source!r}")
        object.__setattr__(self, "lower", float(self.lower))
        object.__setattr__(self, "upper", float(self.upper))
        if not self.lower < self.upper:
            raise ValueError(f"lower must be below upper, got {self.lower} and {self.upper}")
        if not self._mass > 0:
            raise ValueError(f"lower, upper: ({self.lower}, {self.upper}) carries no probability")

    @cached_property
    def _mass(self) -> float:
        return float(self.source.partial_moments(self.lower, self.upper)[0])

    @cached_property
    def mean(self) -> float:  # type: ignore[override]
        """Mean."""
        if self.symmetric:
            return 0.0
        low, high = self.support
        middle = low + (high - low) / 2 if np.isfinite(high - low) else (low if np.isfinite(low) else high)
        about = float(middle) if np.isfinite(middle) else 0.0
        mass, first, _ = self.source.partial_moments(self.lower, self.upper, about)
        return about + float(first / mass)

    @cached_property
    def std(self) -> float:  # type: ignore[override]
        """Standard deviation."""
        mass, _, second = self.source.partial_moments(self.lower, self.upper, self.mean)
        return float(np.sqrt(second / mass))

    @property
    def support(self) -> tuple[float, float]:
        """The interval, where it lies inside the support of the source."""
        low, high = self.source.support
        return max(low, self.lower), min(high, self.upper)

    @property
    def symmetric(self) -> bool:
        """Whether a symmetric law was cut symmetrically."""
        return self.source.symmetric and self.lower == -self.upper

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of the source inside the interval, and its finite ends."""
        low, high = self.support
        points = {p for p in (*self.source.breakpoints, low, high) if low <= p <= high and np.isfinite(p)}
        return tuple(sorted(points))

    @property
    def log_concave(self) -> bool:
        """As the source is."""
        return self.source.log_concave

    def _inside(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        x = np.asarray(x, dtype=np.float64)
        return x, np.asarray((x >= self.lower) & (x <= self.upper) | np.isnan(x))

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x; 0 outside the interval."""
        x, inside = self._inside(x)
        return np.where(inside, self.source.pdf(x) / self._mass, 0.0)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x; -inf outside the interval."""
        x, inside = self._inside(x)
        return np.where(inside, self.source.logpdf(x) - np.log(self._mass), -np.inf)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        x = np.asarray(x, dtype=np.float64)
        end = np.where(np.isnan(x), self.lower, np.clip(x, self.lower, self.upper))
        return np.where(np.isnan(x), np.nan, self.source.partial_moments(self.lower, end)[0] / self._mass)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        x = np.asarray(x, dtype=np.float64)
        start = np.where(np.isnan(x), self.upper, np.clip(x, self.lower, self.upper))
        return np.where(np.isnan(x), np.nan, self.source.partial_moments(start, self.upper)[0] / self._mass)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile: the inverse of `cdf`; NaN outside [0, 1]."""
        return self._quantile(np.asarray(q, dtype=np.float64), self.cdf, rising=True)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Inverse of `sf`."""
        return self._quantile(np.asarray(q, dtype=np.float64), self.sf, rising=False)

    def _quantile(self, q: FloatArray, function: object, *, rising: bool) -> FloatArray:
        low, high = self._finite_ends
        at_zero, at_one = self.support if rising else self.support[::-1]
        x = invert_monotone(function, self.pdf, q, np.full(q.shape, low), np.full(q.shape, high))  # type: ignore[arg-type]
        x = np.where(q == 0, at_zero, np.where(q == 1, at_one, x))
        return np.where((q >= 0) & (q <= 1), x, np.nan)

    @cached_property
    def _finite_ends(self) -> tuple[float, float]:
        """The support, infinite ends replaced by quantiles of the source at the end of double precision."""
        low, high = self.support
        return (
            low if np.isfinite(low) else float(self.source.ppf(1e-307)),
            high if np.isfinite(high) else float(self.source.isf(1e-307)),
        )

    @cached_property
    def _entropy(self) -> float:
        edges = panel_edges(self.ppf, self.isf, self.support, self.breakpoints)
        return entropy_over(self.logpdf, edges)

    def differential_entropy(self) -> float:
        """Differential entropy in bits, by quadrature."""
        return self._entropy

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Moments of the part of each interval inside the limits; see `Source.partial_moments`."""
        a, b = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        if (np.isnan(a) | np.isnan(b)).any() or (a > b).any():
            return self.source.partial_moments(a, b, about)  # raises
        a, b = np.clip(a, self.lower, self.upper), np.clip(b, self.lower, self.upper)
        return np.asarray(self.source.partial_moments(a, b, about) / self._mass)
