"""What vectors of k elements can gain over scalars at high resolution: Zador's constants.

The best k-dimensional quantiser has D -> G_k (integral of f^(k / (k + 2)))^(k + 2) 2^(-2 R) per element.
G_k, the least normalised second moment of a cell, is known for k = 1 and 2 (and among lattices for k = 3);
beyond there are the sphere bound below it, Zador's random-coding bound above it, and the best lattices known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from ._letters import law_atoms
from ._tail_quadrature import integral
from .high_resolution import power_integral
from .shannon import checked_amount, checked_source, weights_errors

__all__ = ["ZadorConstant", "zador", "zador_constant"]

# Normalised second moments of the best classical lattices: Conway and Sloane (1999), Sphere Packings,
# Lattices and Groups, table 2.3 and chapter 21; K12 from Dutour Sikiric, Schurmann and Vallentin (2009).
_LATTICES = {
    1: ("Z", 1 / 12),
    2: ("A2", 5 / (36 * math.sqrt(3))),
    3: ("A3*", 19 / (192 * 2 ** (1 / 3))),
    4: ("D4", 13 / (120 * math.sqrt(2))),
    5: ("D5*", 2641 / (23040 * 2**0.6)),
    6: ("E6*", 12619 / (68040 * 3 ** (5 / 6))),
    7: ("E7*", 21361 * 2 ** (1 / 7) / 322560),
    8: ("E8", 929 / 12960),
    12: ("K12", 797361941 / (6567561000 * math.sqrt(3))),
    16: ("BW16", 207049815983 * math.sqrt(2) / 4287303820800),
    24: ("Leech", 0.06577),
}


@dataclass(frozen=True)
class ZadorConstant:
    """Bounds on the least normalised second moment in a dimension.

    Attributes
    ----------
    dimension : int
        k.
    sphere_bound : float
        No cell has less: a sphere's own second moment.
    random_bound : float
        Zador's upper bound, by codepoints at random.
    lattice : str
        Best classical lattice known; "" where none is listed.
    lattice_value : float
        Its normalised second moment, conjectured to be G_k in most dimensions; NaN where none is listed.
    """

    dimension: int
    sphere_bound: float
    random_bound: float
    lattice: str
    lattice_value: float

    @property
    def least(self) -> float:
        """Best value that is known to be reached: the lattice's, or the random bound if that is less."""
        return (
            self.random_bound
            if math.isnan(self.lattice_value)
            else min(self.lattice_value, self.random_bound)
        )

    @property
    def granular_gain_bits(self) -> float:
        """Rate saved against the integers in the limit of high rate, (1/2) log2((1/12) / `least`)."""
        return -0.5 * math.log2(12 * self.least)


def zador_constant(dimension: int) -> ZadorConstant:
    """Bounds on Zador's constant G_k of a dimension.

    The sphere bound is Gamma(k/2 + 1)^(2/k) / ((k + 2) pi), Zador's upper bound
    Gamma(k/2 + 1)^(2/k) Gamma(1 + 2/k) / (k pi); both go to 1 / (2 pi e).

    Parameters
    ----------
    dimension : int
        k, 1 or more.

    Returns
    -------
    ZadorConstant
        Bounds to rounding; lattices in dimensions 1 to 8, 12, 16 and 24.

    Raises
    ------
    TypeError
        If the dimension is no integer.
    ValueError
        If it is less than 1.

    References
    ----------
    Zador (1982), Asymptotic quantization error of continuous signals; Conway and Sloane (1999).

    Examples
    --------
    >>> constant = zador_constant(8)
    >>> constant.lattice, round(constant.lattice_value, 6), round(constant.granular_gain_bits, 4)
    ('E8', 0.071682, 0.1086)
    """
    if isinstance(dimension, bool) or not isinstance(dimension, (int, np.integer)):
        raise TypeError(f"dimension must be an integer, got {dimension!r}")
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
    k = int(dimension)
    volume = math.exp(2 / k * math.lgamma(k / 2 + 1))
    name, value = _LATTICES.get(k, ("", math.nan))
    return ZadorConstant(
        k, volume / ((k + 2) * math.pi), volume * math.gamma(1 + 2 / k) / (k * math.pi), name, value
    )


def zador(source: Source, rate: float, *, dimension: int = 1) -> float:
    """Distortion per element of the best fixed-rate vector quantiser at a high rate.

    D -> G_k (integral of f^(k / (k + 2)))^(k + 2) 2^(-2 rate), with the best G_k that is known to be reached;
    for k = 1 this is `panter_dite`, and for k to infinity the Shannon lower bound.  Where a letter's error counts
    rho times its square, f^(k / (k + 2)) rho^(1 / (k + 2)) is integrated.

    Parameters
    ----------
    source : Source
        Law of independent elements, with a density.
    rate : float
        Bits per element, >= 0.
    dimension : int
        Elements in a vector, k >= 1.

    Returns
    -------
    float
        In the source's units squared; an asymptote, no bound.

    Raises
    ------
    TypeError
        If the source has no density, or a number is no number.
    ValueError
        If the rate is negative, NaN or infinite, or the dimension less than 1.

    References
    ----------
    Zador (1982); Gray and Neuhoff (1998), Quantization, eq. 19; Li, Chaddha and Gray (1999), Asymptotic
    performance of vector quantizers with a perceptual distortion measure, for weights.

    Examples
    --------
    >>> from bitlaw.theory import Laplace
    >>> round(zador(Laplace(), 4, dimension=1) * 4**4, 6)
    4.5
    """
    law, rate = checked_source(source, weighted=True), checked_amount("rate", rate)
    if law.discrete:
        raise TypeError(f"source must have a density, got {law!r}")
    constant = zador_constant(dimension)
    k = constant.dimension
    spread = _weighted_integral(law, k) if weights_errors(law) else power_integral(law, k / (k + 2))
    return constant.least * spread ** (k + 2) * math.exp2(-2 * rate)


def _weighted_integral(law: Source, k: int) -> float:
    """Integral of f^(k / (k + 2)) rho^(1 / (k + 2)): Li, Chaddha and Gray (1999), with one weight an element."""
    if k > 1 and law_atoms(law)[0].size:
        raise TypeError(
            f"source must have no atoms beside a density for vectors of {k} elements, got {law!r}"
        )

    def logarithm(x: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(((k - 1) * law.logpdf(x) + np.log(law.distortion_density(x))) / (k + 2))

    return integral(law, logarithm)
