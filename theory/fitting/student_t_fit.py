"""Maximum likelihood over the degrees of freedom and the scale of Student's t law.

For given df = n the scale s solves  (n + 1) mean y / (1 + y) = 1,  y = x^2 / (n s^2), whose left side falls
in s.  Along these roots the derivative of the mean log-likelihood in n is

    [psi((n + 1)/2) - psi(n/2) - mean log(1 + y)] / 2,

because the likelihood is stationary in s.  Its root is found in 1/n, in which the normal law (1/n = 0) is an
ordinary point and the log-likelihood is close to a parabola.

Two ends.  The variance must be finite, so df stays above 2: at `limits[0]` the standard deviation is already
6.4 scales, and data that push df there have tails that no law with a variance follows.  And light-tailed data
push df to infinity: at `limits[1]` the law differs from a normal law by 7.5e-9 nats a value
(3 / (4 df^2), Kullback-Leibler), so that the normal fit then has the better AIC.

K. L. Lange, R. J. A. Little, J. M. G. Taylor, "Robust statistical modeling using the t distribution", J. Am.
Stat. Assoc. 84 (1989), fit the same likelihood by EM, which converges linearly.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from ..sources import Source, StudentT
from .family import Estimate, Family
from .roots import decreasing_root, highest_peak
from .sample import Sample

__all__ = ["StudentTFamily"]

# Points of the first search in 1/df.  Tuned: on weights 4 find the same peak; cost is in proportion.
_GRID = 13

# 1/df at which derivatives are taken for larger df: closer to 0 rounding in the density's constant shows,
# and they vary by about this fraction.
_LEAST_COORDINATE = 0.005


class StudentTFamily(Family):
    """Student's t laws of finite variance."""

    name = "student_t"
    shape_name = "df"
    limits = (2.05, 1e4)
    floor = 2.0

    def estimate(self, sample: Sample) -> Estimate:
        """Search in 1/df, the scale solved for at each."""
        if not self.has_fit(sample):
            raise ValueError(
                f"student_t has no maximum-likelihood fit: {sample.moments.zeros:.1%} of the values are "
                "exactly zero, and with so many the likelihood is unbounded; fit the other values"
            )
        squares = sample.magnitudes**2
        start = 0.5 * math.log(sample.mean_of(squares))

        def scale_term(log_scale: float, df: float) -> float:
            y = squares * math.exp(-2 * log_scale) / df
            return (df + 1) * sample.mean_of(y / (1 + y)) - 1

        def log_scale_at(df: float) -> float:
            return decreasing_root(lambda u: scale_term(u, df), start)

        def profile(inverse: float) -> tuple[float, float]:
            df = 1 / inverse
            log_scale = log_scale_at(df)
            spread = sample.mean_of(np.log1p(squares * math.exp(-2 * log_scale) / df))
            peak = -float(scipy.special.betaln(df / 2, 0.5)) - 0.5 * math.log(df)
            slope = 0.5 * (float(scipy.special.psi((df + 1) / 2) - scipy.special.psi(df / 2)) - spread)
            return peak - log_scale - (df + 1) / 2 * spread, -df * df * slope

        df, bound = self.shape_and_bound(highest_peak(profile, self.grid(_GRID)))
        return Estimate(math.exp(log_scale_at(df)) * math.sqrt(df / (df - 2)), df, bound)

    def source(self, std: float, shape: float) -> Source:
        """Build `StudentT`."""
        return StudentT(shape, std=std)

    def coordinate(self, shape: float) -> float:
        """1/df."""
        return 1 / shape

    def shape_at(self, coordinate: float) -> float:
        """Between 2 and infinity."""
        return math.inf if coordinate <= 0 else max(1 / coordinate, self.floor)

    def inside(self, coordinate: float) -> float:
        """At least 1/200."""
        return max(coordinate, _LEAST_COORDINATE)

    def has_fit(self, sample: Sample) -> bool:
        """Not where zeros let the likelihood grow without bound as the scale goes to 0.

        A zero adds -log s to it and any other value df log s: it is unbounded where zeros / others >= df.
        """
        return sample.moments.zeros < self.limits[0] / (self.limits[0] + 1)
