"""Confidence intervals of fitted parameters by the sandwich covariance.

    cov = A^-1 B A^-1 / n,   A = -mean Hessian,  B = mean (score score^T)

(P. J. Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", Proc. 5th Berkeley
Symp. 1 (1967); H. White, Econometrica 50 (1982), theorem 3.2).  Unlike the inverse of the observed Fisher
information, which is A^-1 / n and equals it where the family is right, it holds also where no member of the
family is the law of the data: the interval is then for the member nearest to that law.  Weights are never
exactly of one family, and there the two differ by factors.

It is taken in coordinates in which estimates are close to normal: log std, 1/df, log beta.  The values are
taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from .._typing import FloatArray
from .family import Estimate, Family
from .sample import Sample

__all__ = ["CONFIDENCE", "parameter_intervals"]

CONFIDENCE = 0.95

Interval = tuple[float, float]
_LogDensity = Callable[[FloatArray], FloatArray]

# Step of the finite differences, in coordinates of order one.  Truncation costs 1e-6 of a derivative and
# rounding 1e-10; tenfold either way stays below 1e-4.
_STEP = 1e-3


def parameter_intervals(family: Family, estimate: Estimate, sample: Sample) -> dict[str, Interval]:
    """Intervals of 95% confidence for `std` and, where the family has one, its shape parameter.

    At an end of the shapes allowed, the interval of the shape is open beyond that end, and that of `std` is
    for this shape.  Uniform laws have an exact interval for `std`, one-sided by nature.
    """
    if family.name == "uniform":
        return {"std": _uniform_interval(estimate, sample)}

    def log_density(theta: FloatArray) -> FloatArray:
        shape = family.shape_at(float(theta[1])) if theta.size > 1 else estimate.shape
        return family.source(math.exp(theta[0]), shape).logpdf(sample.magnitudes)

    log_std = math.log(estimate.std)
    errors = [_standard_errors(log_density, np.array([log_std]), sample)[0]]
    if family.shape_name:
        coordinate = family.coordinate(estimate.shape)
        both = _standard_errors(log_density, np.array([log_std, family.inside(coordinate)]), sample)
        errors = [errors[0] if estimate.bound else both[0], both[1]]
    margins = [_quantile() * float(error) for error in errors]
    intervals = {"std": (estimate.std * math.exp(-margins[0]), estimate.std * math.exp(margins[0]))}
    if family.shape_name:
        intervals[family.shape_name] = _shape_interval(family, estimate, margins[1])
    return intervals


def _quantile() -> float:
    return float(special.ndtri((1 + CONFIDENCE) / 2))


def _shape_interval(family: Family, estimate: Estimate, margin: float) -> Interval:
    coordinate = family.coordinate(estimate.shape)
    low, high = sorted(family.shape_at(coordinate + side * margin) for side in (-1, 1))
    if estimate.bound == "lower":
        low = family.floor
    elif estimate.bound == "upper":
        high = math.inf
    return low, high


def _uniform_interval(estimate: Estimate, sample: Sample) -> Interval:
    """For the bound a of the law P(max |x| <= a r) = 1 - c, r = (1 - c)^(1/n): a is at most max / r."""
    return estimate.std, estimate.std * (1 - CONFIDENCE) ** (-1 / sample.count)


def _standard_errors(log_density: _LogDensity, theta: FloatArray, sample: Sample) -> FloatArray:
    """Square roots of the diagonal of the sandwich; infinite where the likelihood is flat."""
    steps = _STEP * np.eye(theta.size)
    shares = sample.weights / sample.count
    scores = np.array([(log_density(theta + h) - log_density(theta - h)) / (2 * _STEP) for h in steps])
    bread = -np.array([[_second_difference(log_density, theta, g, h, shares) for g in steps] for h in steps])
    meat = np.einsum("im,jm,m->ij", scores, scores, shares)
    if np.linalg.eigvalsh(bread)[0] <= 0:
        return np.full(theta.size, np.inf)
    inverse = np.linalg.inv(bread)
    return np.sqrt(np.diag(inverse @ meat @ inverse) / sample.count)


def _second_difference(
    log_density: _LogDensity, theta: FloatArray, g: FloatArray, h: FloatArray, shares: FloatArray
) -> float:
    """Mixed second derivative of the mean log-likelihood along two coordinates."""
    curve = (
        log_density(theta + g + h)
        - log_density(theta + g - h)
        - log_density(theta - g + h)
        + log_density(theta - g - h)
    )
    return float(np.sum(shares * curve)) / (4 * _STEP**2)
