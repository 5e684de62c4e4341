"""Any frozen continuous law of scipy.stats as a source.

Its density is all that is integrated: panels are fitted to it once (about ten milliseconds), and mean,
standard deviation, moments and entropy come from them.  Tail probabilities and quantiles are scipy's own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .._typing import ArrayLike, FloatArray
from .base import Source
from .cells import checked_cells
from .panels import entropy_over, landmarks, moments_over, panel_edges, tail_power

__all__ = ["Wrapped", "from_scipy"]

_LEAST_POWER = 3.0001  # |x|^-3 has no variance, and rounding must not give it one
_NEEDED = ("pdf", "logpdf", "cdf", "sf", "ppf", "isf", "support", "dist", "args", "kwds")


@dataclass(frozen=True)
class Wrapped(Source):
    """A frozen scipy.stats law; see `from_scipy`, which makes it."""

    distribution: Any
    log_concave: bool = False
    breakpoints: tuple[float, ...] = ()
    std: float = field(init=False, repr=False, compare=False)
    _mean: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low, high = self.support
        if not low < high:
            raise ValueError(f"the distribution must have parameters in their range, got {self._name}")
        ends = {end for end in (low, high) if math.isfinite(end)}
        inside = {point for point in _points(self.breakpoints) if low < point < high}
        object.__setattr__(self, "breakpoints", tuple(sorted(ends | inside)))
        power = tail_power(self.pdf, self._edges, (low, high))
        if not power > _LEAST_POWER:
            raise ValueError(
                f"the distribution must have a finite variance; the density of {self._name} falls "
                f"only as |x|^-{power:.4g}"
            )
        mass, first, _ = self.partial_moments(low, high)
        mean = float(first / mass)
        mass, shift, spread = self.partial_moments(low, high, mean)
        object.__setattr__(self, "_mean", mean + float(shift / mass))
        object.__setattr__(self, "std", math.sqrt(spread / mass - (shift / mass) ** 2))

    @property
    def _name(self) -> str:
        keywords = [f"{key}={value!r}" for key, value in self.distribution.kwds.items()]
        return f"{self.distribution.dist.name}({', '.join([*map(repr, self.distribution.args), *keywords])})"

    def __repr__(self) -> str:
        return f"from_scipy({self._name}, log_concave={self.log_concave})"

    @property
    def mean(self) -> float:
        """Mean, by quadrature."""
        return self._mean

    @cached_property
    def support(self) -> tuple[float, float]:
        """Ends of the support, as scipy states them."""
        low, high = self.distribution.support()
        return float(low), float(high)

    @property
    def symmetric(self) -> bool:
        """Never claimed: scipy does not promise mirrored results to the last bit."""
        return False

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return self._ask("pdf", x)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x."""
        return self._ask("logpdf", x)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return self._ask("cdf", x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return self._ask("sf", x)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile."""
        return self._ask("ppf", q)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Upper quantile."""
        return self._ask("isf", q)

    def _ask(self, method: str, x: ArrayLike) -> FloatArray:
        # Some of scipy's special functions warn through Python rather than through numpy's error state.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = getattr(self.distribution, method)(np.asarray(x, dtype=np.float64))
        return np.asarray(answer, dtype=np.float64)

    @cached_property
    def _edges(self) -> FloatArray:
        return panel_edges(self.pdf, self.support, landmarks(self))

    @cached_property
    def _entropy(self) -> float:
        return entropy_over(self, self._edges)

    def differential_entropy(self) -> float:
        """Differential entropy in bits, by quadrature."""
        return self._entropy

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Mass, first and second moment of intervals about a point; see `Source.partial_moments`."""
        a, b, c, shape = checked_cells(lower, upper, about)
        with np.errstate(all="ignore"):
            return moments_over(self.pdf, self._edges, a, b, c).reshape((3, *shape))


def _points(breakpoints: Sequence[float]) -> tuple[float, ...]:
    try:
        points = tuple(float(point) for point in breakpoints)
    except (TypeError, ValueError):
        raise TypeError(f"breakpoints must be a sequence of numbers, got {breakpoints!r}") from None
    if any(math.isnan(point) for point in points):
        raise ValueError(f"breakpoints must be numbers, got {points}")
    return points


def from_scipy(distribution: Any, *, log_concave: bool = False, breakpoints: Sequence[float] = ()) -> Wrapped:
    """Make a source of a frozen continuous law of scipy.stats.

    Parameters
    ----------
    distribution : frozen scipy.stats distribution
        Continuous, with a density and a finite variance; any mean, any support, symmetric or not.
    log_concave : bool
        Whether the density is log-concave: the caller's knowledge, which certificates of optimality rest on.
    breakpoints : sequence of float
        Points inside the support where the density has a kink or a pole.  They are found without it, but only
        to the width of a few roundings.

    Returns
    -------
    Wrapped
        Partial moments are as exact as scipy's density where that is piecewise smooth; tail probabilities and
        quantiles are scipy's.  With a power tail, what lies where the density underflows is lost (1e-10 of
        the variance of Student's t at df = 2.1: use `StudentT`); so is 1e-9 of the mass at a pole that is
        not at 0.

    Raises
    ------
    TypeError
        If it is not a frozen continuous scipy.stats distribution.
    ValueError
        If its variance is infinite, or its density does not integrate to one or is not piecewise smooth.

    Examples
    --------
    >>> from scipy import stats
    >>> law = from_scipy(stats.expon(), log_concave=True)
    >>> print(law.partial_moments(1.0, float("inf"), 2.0).round(12))
    [0.36787944 0.         0.36787944]
    """
    if not all(hasattr(distribution, name) for name in _NEEDED):
        raise TypeError(f"distribution must be a frozen continuous scipy.stats law, got {distribution!r}")
    return Wrapped(distribution, bool(log_concave), breakpoints)  # type: ignore[arg-type]
