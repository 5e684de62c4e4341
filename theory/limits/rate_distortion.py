"""The least distortion at a rate and the least rate at a distortion, for any source, in proved brackets.

The upper end of a bracket is a test channel that exists; the lower end is a dual function that satisfies its
condition at every real output (see `_tangent`).  Neither uses that the two agree, so a bracket is honest
however badly the search between them went.  Quadrature is the one thing that is estimated rather than proved:
by the difference of two Gauss rules, which is added on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .._typing import FloatArray
from ..sources import Empirical, Normal, Source
from ._atoms import atom_layout
from ._layout import density_layout
from ._search import Bracket, DistortionAt, RateAt, search
from ._tangent import Tangent, tangent
from ._weighted import weighted_law
from .shannon import (
    checked_amount,
    checked_source,
    shannon_lower_bound,
    shannon_lower_bound_rate,
    weights_errors,
)

__all__ = ["DistortionRate", "RateDistortion", "distortion_rate", "rate_distortion"]

_NATS = math.log(2.0)
_MOST_ATOMS = 4000  # distinct values of an empirical law; the time grows in proportion, to a few seconds here
_HIGHEST = 24.0  # bits; beyond, the kernel is narrower than doubles resolve near a point such as sqrt(3)


@dataclass(frozen=True)
class DistortionRate:
    """The distortion-rate function at one rate.

    Attributes
    ----------
    rate : float
        Bits per element.
    distortion : float
        Least mean squared error, in the source's units squared: that of a test channel, the upper end.
    lower, upper : float
        Proved bracket of it.
    slope : float
        -dD/dR, distortion per bit: what `entropy_constrained` calls slope.  NaN at rate 0 where errors are
        weighted.
    method : str
        "closed form" or "test channel and dual bound".
    tangents : int
        Supporting lines computed; 0 for a closed form.
    """

    rate: float
    distortion: float
    lower: float
    upper: float
    slope: float
    method: str
    tangents: int = 0

    @property
    def bracket_bits(self) -> float:
        """Width of the bracket in bits of rate, by the slope; 0 where both ends agree."""
        return (self.upper - self.lower) / self.slope if self.upper > self.lower else 0.0


@dataclass(frozen=True)
class RateDistortion:
    """The rate-distortion function at one distortion.

    Attributes
    ----------
    distortion : float
        Mean squared error, in the source's units squared.
    rate : float
        Least rate in bits per element: that of a test channel, the upper end.
    lower, upper : float
        Proved bracket of it.
    slope : float
        -dD/dR, distortion per bit; infinite where the rate is 0.
    method : str
        "closed form" or "test channel and dual bound".
    tangents : int
        Supporting lines computed; 0 for a closed form.
    """

    distortion: float
    rate: float
    lower: float
    upper: float
    slope: float
    method: str
    tangents: int = 0

    @property
    def bracket_bits(self) -> float:
        """Width of the bracket in bits."""
        return self.upper - self.lower


def distortion_rate(source: Source, rate: float) -> DistortionRate:
    """Least mean squared error that any code of a rate can reach.

    D(R) = min E (X - Y)^2 over all Y with I(X; Y) <= R.  Where the source weights its errors, such as an element
    divided by its block's scale, the error of a letter x counts rho(x) = (weighted density) / (density) times
    its square, at an atom the ratio of the masses.

    Parameters
    ----------
    source : Source
        Law of the data; independent elements.
    rate : float
        Bits per element, 0 to 24.

    Returns
    -------
    DistortionRate
        A closed form for the Gaussian, at rate 0, and for atoms at or above their entropy.  Elsewhere a
        proved bracket, at most 1e-6 bit wide from 0.05 to 8 bits for the laws of this package (measured:
        2e-7), and as wide as it says everywhere.  Results are remembered.

    Raises
    ------
    TypeError
        If the source is no `Source` or the rate no number.
    ValueError
        If the rate is negative, over 24, NaN or infinite, or an empirical law has over 4000 distinct
        values; with weighted errors also if the rate (12 bits or so on a bounded support), heavy tails or very
        different weights would take too many cells, or the source has an atom at a place that it does not name
        in its breakpoints.

    Notes
    -----
    For divided elements this is the limit of codes of whatever length that work on them one by one, without a
    look at their scale: rho(u) = E[S^2 | U = u].  A code that spends its bits by the scale can do better.

    This is the limit over codes of any length and delay.  What a scalar quantiser with an ideal entropy code
    reaches is `entropy_constrained`, up to 0.2546 bit above.

    References
    ----------
    Blahut (1972), Computation of channel capacity and rate-distortion functions; Csiszar (1974), On an
    extremum problem of information theory; Berger (1971), Rate Distortion Theory, for any measure of distortion,
    input-weighted ones included; Rose (1994), A mapping approach to rate-distortion computation and
    analysis.

    Examples
    --------
    >>> from bitlaw.theory import Laplace, Normal
    >>> distortion_rate(Normal(), 2).distortion
    0.0625
    >>> limit = distortion_rate(Laplace(), 1)
    >>> round(limit.distortion, 6), limit.bracket_bits < 1e-6
    (0.217122, True)
    """
    source, rate = checked_source(source, weighted=True), checked_amount("rate", rate)
    if rate > _HIGHEST:
        raise ValueError(f"rate must be at most {_HIGHEST:g} bits, got {rate!r}")
    return _distortion_rate(source, rate)


@lru_cache(maxsize=4096)
def _distortion_rate(source: Source, rate: float) -> DistortionRate:
    if weights_errors(source):
        return _weighted_distortion_rate(source, rate)
    variance = source.std**2
    if rate == 0 or isinstance(source, Normal):
        distortion = variance * math.exp2(-2 * rate)
        return DistortionRate(rate, distortion, distortion, distortion, 2 * _NATS * distortion, "closed form")
    line_at, entropy = _lines(source)
    if rate >= entropy:
        return DistortionRate(rate, 0.0, 0.0, 0.0, 0.0, "closed form")
    floor = shannon_lower_bound(source, rate)
    first = 0.5 / (floor if floor > 0 else variance * math.exp2(-2 * rate))
    found = search(DistortionAt(rate * _NATS, variance), line_at, first, floor)
    upper = min(found.upper, variance * math.exp2(-2 * rate))
    return DistortionRate(rate, upper, min(found.lower, upper), upper, *_how(found))


def rate_distortion(source: Source, distortion: float) -> RateDistortion:
    """Least rate at which any code can keep the mean squared error within a distortion.

    R(D) = min I(X; Y) over all Y with E (X - Y)^2 <= D: the inverse of `distortion_rate`.

    Parameters
    ----------
    source : Source
        Law of the data; independent elements.
    distortion : float
        Mean squared error in the source's units squared, > 0 (0 for a law of atoms, too).

    Returns
    -------
    RateDistortion
        A closed form for the Gaussian and from the variance on, where the rate is 0; elsewhere a proved
        bracket, as for `distortion_rate`.  Results are remembered.

    Raises
    ------
    TypeError
        If the source is no `Source` or the distortion no number.
    ValueError
        If the distortion is negative, NaN or infinite, 0 for a law with a density, or so small that the rate
        exceeds 24 bits; if an empirical law has over 4000 distinct values.

    References
    ----------
    As for `distortion_rate`.

    Examples
    --------
    >>> from bitlaw.theory import Normal, Uniform
    >>> rate_distortion(Normal(std=2.0), 0.25).rate
    2.0
    >>> round(rate_distortion(Uniform(), 0.0474490956).rate, 6)
    2.0
    """
    source = checked_source(source, weighted=True)
    return _rate_distortion(source, checked_amount("distortion", distortion, zero=source.discrete))


@lru_cache(maxsize=4096)
def _rate_distortion(source: Source, distortion: float) -> RateDistortion:
    if weights_errors(source):
        return _weighted_rate_distortion(source, distortion)
    variance = source.std**2
    if distortion >= variance:
        return RateDistortion(distortion, 0.0, 0.0, 0.0, math.inf, "closed form")
    if isinstance(source, Normal):
        rate = 0.5 * math.log2(variance / distortion)
        return RateDistortion(distortion, rate, rate, rate, 2 * _NATS * distortion, "closed form")
    line_at, entropy = _lines(source)
    if distortion == 0:
        return RateDistortion(0.0, entropy, entropy, entropy, 0.0, "closed form")
    floor = shannon_lower_bound_rate(source, distortion)
    if floor > _HIGHEST:
        raise ValueError(f"distortion {distortion!r} needs more than {_HIGHEST:g} bits")
    found = search(RateAt(distortion, variance), line_at, 0.5 / distortion, floor * _NATS)
    upper = min(found.upper / _NATS, 0.5 * math.log2(variance / distortion), entropy)
    return RateDistortion(distortion, upper, min(found.lower / _NATS, upper), upper, *_how(found))


def _weighted_distortion_rate(source: Source, rate: float) -> DistortionRate:
    law = weighted_law(source)
    share = 1 - law.letters.silent
    if rate == 0:
        most = share * law.most
        return DistortionRate(rate, most, most, most, math.nan, "closed form")
    if rate >= share * law.entropy:
        return DistortionRate(rate, 0.0, 0.0, 0.0, 0.0, "closed form")
    found = law.distortion_at(rate * _NATS)
    return DistortionRate(rate, found.upper, found.lower, found.upper, *_how(found))


def _weighted_rate_distortion(source: Source, distortion: float) -> RateDistortion:
    law = weighted_law(source)
    share = 1 - law.letters.silent
    if distortion >= share * law.most:
        return RateDistortion(distortion, 0.0, 0.0, 0.0, math.inf, "closed form")
    if distortion == 0:
        entropy = share * law.entropy
        return RateDistortion(0.0, entropy, entropy, entropy, 0.0, "closed form")
    found = law.rate_at(distortion)
    return RateDistortion(
        distortion, found.upper / _NATS, found.lower / _NATS, found.upper / _NATS, *_how(found)
    )


def _how(found: Bracket) -> tuple[float, str, int]:
    return _NATS / found.slope, "test channel and dual bound", found.tangents


def _lines(source: Source) -> tuple[Callable[[float, int], Tangent], float]:
    """Tangents of a law by kernel width and rounds, and its entropy in bits (infinite with a density)."""
    if not source.discrete:
        return lambda width, rounds: tangent(density_layout(source, width), rounds), math.inf
    points, masses = _atoms(source)
    entropy = float(-masses @ np.log2(masses))
    return lambda width, rounds: tangent(atom_layout(points, masses, width), rounds), entropy


def _atoms(source: Source) -> tuple[FloatArray, FloatArray]:
    """Distinct values of an empirical law and their probabilities."""
    if not isinstance(source, Empirical):
        raise TypeError(f"source must have a density or be Empirical, got {source!r}")
    if source.distinct > _MOST_ATOMS:
        raise ValueError(
            f"source must have at most {_MOST_ATOMS} distinct values for an exact rate-distortion function, "
            f"got {source.distinct}; fit a family to the data, or thin them"
        )
    values, inverse = np.unique(source.values.astype(np.float64), return_inverse=True)
    weights = source.weights if source.weights.size else np.ones(source.values.size)
    return values, np.bincount(inverse, weights=weights) / source.total
