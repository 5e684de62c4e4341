"""The rate-distortion function at a high rate, also where errors are weighted and atoms stand beside a density.

Where errors are not weighted this is Shannon's lower bound, read as an asymptote.  Where the weight of an
error varies with the letter the same expression, with half the mean logarithm of the weight, is what the
function approaches, but no bound: the function may lie on either side of it.  Atoms are told apart from the
rest at a fixed price and then cost no distortion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..sources import Source
from ._letters import Letters, weighted_letters
from .shannon import checked_amount, checked_source

__all__ = ["FineLaw", "fine_law", "linder_zamir"]


@dataclass(frozen=True)
class FineLaw:
    """What fine quantisation sees of a law.

    Attributes
    ----------
    share : float
        Probability of the density.
    labels : float
        -sum of p log2 p over the atoms and the density as one more letter, in bits.
    spread : float
        Differential entropy of the density's part, normalised, plus half the mean log2 of the weight, in bits.
    """

    share: float
    labels: float
    spread: float

    def distortion(self, rate: float, moment: float) -> float:
        """Distortion at a rate, of errors that are spread with a normalised second moment over each cell."""
        return self.share * moment * math.exp2(2 * (self.spread - (rate - self.labels) / self.share))

    def rate(self, distortion: float, moment: float) -> float:
        """Rate at a distortion."""
        each = distortion / (self.share * moment)
        return self.labels + self.share * (self.spread - 0.5 * math.log2(each))


def fine_law(letters: Letters, silent: float = 0.0) -> FineLaw:
    """Entropies of a law with a density, with atoms of so much probability that weigh nothing as one letter."""
    left, right = letters.graded()
    nodes, weights = np.polynomial.legendre.leggauss(32)
    half = (right - left) / 2
    x = (left + half)[:, None] + half[:, None] * nodes
    panel = np.clip(np.searchsorted(letters.upper, left + half), 0, letters.lower.size - 1)
    plain, weighted = letters.densities(np.repeat(panel, nodes.size), x.ravel())
    mass = plain * (half[:, None] * weights).ravel()
    live = (plain > 0) & (weighted > 0)
    share = 1.0 - float(letters.masses.sum())
    logs = np.log2(plain[live] / share) - 0.5 * np.log2(weighted[live] / plain[live])
    spread = -float(mass[live] @ logs) / share
    if not silent:
        return FineLaw(share, _information(np.append(letters.masses, share)), spread)
    loud = 1 - silent
    every = np.concatenate([letters.masses * loud, [share * loud, silent]])
    return FineLaw(share * loud, _information(every), spread)


def _information(probabilities: np.ndarray) -> float:
    return -float(probabilities @ np.log2(probabilities))


def linder_zamir(source: Source, rate: float) -> float:
    """Distortion of the best code of a high rate, where a letter's error counts rho times its square.

    D -> 2^(2 (h + E log2(rho) / 2 - rate)) / (2 pi e); with atoms of probability 1 - a in all, and h, E for the
    rest, a 2^(2 (h + E log2(rho) / 2 - (rate - H) / a)) / (2 pi e), H the entropy of atoms and rest as letters.

    Parameters
    ----------
    source : Source
        Law with a density, with or without atoms and weights.
    rate : float
        Bits per element, >= 0.

    Returns
    -------
    float
        In the source's units squared; an asymptote, no bound.

    Raises
    ------
    TypeError
        If the source has no density or the rate is no number.
    ValueError
        If the rate is negative, NaN or infinite.

    References
    ----------
    Linder and Zamir (1999), High-resolution source coding for non-difference distortion measures: the
    rate-distortion function, theorem 1; Rosenthal and Binia (1988), On the epsilon entropy of mixed random
    variables, for atoms.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> round(linder_zamir(Normal(), 2), 10)
    0.0625
    """
    law, rate = checked_source(source, weighted=True), checked_amount("rate", rate)
    if law.discrete:
        raise TypeError(f"source must have a density, got {law!r}")
    letters = weighted_letters(law)
    loud = 1 - letters.silent
    return loud * fine_law(letters).distortion(rate / loud, 1 / (2 * math.pi * math.e))
