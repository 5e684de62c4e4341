"""What an element type is: the numbers that one stored code can stand for.

Elements speak their own units (an E2M1 float reaches 6, a normal float 1); the scale of a block maps the data
on them.  `reach` says which element value the block's extreme is mapped on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ...quantisers import ScalarQuantiser

__all__ = ["Element"]


class Element(ABC):
    """A set of numbers that one code stands for; concrete elements are frozen dataclasses.

    `str(element)` is its text in a format's specification, and parses back to an equal element.
    """

    @property
    @abstractmethod
    def bits(self) -> float:
        """Bits that a code of fixed length takes in storage, per element of the tensor."""

    @abstractmethod
    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """Codepoints and thresholds in the element's own units.

        Parameters
        ----------
        statistic : {"absmax", "signmax", "rms", "minmax", "none"}
            What the block's scale is; only elements that are designed for a scaling depend on it.
        block_size : float
            Elements that share a scale; infinite where that is unknown (a whole tensor).
        """

    def reach(self, statistic: str, block_size: float) -> float:
        """Element value on which the statistic of a block is mapped.

        The largest magnitude that both signs have (absmax), the signed codepoint of largest magnitude
        (signmax), 1 for elements scaled by their rms or not at all, and the width of the range (minmax).
        """
        if statistic not in ("absmax", "signmax", "minmax"):
            return 1.0
        codepoints = self.quantiser(statistic, block_size).codepoints
        least, greatest = float(codepoints[0]), float(codepoints[-1])
        if statistic == "absmax":
            return min(-least, greatest) if least < 0 else greatest
        if statistic == "signmax":
            return least if -least > greatest else greatest
        return greatest - least

    @property
    def design_rms(self) -> float:
        """Root mean square, in element units, of the law for which the codepoints are spread.

        Scaling by the rms maps the data's rms on it where the scale's multiplier is "moment".  Codepoints
        spread like the cube root of a density f have a density of 1 / (their distance), so that f is
        proportional to the distance^-3 between neighbours, and ends with the outermost: the second moment of
        that law is taken.  Elements for which Orr, Ribar and Luschi (arXiv 2505.12988) match moments otherwise
        do as they do, and those that are designed for a law answer 1.
        """
        points = np.unique(self.quantiser("rms", np.inf).codepoints)
        if len(points) == 1:
            return float(abs(points[0])) or 1.0
        weight = (np.diff(points) / np.diff(points).min()) ** -3.0
        return float(np.sqrt(np.sum(weight * np.diff(points**3) / 3) / np.sum(weight * np.diff(points))))

    @property
    def stored_codebook_bits(self) -> int:
        """Bits of a codebook that travels with the tensor; 0 where the name says all of it."""
        return 0
