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
import scipy

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

# exp(700) is near the end of float64: an estimate that is uncertain by such a factor is not known at all.
_WIDEST = 700.0


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

    def errors_at(*coordinates: float) -> FloatArray:
        return _standard_errors(log_density, np.array([math.log(estimate.std), *coordinates]), sample)

    if not family.shape_name:
        return {"std": _around(estimate.std, float(errors_at()[0]))}
    coordinate = family.coordinate(estimate.shape)
    errors = errors_at(family.inside(coordinate))
    std_error = float((errors_at() if estimate.bound else errors)[0])
    return {
        "std": _around(estimate.std, std_error),
        family.shape_name: _shape_interval(family, estimate, _margin(float(errors[1]))),
    }


def _around(std: float, log_error: float) -> Interval:
    margin = _margin(log_error)
    return std * math.exp(-margin), std * math.exp(margin)


def _margin(error: float) -> float:
    """Half the width of an interval."""
    margin = float(scipy.special.ndtri((1 + CONFIDENCE) / 2)) * error
    return margin if margin < _WIDEST else math.inf


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
    shares = sample.weights / sample.count
    scores, hessian = _derivatives(log_density, theta, shares)
    if np.linalg.eigvalsh(-hessian)[0] <= 0:
        return np.full(theta.size, np.inf)
    inverse = np.linalg.inv(-hessian)
    meat = np.einsum("im,jm,m->ij", scores, scores, shares)
    return np.asarray(np.sqrt(np.diag(inverse @ meat @ inverse) / sample.count))


def _derivatives(
    log_density: _LogDensity, theta: FloatArray, shares: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Score of each point, and mean Hessian, of one or two coordinates."""
    steps = _STEP * np.eye(theta.size)
    centre = log_density(theta)
    above = np.array([log_density(theta + step) for step in steps])
    below = np.array([log_density(theta - step) for step in steps])
    hessian = np.diag(np.sum(shares * (above - 2 * centre + below), axis=1)) / _STEP**2
    if theta.size == 2:
        along, across = steps[0] + steps[1], steps[0] - steps[1]
        mixed = log_density(theta + along) + log_density(theta - along)
        mixed -= log_density(theta + across) + log_density(theta - across)
        hessian[0, 1] = hessian[1, 0] = np.sum(shares * mixed) / (4 * _STEP**2)
    return (above - below) / (2 * _STEP), hessian
