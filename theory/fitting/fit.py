"""Maximum-likelihood fits of the parametric laws to measured values.

All laws have zero mean, as the sources have; the sample mean stands beside each fit, so that one sees what
that neglects.  Likelihoods are those of densities: data with many equal values (half-precision weights,
pruned ones) are fitted as if they were the smooth law, rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .._arguments import check_choice
from .._typing import ArrayLike
from ..sources import Source
from .family import Estimate, Family
from .generalised_normal_fit import GeneralisedNormalFamily
from .intervals import parameter_intervals
from .kolmogorov_smirnov import ks_distance
from .sample import Sample, as_sample
from .scale_fits import LaplaceFamily, LogisticFamily, NormalFamily, UniformFamily
from .student_t_fit import StudentTFamily

__all__ = ["FAMILIES", "Fit", "fit", "fit_all"]

_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            NormalFamily(),
            LaplaceFamily(),
            StudentTFamily(),
            GeneralisedNormalFamily(),
            LogisticFamily(),
            UniformFamily(),
        )
    }
)

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)


@dataclass(frozen=True, eq=False)
class Fit:
    """The member of a family that makes the data most likely.

    Attributes
    ----------
    family : str
        One of `FAMILIES`.
    source : Source
        The fitted law, in the units of the data.
    parameters : mapping of str to float
        `std`, and `df` or `beta`.
    intervals : mapping of str to (float, float)
        Interval of 95% confidence of each parameter; see `fit`.
    log_likelihood : float
        Sum over the values of the natural logarithm of the density.
    aic : float
        Akaike's criterion, 2 * (number of parameters) - 2 * log_likelihood: lower is better.
    ks_distance : float
        Kolmogorov-Smirnov distance between data and law: the largest difference of their distribution
        functions, exact.
    count : int
        Number of values.
    sample_mean : float
        Mean of the values; the law's is zero.
    bound : str
        "lower" or "upper" where the shape parameter stands at that end of what a fit allows, else "".
    """

    family: str
    source: Source
    parameters: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    log_likelihood: float
    aic: float
    ks_distance: float
    count: int
    sample_mean: float
    bound: str

    @property
    def cross_entropy(self) -> float:
        """Bits a value, -log_likelihood / (count log 2).

        What one fit exceeds another by, its law loses to the other's in every value coded with it.
        """
        return -self.log_likelihood / (self.count * math.log(2))

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; an infinite end of an interval becomes None."""
        return {
            "family": self.family,
            "parameters": dict(self.parameters),
            "intervals": {
                name: [end if math.isfinite(end) else None for end in ends]
                for name, ends in self.intervals.items()
            },
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "cross_entropy": self.cross_entropy,
            "ks_distance": self.ks_distance,
            "count": self.count,
            "sample_mean": self.sample_mean,
            "bound": self.bound,
        }


def fit(array: ArrayLike | Sample, family: str) -> Fit:
    """Fit one family to values by maximum likelihood.

    Parameters
    ----------
    array : array_like of any shape, or Sample
        Values as for `prepare`: finite, at least two, not all equal.
    family : str
        "normal", "laplace", "student_t", "generalised_normal", "logistic" or "uniform".

    Returns
    -------
    Fit
        The maximum over std > 0 and, where there is a shape parameter, over df from 2.05 to 10,000 or beta
        from 0.2 to 20.  A shape at the end of its range is flagged in `bound`: df at 10,000 means that a
        normal law fits as well; df at 2.05 that the tails are those of no law with a variance, and that `std`
        says little.  Intervals are for independent values, by the robust (sandwich) covariance in log std,
        1/df and log beta: they cover their parameter at the stated rate for many values, also where the
        family is only an approximation; those of df reach infinity where the normal law is not excluded.

    Raises
    ------
    TypeError, ValueError
        As `prepare`, for an unknown family, and for "student_t" where more than 67% of the values are
        exactly zero (the likelihood has no maximum).

    Notes
    -----
    For the shape of weights of which many are exactly zero, fit the others.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.random.default_rng(0).laplace(size=5000)
    >>> found = fit(values, "generalised_normal")
    >>> low, high = found.intervals["beta"]
    >>> low < 1 < high
    True
    """
    check_choice("family", family, FAMILIES)
    return _fit(as_sample(array), _FAMILIES[family])


def fit_all(array: ArrayLike | Sample) -> list[Fit]:
    """Fit every family, the best by Akaike's criterion first.

    Parameters
    ----------
    array : array_like of any shape, or Sample
        As for `fit`.

    Returns
    -------
    list of Fit
        In order of ascending `aic`.  Student's t is left out where its likelihood has no maximum: more than
        67% exact zeros.

    Raises
    ------
    TypeError, ValueError
        As `prepare`.

    Examples
    --------
    >>> import numpy as np
    >>> fit_all(np.random.default_rng(0).laplace(size=5000))[0].family
    'laplace'
    """
    sample = as_sample(array)
    fits = [_fit(sample, family) for family in _FAMILIES.values() if family.has_fit(sample)]
    return sorted(fits, key=lambda found: found.aic)


def _fit(sample: Sample, family: Family) -> Fit:
    estimate = family.estimate(sample)
    std = estimate.std * sample.unit
    source = family.source(std, estimate.shape)
    log_likelihood = _log_likelihood(family, estimate, sample)
    intervals = parameter_intervals(family, estimate, sample)
    low, high = intervals["std"]
    intervals["std"] = (low * sample.unit, high * sample.unit)
    parameters = {"std": std} | ({family.shape_name: estimate.shape} if family.shape_name else {})
    return Fit(
        family=family.name,
        source=source,
        parameters=MappingProxyType(parameters),
        intervals=MappingProxyType(intervals),
        log_likelihood=log_likelihood,
        aic=2 * family.parameters - 2 * log_likelihood,
        ks_distance=ks_distance(sample.law, source.cdf),
        count=sample.count,
        sample_mean=sample.moments.mean,
        bound=estimate.bound,
    )


def _log_likelihood(family: Family, estimate: Estimate, sample: Sample) -> float:
    """Sum of log-densities in the units of the data, summed in those of the sample."""
    mean = sample.mean_of(family.source(estimate.std, estimate.shape).logpdf(sample.magnitudes))
    return sample.count * (mean - math.log(sample.unit))
