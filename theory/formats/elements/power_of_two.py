"""Logarithmic elements: signed powers of two."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...quantisers import ScalarQuantiser
from ._checks import checked_width
from .element import Element

__all__ = ["PowerOfTwo"]


@dataclass(frozen=True)
class PowerOfTwo(Element):
    """A sign and a power of two, 1 at most: pow2-4.

    Parameters
    ----------
    width : int, 2 to 8
        Bits of a code, b: one sign, and 2^(b-1) magnitudes.
    zero : bool
        With zero the magnitudes are 0 and 1 down to 2^-(2^(b-1) - 2), so that one of the codes is unused;
        without, 1 down to 2^-(2^(b-1) - 1).

    Raises
    ------
    TypeError, ValueError
        If the width is not an integer of that range.

    Notes
    -----
    Thresholds are halfway between codepoints, not between logarithms: the error that counts is the squared one.

    Examples
    --------
    >>> PowerOfTwo(3).quantiser("absmax", 32).codepoints
    array([-1.  , -0.5 , -0.25,  0.  ,  0.25,  0.5 ,  1.  ])
    """

    width: int
    zero: bool = True

    EXAMPLES: ClassVar[tuple[str, ...]] = ("pow2-4", "pow2-4nozero")

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", checked_width(self.width, 2, 8))
        if not isinstance(self.zero, bool):
            raise TypeError(f"zero must be True or False, got {self.zero!r}")

    @classmethod
    def parse(cls, text: str) -> PowerOfTwo | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"pow2-(\d+)(nozero)?", text)
        return None if found is None else cls(int(found[1]), found[2] is None)

    def __str__(self) -> str:
        return f"pow2-{self.width}{'' if self.zero else 'nozero'}"

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(self.width)

    @property
    def design_rms(self) -> float:
        """That of the float of as many exponent bits and no mantissa, E = b - 1, in these units: 2^(1 - 2^(E-1))."""
        return math.ldexp(2.0, -(1 << self.width - 2))

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The powers of two; thresholds halfway between."""
        count = (1 << self.width - 1) - self.zero
        powers = 0.5 ** np.arange(count)
        return ScalarQuantiser(np.concatenate([-powers, np.zeros(int(self.zero)), powers[::-1]]))
