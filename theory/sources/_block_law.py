"""What every law of an element divided by its block's scale answers, whatever the scale is.

Two measures are kept side by side: the plain law of U = X / S, which fixes code lengths, and the one weighted
by S^2, in which an error of U counts as the error of the restored value.  Both may have atoms (the element
that set the scale, elements taken out); a law states them once, with both masses, and integrates the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from .._typing import FloatArray

__all__ = ["BlockAtoms", "BlockLaw"]


def _none() -> FloatArray:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class BlockAtoms:
    """Points that carry mass: their places, ascending, and their masses in both measures."""

    places: FloatArray = field(default_factory=_none)
    plain: FloatArray = field(default_factory=_none)
    weighted: FloatArray = field(default_factory=_none)

    def moments(self, lower: FloatArray, upper: FloatArray, about: FloatArray) -> FloatArray:
        """Weighted moments of order 0, 1 and 2 about points of the atoms in (lower, upper], shape (3, n)."""
        out = np.zeros((3, lower.size))
        for place, mass in zip(self.places, self.weighted, strict=True):
            inside = np.where((lower < place) & (place <= upper), mass, 0.0)
            offset = place - about
            out += inside * np.stack([np.ones_like(offset), offset, offset * offset])
        return out

    def probability(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Plain mass of the atoms in (lower, upper]."""
        out = np.zeros(lower.size)
        for place, mass in zip(self.places, self.plain, strict=True):
            out += np.where((lower < place) & (place <= upper), mass, 0.0)
        return out


class BlockLaw(ABC):
    """The law of an element over its block's scale.

    Cells come as three float64 arrays of one shape (n,), checked: lower <= upper, ends may be infinite,
    `about` finite.  Points come as float64 arrays of shape (n,) without NaN.

    Attributes
    ----------
    atoms : BlockAtoms
        Points with mass.
    support : tuple of float
        Smallest interval that holds all mass of both measures, atoms included.
    breakpoints : tuple of float
        Where the two densities are not analytic, ends of the support included, ascending.
    discrete : bool
        Whether there is no density.
    expected_scale, expected_square : float
        Mean and mean square of the (stored) scale of a block, in the units of the data.
    lost_energy, lost_probability : float
        Share of E[X^2] (not divided by anything) and of the probability of elements whose block's stored
        scale is 0: they are restored as 0 and belong to neither measure.
    """

    atoms: BlockAtoms
    support: tuple[float, float]
    breakpoints: tuple[float, ...]
    discrete: bool = False
    expected_scale: float
    expected_square: float
    lost_energy: float = 0.0
    lost_probability: float = 0.0

    @abstractmethod
    def density(self, u: FloatArray) -> FloatArray:
        """Density of the plain law between the atoms; 0 outside the support."""

    @abstractmethod
    def distortion_density(self, u: FloatArray) -> FloatArray:
        """Density of the weighted measure between the atoms; 0 outside the support."""

    @abstractmethod
    def smooth_moments(self, lower: FloatArray, upper: FloatArray, about: FloatArray) -> FloatArray:
        """Weighted moments of order 0, 1 and 2 about points without the atoms, shape (3, n)."""

    @abstractmethod
    def smooth_probability(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Plain mass of the cells without the atoms, shape (n,)."""

    def moments(self, lower: FloatArray, upper: FloatArray, about: FloatArray) -> FloatArray:
        """Weighted moments of order 0, 1 and 2 about points, atoms at the upper ends included."""
        return self.smooth_moments(lower, upper, about) + self.atoms.moments(lower, upper, about)

    def probability(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Plain mass of the cells (lower, upper]."""
        return self.smooth_probability(lower, upper) + self.atoms.probability(lower, upper)
