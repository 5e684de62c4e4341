"""A law restricted to an interval and renormalised."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .._typing import ArrayLike, FloatArray
from .base import Source
from .cells import checked_cells
from .panels import entropy_over, landmarks, panel_edges

__all__ = ["Truncated"]


@dataclass(frozen=True)
class Truncated(Source):
    """The law of X given that X lies between `lower` and `upper`.

    The moments of a cell are those of its part inside the interval, divided by the interval's mass; both come
    from the source, so a narrow or remote interval costs no digits.

    Parameters
    ----------
    source : Source
        A law with a density.
    lower, upper : float, lower < upper
        Ends of the interval; infinite ones leave that side as it is.

    Raises
    ------
    ValueError
        If an end is NaN, lower is not below upper, or the interval holds no mass in double precision.
    TypeError
        If the source is not one with a density, or an end is not a number.

    Examples
    --------
    >>> from bitlaw.theory import Normal, Truncated
    >>> half = Truncated(Normal(), 0.0, float("inf"))
    >>> print(f"{half.mean:.12f} {half.std:.12f}")
    0.797884560803 0.602810274989
    """

    source: Source
    lower: float
    upper: float
    std: float = field(init=False, repr=False, compare=False)
    _mean: float = field(init=False, repr=False, compare=False)
    _mass: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.source, Source) or self.source.discrete:
            raise TypeError(f"source must be a source with a density, got {self.source!r}")
        object.__setattr__(self, "lower", _number("lower", self.lower))
        object.__setattr__(self, "upper", _number("upper", self.upper))
        if not self.lower < self.upper:
            raise ValueError(f"lower must be below upper, got {self.lower} and {self.upper}")
        mass = float(self.source.probability(self.lower, self.upper))
        if not mass > 0.0:
            raise ValueError(f"the interval must hold some mass, got none in ({self.lower}, {self.upper})")
        object.__setattr__(self, "_mass", mass)
        self._set_moments()

    def _set_moments(self) -> None:
        mean = float(self.partial_moments(self.lower, self.upper)[1])
        mass, shift, second = self.partial_moments(self.lower, self.upper, mean)
        object.__setattr__(self, "_mean", mean + float(shift / mass))
        object.__setattr__(self, "std", math.sqrt(second / mass - (shift / mass) ** 2))

    @property
    def mean(self) -> float:
        """Mean of what is left."""
        return self._mean

    @property
    def support(self) -> tuple[float, float]:
        """The interval, as far as the source reaches."""
        low, high = self.source.support
        return max(low, self.lower), min(high, self.upper)

    @property
    def symmetric(self) -> bool:
        """Whether the source is symmetric and what is left of it as well."""
        low, high = self.support
        return self.source.symmetric and low == -high

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The finite ends, and the breakpoints of the source between them."""
        low, high = self.support
        inside = {point for point in self.source.breakpoints if low < point < high}
        return tuple(sorted(inside | {end for end in (low, high) if math.isfinite(end)}))

    @property
    def log_concave(self) -> bool:
        """Whether the source is: an interval takes nothing away."""
        return self.source.log_concave

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x; 0 outside the interval."""
        x = np.asarray(x, dtype=np.float64)
        return np.where((x < self.lower) | (x > self.upper), 0.0, self.source.pdf(x) / self._mass)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x; -inf outside the interval."""
        x = np.asarray(x, dtype=np.float64)
        return np.where(
            (x < self.lower) | (x > self.upper), -np.inf, self.source.logpdf(x) - math.log(self._mass)
        )

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x), with full relative accuracy near the lower end."""
        x = np.asarray(x, dtype=np.float64)
        known = np.where(np.isnan(x), self.lower, np.clip(x, self.lower, self.upper))
        return np.where(np.isnan(x), x, self.source.probability(self.lower, known) / self._mass)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), with full relative accuracy near the upper end."""
        x = np.asarray(x, dtype=np.float64)
        known = np.where(np.isnan(x), self.upper, np.clip(x, self.lower, self.upper))
        return np.where(np.isnan(x), x, self.source.probability(known, self.upper) / self._mass)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile: the inverse of `cdf`; NaN outside [0, 1]."""
        q = np.asarray(q, dtype=np.float64)
        return self._quantile(q, 1.0 - q)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Inverse of `sf`."""
        q = np.asarray(q, dtype=np.float64)
        return self._quantile(1.0 - q, q)

    def _quantile(self, below: FloatArray, above: FloatArray) -> FloatArray:
        # From the nearer tail of the source: sums of positive terms, whatever part of it is left.
        low, high = self.support
        from_below = below * self._mass + self.source.cdf(low)
        from_above = above * self._mass + self.source.sf(high)
        with np.errstate(all="ignore"):
            x = np.where(
                from_below < from_above,
                self.source.ppf(np.minimum(from_below, 1.0)),
                self.source.isf(np.minimum(from_above, 1.0)),
            )
            x = self._polished(np.clip(x, low, high), below, above)
        x = np.where(below == 0.0, low, np.where(above == 0.0, high, np.clip(x, low, high)))
        return np.where((below >= 0.0) & (above >= 0.0), x, np.nan)

    def _polished(self, x: FloatArray, below: FloatArray, above: FloatArray) -> FloatArray:
        """One Newton step: the quantile of a narrow interval is finer than the source's probabilities."""
        excess = np.where(below < above, self.cdf(x) - below, above - self.sf(x))
        moved = x - excess / self.pdf(x)
        return np.where(np.isfinite(moved), moved, x)

    @cached_property
    def _entropy(self) -> float:
        low, high = self.support
        marks = np.concatenate([np.clip(landmarks(self.source), low, high), landmarks(self)])
        # The source's density may be denormal where what is left of the law is not: by logarithms.
        return entropy_over(self, panel_edges(lambda x: np.exp(self.logpdf(x)), self.support, marks))

    def differential_entropy(self) -> float:
        """Differential entropy in bits, by quadrature."""
        return self._entropy

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Moments of the part of each interval that is left; see `Source.partial_moments`."""
        a, b, c, shape = checked_cells(lower, upper, about)
        a, b = np.clip(a, self.lower, self.upper), np.clip(b, self.lower, self.upper)
        return np.asarray(self.source.partial_moments(a, b, c) / self._mass).reshape((3, *shape))

    def distortion_density(self, x: ArrayLike) -> FloatArray:
        """Density of the measure of `partial_moments`."""
        x = np.asarray(x, dtype=np.float64)
        outside = (x < self.lower) | (x > self.upper)
        return np.where(outside, 0.0, self.source.distortion_density(x) / self._mass)


def _number(name: str, value: object) -> float:
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
