"""NormalFloat and StudentFloat: codepoints at evenly spaced quantiles of a law, divided by the largest.

For k bits the probabilities run from d to 1/2 in 2^(k-1) values and from 1/2 to 1 - d in 2^(k-1) + 1, the
median once: zero is exact, and one more codepoint is positive than negative.  The ends are off by

    d = (1 / 2^(k+1) + 1 / (2^(k+1) - 2)) / 2,

for four bits 31/960, 1 - d = 0.9677083 to the seven digits that the reference implementation uses.  Quantiles
spread codepoints like the data themselves and not like the cube root of their density, which is what least
squared error asks for; and the block's maximum plays no part in them.

The catch is NF4: what is in use are sixteen float32 numbers, computed by the reference implementation in single
precision, and off by up to 1.1e-7 from the definition with its seven digits (1.9e-7 with 31/960).
NormalFloat(4) is those sixteen, so that stored checkpoints are read as they are; all others are computed from
the definition in double precision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..._typing import FloatArray
from ...quantisers import ScalarQuantiser
from ...sources import Normal, Source, StudentT
from ._checks import checked_width, shortest
from .element import Element

__all__ = ["NormalFloat", "StudentFloat", "quantile_codepoints"]

# Dettmers et al. (2023), appendix E; the same float32 numbers are in bitsandbytes.
_NF4 = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


def quantile_codepoints(source: Source, width: int, offset: float | None = None) -> FloatArray:
    """Codepoints of a quantile float from their definition (see the module).

    Parameters
    ----------
    source : Source
        A symmetric law.
    width : int, 2 to 8
        Bits.
    offset : float, 0 < offset < 1/2, optional
        The outermost probability, d; that of the definition when left out.

    Returns
    -------
    ndarray of float64, shape (2^width,)
        Ascending, 0 among them, the last one 1 and the first one -1.
    """
    half = 1 << width - 1
    if offset is None:
        offset = (1 / (4 * half) + 1 / (4 * half - 2)) / 2  # Dotzel et al. (2024), algorithm 1, for four bits
    below = source.ppf(np.linspace(offset, 0.5, half))
    above = -source.ppf(np.linspace(offset, 0.5, half + 1))[::-1]
    codepoints = np.concatenate([below[:-1], [0.0], above[1:]])
    return np.asarray(codepoints / codepoints[-1])


@dataclass(frozen=True)
class NormalFloat(Element):
    """Quantiles of the normal law: nf4, nf3, ...

    Parameters
    ----------
    width : int, 2 to 8
        Bits of a code.

    Raises
    ------
    TypeError, ValueError
        If the width is not an integer of that range.

    References
    ----------
    Dettmers, Pagnoni, Holtzman and Zettlemoyer, "QLoRA" (arXiv 2305.14314), section 3 and appendix E.

    Examples
    --------
    >>> NormalFloat(3).quantiser("absmax", 64).codepoints.round(3)
    array([-1.   , -0.535, -0.247,  0.   ,  0.183,  0.382,  0.623,  1.   ])
    """

    width: int

    EXAMPLES: ClassVar[tuple[str, ...]] = ("nf4", "nf3")

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", checked_width(self.width, 2, 8))

    @classmethod
    def parse(cls, text: str) -> NormalFloat | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"nf(\d+)", text)
        return None if found is None else cls(int(found[1]))

    def __str__(self) -> str:
        return f"nf{self.width}"

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(self.width)

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The quantiles; thresholds halfway between."""
        return ScalarQuantiser(
            np.array(_NF4) if self.width == 4 else quantile_codepoints(Normal(), self.width)
        )


@dataclass(frozen=True)
class StudentFloat(Element):
    """Quantiles of Student's t: sf4, sf4:3, sf3, ...

    Parameters
    ----------
    width : int, 2 to 8
        Bits of a code.
    df : float, > 2
        Degrees of freedom.

    Raises
    ------
    TypeError, ValueError
        If the width is not an integer of that range, or df is not a number above 2.

    References
    ----------
    Dotzel et al., "Learning from Students: Applying t-Distributions to Explore Accurate and Efficient Formats
    for LLMs" (arXiv 2405.03103), algorithm 1.

    Examples
    --------
    >>> StudentFloat(4).quantiser("absmax", 128).codepoints[8:].round(3)
    array([0.066, 0.133, 0.205, 0.284, 0.376, 0.491, 0.657, 1.   ])
    """

    width: int
    df: float = 5.0

    EXAMPLES: ClassVar[tuple[str, ...]] = ("sf4", "sf4:5")

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", checked_width(self.width, 2, 8))
        object.__setattr__(self, "df", StudentT(self.df).df)

    @classmethod
    def parse(cls, text: str) -> StudentFloat | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"sf(\d+)(?::(.*))?", text)
        if found is None:
            return None
        if found[2] is None:
            return cls(int(found[1]))
        try:
            return cls(int(found[1]), float(found[2]))
        except ValueError as error:
            raise ValueError(
                f"sf{found[1]}:DF needs a width and degrees of freedom, got {text!r}: {error}"
            ) from None

    def __str__(self) -> str:
        return f"sf{self.width}" if self.df == 5.0 else f"sf{self.width}:{shortest(self.df)}"

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(self.width)

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The quantiles; thresholds halfway between."""
        return ScalarQuantiser(quantile_codepoints(StudentT(self.df), self.width))
