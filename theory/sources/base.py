"""What a source is: a one-dimensional law that answers its partial moments exactly.

Every designer and every evaluation in bitlaw asks a source for one thing above all: mass, first and second
moment of an interval, taken about any point.  With them the distortion of a cell is one number
(the second moment about its codepoint), its centroid condition another (the first moment about its
codepoint), and nothing has to be sampled.

The catch is cancellation.  A cell of width 1e-9 loses nine digits if its mass is a difference of two
distribution functions, and a second moment about a far point loses more.  Cells that are narrow on the scale
of the law are therefore integrated by Gauss-Legendre quadrature directly about the asked point, where all
terms are positive; wide and infinite cells use the law's closed forms, taken from the nearer tail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .._typing import ArrayLike, FloatArray

__all__ = ["Source"]


class Source(ABC):
    """A one-dimensional law with exact partial moments.

    Attributes
    ----------
    mean, std : float
        Mean and standard deviation, in the units of the data.
    support : tuple of float
        Smallest closed interval (possibly infinite) that holds all the mass.
    breakpoints : tuple of float
        Points inside or at the ends of the support where the density is not analytic, ascending: where a
        quadrature over the law must be cut.
    symmetric : bool
        The law of x equals the law of -x, and the methods honour it to the last bit.
    log_concave : bool
        The logarithm of the density is concave on the support: Lloyd-Max quantisers are then unique.
    discrete : bool
        The law has atoms only (an empirical law): it has no density.

    Notes
    -----
    Two measures are kept apart for the sake of laws whose errors are weighted, such as an element divided
    by its block's scale: `partial_moments` and `distortion_density` speak of the measure that weights the
    error, `probability`, `pdf` and `cdf` of the plain law, which fixes code lengths.  They are the same
    measure unless a source says otherwise.
    """

    std: float
    discrete: bool = False

    @property
    def mean(self) -> float:
        """Mean of the law."""
        return 0.0

    @property
    def support(self) -> tuple[float, float]:
        """Ends of the support."""
        return (-np.inf, np.inf)

    @property
    def symmetric(self) -> bool:
        """Whether x and -x have one law."""
        return True

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Points where the density is not analytic."""
        return ()

    @property
    @abstractmethod
    def log_concave(self) -> bool:
        """Whether the density is log-concave."""

    @abstractmethod
    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x; 0 outside the support, NaN where x is NaN."""

    @abstractmethod
    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x; -inf outside the support."""

    @abstractmethod
    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""

    @abstractmethod
    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), with full relative accuracy in the upper tail."""

    @abstractmethod
    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile: the inverse of `cdf`; NaN outside [0, 1]."""

    @abstractmethod
    def isf(self, q: ArrayLike) -> FloatArray:
        """Inverse of `sf`, accurate for small q."""

    @abstractmethod
    def differential_entropy(self) -> float:
        """Differential entropy in bits; -inf for a discrete law."""

    @abstractmethod
    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Mass, first and second moment of intervals: the integral of (x - about)^k over (lower, upper].

        Parameters
        ----------
        lower, upper : array_like, broadcast together
            Ends of the intervals, infinite ends allowed, lower <= upper.
        about : array_like
            Point(s) the moments are taken about.

        Returns
        -------
        ndarray of float64, shape (3, ...)
            Moments of order 0, 1 and 2, to a relative accuracy of 1e-12 (the first moment relative to the
            integral of |x - about|).

        Raises
        ------
        ValueError
            If an end is NaN, or a lower end lies above its upper end.
        """

    def probability(self, lower: ArrayLike, upper: ArrayLike) -> FloatArray:
        """Probability of the intervals (lower, upper]."""
        mass: FloatArray = self.partial_moments(lower, upper)[0]
        return mass

    def distortion_density(self, x: ArrayLike) -> FloatArray:
        """Density of the measure of `partial_moments`; the plain density unless errors are weighted."""
        return self.pdf(x)
