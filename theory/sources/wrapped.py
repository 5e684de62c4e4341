"""Any frozen continuous law of scipy.stats as a source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .._typing import ArrayLike, FloatArray
from .base import Source
from .cells import checked_cells
from .panels import entropy_over, moments_over, panel_edges

__all__ = ["Wrapped", "from_scipy"]


@dataclass(frozen=True, eq=False)
class Wrapped(Source):
    """A frozen scipy.stats law; made by `from_scipy`."""

    law: Any
    is_log_concave: bool
    extra_breakpoints: tuple[float, ...]

    @cached_property
    def _mean_variance(self) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            mean, variance = self.law.stats(moments="mv")
        return float(mean), float(variance)

    @property
    def mean(self) -> float:
        """Mean as scipy states it."""
        return self._mean_variance[0]

    @cached_property
    def std(self) -> float:  # type: ignore[override]
        """Standard deviation as scipy states it."""
        return float(np.sqrt(self._mean_variance[1]))

    @cached_property
    def support(self) -> tuple[float, float]:  # type: ignore[override]
        """Support as scipy states it."""
        low, high = self.law.support()
        return float(low), float(high)

    @property
    def symmetric(self) -> bool:
        """Never claimed: the methods of scipy do not promise it to the last bit."""
        return False

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those the caller named, and the finite ends of the support."""
        ends = (p for p in self.support if np.isfinite(p))
        return tuple(sorted({*self.extra_breakpoints, *ends}))

    @property
    def log_concave(self) -> bool:
        """As the caller stated."""
        return self.is_log_concave

    def _call(self, name: str, x: ArrayLike) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray(getattr(self.law, name)(np.asarray(x, dtype=np.float64)), dtype=np.float64)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return self._call("pdf", x)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x."""
        return self._call("logpdf", x)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return self._call("cdf", x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return self._call("sf", x)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile."""
        return self._call("ppf", q)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Inverse of `sf`."""
        return self._call("isf", q)

    @cached_property
    def _edges(self) -> FloatArray:
        return panel_edges(self.ppf, self.isf, self.support, self.breakpoints)

    @cached_property
    def _entropy(self) -> float:
        return entropy_over(self.logpdf, self._edges)

    def differential_entropy(self) -> float:
        """Differential entropy in bits, by quadrature."""
        return self._entropy

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Moments by quadrature of scipy's density; see `Source.partial_moments`."""
        a, b, c, shape = checked_cells(lower, upper, about)
        return moments_over(self.pdf, self._edges, a, b, c).reshape((3, *shape))


def from_scipy(law: Any, *, log_concave: bool = False, breakpoints: tuple[float, ...] = ()) -> Wrapped:
    """Wrap a frozen continuous law of scipy.stats.

    Parameters
    ----------
    law : frozen distribution
        For example `scipy.stats.gamma(2.0)`; of finite variance, any mean.
    log_concave : bool
        State that the density is log-concave, so that designs carry that certificate.
    breakpoints : tuple of float
        Points inside the support where the density has a kink or a pole.

    Returns
    -------
    Wrapped
        Its accuracy is that of scipy's density: 1e-12 for moments of the smooth ones.

    Raises
    ------
    TypeError
        If `law` is not a frozen continuous distribution.
    ValueError
        If its variance is not positive and finite.

    Examples
    --------
    >>> import scipy.stats
    >>> from bitlaw.theory import from_scipy, lloyd_max
    >>> lloyd_max(from_scipy(scipy.stats.expon()), 2).codepoints.round(6)
    array([0.593624, 2.593624])
    """
    if not all(hasattr(law, name) for name in ("dist", "logpdf", "ppf", "isf", "support", "stats")):
        raise TypeError(f"law must be a frozen continuous scipy.stats distribution, got {law!r}")
    wrapped = Wrapped(law, log_concave, tuple(float(p) for p in breakpoints))
    if not (np.isfinite(wrapped.mean) and np.isfinite(wrapped.std) and wrapped.std > 0):
        raise ValueError(f"law must have a finite positive variance, got {wrapped._mean_variance[1]}")
    return wrapped
