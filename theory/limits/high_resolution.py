"""Distortion of scalar quantisers with many levels, from the density of codepoints alone.

With N levels spread as a density lambda the cell at x has width 1 / (N lambda(x)), and the error is uniform
in it (Bennett 1948).  What remains are integrals of powers of the density, taken here by quadrature that
follows power-law tails to their end.

Where a source weights its errors (an element divided by its block's scale), the density that weighs them takes
the place of the density in Bennett's integral and Panter and Dite's formula.  Atoms beside the density take a
codepoint each, which many levels do not feel.

The catch is how many levels are many: where the density is smooth the next term falls like 1 / N, but it
carries the weight of the tails; docs/limits.md says from which N on each formula holds to 1%.
"""

from __future__ import annotations

import math

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from ._letters import law_atoms, weighted_letters
from ._tail_quadrature import integral
from .linder_zamir import FineLaw, fine_law
from .shannon import checked_amount, checked_source, weights_errors

__all__ = [
    "GISH_PIERCE_GAP",
    "bennett_integral",
    "companding_distortion",
    "gish_pierce",
    "gish_pierce_rate",
    "panter_dite",
    "power_integral",
]

# Bits above the Shannon bound of a fine uniform quantiser with an ideal entropy code, in the limit: 0.2546.
GISH_PIERCE_GAP = 0.5 * math.log2(math.pi * math.e / 6)


def power_integral(source: Source, power: float) -> float:
    """Integral of a power of the density, the norm that high-resolution theory is made of.

    The integral of f(x)^power dx over the support.

    Parameters
    ----------
    source : Source
        Law with a density.
    power : float
        Exponent, finite, > 0.

    Returns
    -------
    float
        To a relative accuracy of 1e-12 for the laws of this package; infinite where it diverges.

    Raises
    ------
    TypeError
        If the source is no `Source` with a density, or the power no number.
    ValueError
        If the power is not positive and finite.

    Examples
    --------
    >>> from bitlaw.theory import Uniform
    >>> round(power_integral(Uniform(), 0.5) ** 2, 12) == round(2 * 3**0.5, 12)
    True
    """
    law, power = _with_density(source), checked_amount("power", power, zero=False)
    return integral(law, lambda x: power * law.logpdf(x))


def bennett_integral(source: Source, point_density: Source) -> float:
    """Distortion times the squared number of levels, for any density of codepoints.

    N^2 D goes to (1/12) times the integral of f(x) / lambda(x)^2 dx.

    Parameters
    ----------
    source : Source
        Law of the data, with a density.
    point_density : Source
        A law whose density is that of the codepoints, such as `Normal(std=3**0.5)` for the best quantiser of
        a standard normal.

    Returns
    -------
    float
        In the source's units squared; infinite where the codepoints are too rare in the tails.

    Raises
    ------
    TypeError
        If an argument is no `Source` with a density.

    Notes
    -----
    Not for codepoints that are bounded while the data are not: their overload is another matter.

    References
    ----------
    Bennett (1948), Spectra of quantized signals, eq. 1.6; Gray and Neuhoff (1998), Quantization, eq. 21.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> round(bennett_integral(Normal(), Normal(std=3**0.5)), 6)  # sqrt(3) pi / 2
    2.720699
    """
    law, codes = _with_density(source, weighted=True), _with_density(point_density, "point_density")
    return integral(law, lambda x: _log_weighted(law, x) - 2 * codes.logpdf(x)) / 12


def companding_distortion(source: Source, levels: int, *, power: float = 1 / 3) -> float:
    """Distortion of codepoints whose density is a power of the source's, with many levels.

    (1 / 12 N^2) (integral of f^power)^2 (integral of f^(1 - 2 power)); least at power 1/3.

    Parameters
    ----------
    source : Source
        Law of the data, with a density.
    levels : int
        Number of codepoints, >= 1.
    power : float
        Exponent of the density, > 0.

    Returns
    -------
    float
        In the source's units squared; infinite where an integral diverges, as for power >= 1/2 on an
        unbounded support.

    Raises
    ------
    TypeError
        If the source has no density, or a number is no number.
    ValueError
        If levels is not a positive integer or power not positive and finite.

    References
    ----------
    Algazi (1966), Useful approximations to optimum quantization; Orr, Ribar and Luschi (2025),
    arXiv 2505.12988, for the family of powers.

    Examples
    --------
    >>> from bitlaw.theory import Laplace
    >>> round(companding_distortion(Laplace(), 16) * 16**2, 6)
    4.5
    """
    law, count = _with_density(source), _checked_levels(levels)
    power = checked_amount("power", power, zero=False)
    spread = integral(law, lambda x: power * law.logpdf(x))
    error = integral(law, lambda x: (1 - 2 * power) * law.logpdf(x))
    return spread**2 * error / (12 * count**2)


def panter_dite(source: Source, levels: int) -> float:
    """Least distortion of a scalar quantiser with many levels.

    D -> (1 / 12 N^2) (integral of f^(1/3))^3: the cube-root rule.

    Parameters
    ----------
    source : Source
        Law of the data, with a density.
    levels : int
        Number of codepoints N, >= 1.  At N = 1 this is the constant itself.

    Returns
    -------
    float
        In the source's units squared.

    Raises
    ------
    TypeError
        If the source has no density or levels is no number.
    ValueError
        If levels is not a positive integer.

    Notes
    -----
    An asymptote, no bound: the best quantiser of a Gaussian lies below it at any N, and at 4 levels by 31%.

    References
    ----------
    Panter and Dite (1951), Quantization distortion in pulse-count modulation, eq. 18; Zador (1982).

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> round(panter_dite(Normal(), 1), 6)
    2.720699
    """
    law, count = _with_density(source, weighted=True), _checked_levels(levels)
    return integral(law, lambda x: _log_weighted(law, x) / 3) ** 3 / (12 * count**2)


def gish_pierce(source: Source, rate: float) -> float:
    """Distortion of the best scalar quantiser with an ideal entropy code at a high rate.

    D -> (1 / 12) 2^(2 (h - rate)), pi e / 6 times the Shannon bound, by uniform steps.  Where a letter's error
    counts rho times its square, steps go with 1 / sqrt(rho), and E log2(rho) / 2 is added to h; for atoms see
    `linder_zamir`, of which this is pi e / 6 times.

    Parameters
    ----------
    source : Source
        Law of the data, with a density.
    rate : float
        Output entropy in bits per element, >= 0.

    Returns
    -------
    float
        In the source's units squared.

    Raises
    ------
    TypeError
        If the source has no density or the rate is no number.
    ValueError
        If the rate is negative, NaN or infinite.

    Notes
    -----
    An asymptote, no bound: at low rate the gap to the rate-distortion function closes.

    References
    ----------
    Gish and Pierce (1968), Asymptotically efficient quantizing, eq. 15.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> round(gish_pierce(Normal(), 4) * 4**4, 6)  # pi e / 6
    1.423289
    """
    law, rate = _with_density(source, weighted=True), checked_amount("rate", rate)
    if weights_errors(law):
        return _mixed(law).distortion(rate, 1 / 12)
    return math.exp2(2 * (law.differential_entropy() - rate)) / 12


def gish_pierce_rate(source: Source, distortion: float) -> float:
    """Output entropy of a fine uniform quantiser: the inverse of `gish_pierce`.

    H -> h - log2(step), step = sqrt(12 D).

    Parameters
    ----------
    source : Source
        Law of the data, with a density.
    distortion : float
        Mean squared error in the source's units squared, > 0.

    Returns
    -------
    float
        Bits per element; negative where the formula is far out of its range.

    Raises
    ------
    TypeError
        If the source has no density or the distortion is no number.
    ValueError
        If the distortion is not positive and finite.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> round(gish_pierce_rate(Normal(), 0.0625) - 2, 6)
    0.254614
    """
    law, distortion = (
        _with_density(source, weighted=True),
        checked_amount("distortion", distortion, zero=False),
    )
    if weights_errors(law):
        return _mixed(law).rate(distortion, 1 / 12)
    return law.differential_entropy() - 0.5 * math.log2(12 * distortion)


def _log_weighted(law: Source, x: FloatArray) -> FloatArray:
    """Logarithm of the density of the measure of errors."""
    if not weights_errors(law):
        return law.logpdf(x)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(law.distortion_density(x)))


def _mixed(law: Source) -> FineLaw:
    """Entropies of a law with atoms and weights; an atom whose errors weigh nothing has its own codepoint too."""
    _, masses, energies = law_atoms(law)
    return fine_law(weighted_letters(law), float(masses[energies == 0].sum()))


def _with_density(source: object, name: str = "source", *, weighted: bool = False) -> Source:
    law = checked_source(source, name, weighted=weighted)
    if law.discrete:
        raise TypeError(f"{name} must have a density, got {law!r}")
    return law


def _checked_levels(levels: object) -> int:
    if isinstance(levels, bool) or not isinstance(levels, (int, np.integer)):
        raise TypeError(f"levels must be an integer, got {levels!r}")
    if levels < 1:
        raise ValueError(f"levels must be at least 1, got {levels}")
    return int(levels)
