"""Shannon's lower bound on the distortion at a rate: what the entropy of the source alone forbids.

A reproduction error of mean square D has at most the differential entropy of a Gaussian of variance D, so
R(D) >= h(X) - (1/2) log2(2 pi e D).  The bound is the truth for the Gaussian, and within 1e-10 of it for
smooth laws above 1 or 2 bits; jumps and cusps of the density keep the truth away from it by an amount that
falls as a power of the distortion only.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from ..sources import Source
from ._letters import law_atoms

__all__ = [
    "checked_amount",
    "checked_source",
    "shannon_lower_bound",
    "shannon_lower_bound_rate",
    "weights_errors",
]


def checked_source(source: object, name: str = "source", *, weighted: bool = False) -> Source:
    """Return the source, or raise TypeError.

    A source that weights its errors is refused unless it is allowed: its distortion is not that of its density.
    """
    if not isinstance(source, Source):
        raise TypeError(f"{name} must be a Source, such as Laplace(), got {source!r}")
    if not weighted and weights_errors(source):
        raise TypeError(
            f"{name} must weight all errors alike and have no atoms beside a density, got {source!r}"
        )
    return source


def weights_errors(source: Source) -> bool:
    """Whether the measure of errors and the plain one differ, or atoms stand beside the density."""
    apart = type(source).probability is not Source.probability
    if source.discrete or (apart and law_atoms(source)[0].size):
        return apart
    if type(source).distortion_density is Source.distortion_density:
        return False
    points = source.ppf(np.array([0.011, 0.23, 0.41, 0.67, 0.93]))
    return not np.allclose(source.distortion_density(points), source.pdf(points), rtol=1e-9, atol=0.0)


def checked_amount(name: str, value: object, *, zero: bool = True) -> float:
    """Return a finite number >= 0 (> 0 where zero is not allowed) as a float, or raise."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    number = float(value)
    if not (math.isfinite(number) and (number >= 0 if zero else number > 0)):
        raise ValueError(f"{name} must be finite and {'not negative' if zero else 'positive'}, got {value!r}")
    return number


def _alike(source: object) -> Source:
    if isinstance(source, Source) and weights_errors(source):
        raise TypeError(
            "source must weight all errors alike and have no atoms beside a density: Shannon's expression is no "
            f"bound otherwise; take distortion_rate, or linder_zamir for a high rate; got {source!r}"
        )
    return checked_source(source)


def shannon_lower_bound(source: Source, rate: float) -> float:
    """Mean squared error that no code of a rate can fall below, from the differential entropy alone.

    D >= min(variance, 2^(2 (h - rate)) / (2 pi e)), with h the differential entropy in bits.

    Parameters
    ----------
    source : Source
        Law of the data.
    rate : float
        Bits per element, >= 0.

    Returns
    -------
    float
        Distortion in the source's units squared; 0 for a law of atoms, which has no differential entropy.

    Raises
    ------
    TypeError
        If the source is no `Source` or the rate no number; if the source weights its errors or has atoms beside
        a density, where the expression is no bound.
    ValueError
        If the rate is negative, NaN or infinite.

    See Also
    --------
    distortion_rate : the truth, within a proved bracket; prefer it where a limit is quoted.
    linder_zamir : the same expression as an asymptote, for weighted errors and atoms too.

    References
    ----------
    Shannon (1959), Coding theorems for a discrete source with a fidelity criterion; Berger (1971),
    Rate Distortion Theory, eq. 4.3.32.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> shannon_lower_bound(Normal(), 2)
    0.0625
    """
    law, rate = _alike(source), checked_amount("rate", rate)
    exponent = 2 * (law.differential_entropy() - rate) - math.log2(2 * math.pi * math.e)
    return min(math.exp2(exponent), law.std**2)  # above it by rounding only


def shannon_lower_bound_rate(source: Source, distortion: float) -> float:
    """Rate that no code of a mean squared error can fall below: the inverse of `shannon_lower_bound`.

    R >= max(0, h - (1/2) log2(2 pi e D)).

    Parameters
    ----------
    source : Source
        Law of the data.
    distortion : float
        Mean squared error in the source's units squared, > 0.

    Returns
    -------
    float
        Bits per element; 0 for a law of atoms.

    Raises
    ------
    TypeError
        If the source is no `Source` or the distortion no number; if the source weights its errors or has atoms
        beside a density.
    ValueError
        If the distortion is not positive and finite.

    References
    ----------
    As for `shannon_lower_bound`.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> shannon_lower_bound_rate(Normal(), 0.0625)
    2.0
    """
    law, distortion = _alike(source), checked_amount("distortion", distortion, zero=False)
    if distortion >= law.std**2:
        return 0.0
    return max(0.0, law.differential_entropy() - 0.5 * math.log2(2 * math.pi * math.e * distortion))
