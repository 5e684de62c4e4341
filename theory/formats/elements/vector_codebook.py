"""Vector codebooks: several elements share one code.

The codebook is trained by the algorithm of Linde, Buzo and Gray on a seeded sample of a law of unit standard
deviation, so that its name says all of it.  It gains over a scalar codebook of the same bits what a shape of
cell better than the cube gives, and what a code for the whole vector saves; it costs a search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

import numpy as np

from ..._arguments import check_positive
from ...quantisers import ScalarQuantiser, VectorQuantiser, lbg
from ...source_names import parse_source, source_name
from ...sources import Source
from ._checks import refuse_statistic, shortest
from .element import Element

__all__ = ["VectorCodebook"]

# Codewords at most, 2^10: every vector is compared with every word, so that training takes a time in proportion to
# their number squared (seconds for 2^10, a minute and more for 2^12).
_MOST_WORDS_BITS = 10
# Training vectors for a codeword, and at least.  The codebook's error on other data is then about a percent
# above that of a codebook trained on ten times as many.
_VECTORS_PER_WORD, _FEWEST_VECTORS = 64, 1 << 14
# The relative fall of the distortion at which training stops: at 1e-5 it takes twice the time and gains less than
# a part in a thousand.
_TOLERANCE = 2e-4


@dataclass(frozen=True)
class VectorCodebook(Element):
    """An LBG codebook: vq4x2:normal has 4 bits an element and 2 elements a code, 256 codewords.

    Parameters
    ----------
    rate : float, > 0
        Bits an element; rate * dimension must be a whole number, 1 to 10.
    dimension : int, 2 to 8
        Elements that share a code.
    source : Source
        A named law; its standard deviation must be 1.
    seed : int, >= 0
        Of the training sample.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range.

    Notes
    -----
    The codebook is meant for data scaled by their rms.  Under absmax and signmax the extreme is mapped on the
    largest coordinate of the codebook.

    References
    ----------
    Linde, Buzo and Gray, IEEE Trans. Commun. 28 (1980).

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> element = VectorCodebook(2, 2, Normal())
    >>> element.vector_quantiser().codebook.shape, element.bits
    ((16, 2), 2.0)
    """

    rate: float
    dimension: int
    source: Source
    seed: int = 0

    EXAMPLES: ClassVar[tuple[str, ...]] = ("vq4x2:normal", "vq2x4:student-t:5")

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", check_positive("rate", self.rate))
        for name, value, least, most in (
            ("dimension", self.dimension, 2, 8),
            ("seed", self.seed, 0, 2**32 - 1),
        ):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise TypeError(f"{name} must be an integer, got {value!r}")
            if not least <= value <= most:
                raise ValueError(f"{name} must be {least} to {most}, got {value}")
            object.__setattr__(self, name, int(value))
        words = Fraction(self.rate).limit_denominator(8) * self.dimension
        if words.denominator != 1 or not 1 <= words <= _MOST_WORDS_BITS:
            raise ValueError(
                f"rate * dimension must be a whole number, 1 to {_MOST_WORDS_BITS}, "
                f"got {self.rate:g} * {self.dimension}"
            )
        source_name(self.source)
        if self.source.std != 1.0:
            raise ValueError(f"source must have a standard deviation of 1, got {self.source!r}")

    @classmethod
    def parse(cls, text: str) -> VectorCodebook | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"vq([\d.]+)x(\d+)(?::([^#]*))?(?:#(\d+))?", text)
        if found is None:
            return None
        if not found[3]:
            raise ValueError(f"vq needs its law, as in vq4x2:normal, got {text!r}")
        return cls(float(found[1]), int(found[2]), parse_source(found[3]), int(found[4] or 0))

    def __str__(self) -> str:
        seed = f"#{self.seed}" if self.seed else ""
        return f"vq{shortest(self.rate)}x{self.dimension}:{source_name(self.source)}{seed}"

    @property
    def bits(self) -> float:
        """Bits of a code over the elements that share it."""
        return self.words_bits / self.dimension

    @property
    def words_bits(self) -> int:
        """Width of a code."""
        return int(Fraction(self.rate).limit_denominator(8) * self.dimension)

    def vector_quantiser(self) -> VectorQuantiser:
        """The trained codebook, in units of the law's standard deviation (remembered within the process)."""
        return _trained(self.source, self.words_bits, self.dimension, self.seed)

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """Always raise: codewords are vectors.

        Raises
        ------
        TypeError
            Always; `vector_quantiser` is what there is.
        """
        raise TypeError(
            f"{self} quantises {self.dimension} elements together: it has a vector_quantiser instead"
        )

    def reach(self, statistic: str, block_size: float) -> float:
        """1 for rms and no scaling; the largest magnitude of a coordinate for absmax, with its sign for signmax."""
        if statistic in ("rms", "none"):
            return 1.0
        if statistic not in ("absmax", "signmax"):
            raise refuse_statistic(self, statistic)
        coordinates = self.vector_quantiser().codebook.ravel()
        largest = float(coordinates[np.argmax(np.abs(coordinates))])
        return largest if statistic == "signmax" else abs(largest)

    @property
    def design_rms(self) -> float:
        """1, the standard deviation of the law."""
        return 1.0


@lru_cache(maxsize=32)
def _trained(source: Source, words_bits: int, dimension: int, seed: int) -> VectorQuantiser:
    count = max(_VECTORS_PER_WORD << words_bits, _FEWEST_VECTORS)
    uniform = np.random.default_rng(seed).random((count, dimension))
    return lbg(source.ppf(uniform), 1 << words_bits, tolerance=_TOLERANCE)
