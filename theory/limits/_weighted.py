"""Rate and distortion brackets of laws that weight their errors, by letters, cells and tangents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..sources import Source
from ._letters import Letters, weighted_letters
from ._search import Bracket, WeightedDistortionAt, WeightedRateAt, search
from ._weighted_tangent import WeightedTangent, weighted_tangent

__all__ = ["WeightedLaw", "weighted_law"]

_NATS = math.log(2.0)


@dataclass(frozen=True, eq=False)
class WeightedLaw:
    """The problem of a weighted law, without the letters whose errors count nothing.

    Those cost no rate: any output serves them.  With a probability of `silent` for them, rate and distortion
    of the law are 1 - silent times those of the rest.

    Attributes
    ----------
    letters : Letters
    most : float
        Distortion of the rest at rate 0, with the best single output.
    entropy : float
        Entropy of the rest in bits; infinite with a density.
    """

    letters: Letters
    most: float
    entropy: float

    def distortion_at(self, rate: float) -> Bracket:
        """Distortion of the whole law at a rate in nats."""
        share = 1 - self.letters.silent
        rest = rate / share
        first = 0.5 / (self.most * math.exp(-2 * rest))
        found = search(WeightedDistortionAt(rest, self.most), self._line, first, 0.0)
        upper = min(found.upper, self.most)
        return Bracket(share * min(found.lower, upper), share * upper, found.slope, found.tangents)

    def rate_at(self, distortion: float) -> Bracket:
        """Rate of the whole law in nats at a distortion."""
        share = 1 - self.letters.silent
        goal = WeightedRateAt(distortion / share, self.most)
        found = search(goal, self._line, 0.5 / goal.distortion, 0.0)
        upper = min(found.upper, self.entropy * _NATS)
        return Bracket(share * min(found.lower, upper), share * upper, found.slope, found.tangents)

    def _line(self, width: float, rounds: int) -> WeightedTangent:
        return weighted_tangent(self.letters, 0.5 / width**2, rounds)


def weighted_law(source: Source) -> WeightedLaw:
    """Letters of a source, and the ends of its rate-distortion function."""
    letters = weighted_letters(source)
    mass, first, _ = (float(part) for part in source.partial_moments(-np.inf, np.inf))
    most = float(source.partial_moments(-np.inf, np.inf, first / mass)[2]) / (1 - letters.silent)
    entropy = math.inf if letters.lower.size else float(-letters.masses @ np.log2(letters.masses))
    return WeightedLaw(letters, most, entropy)
