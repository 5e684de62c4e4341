"""The smallest elements: ternary and binary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...quantisers import ScalarQuantiser
from .element import Element

__all__ = ["Binary", "Ternary"]


@dataclass(frozen=True)
class Ternary(Element):
    """-1, 0 and 1: ternary.

    Five codes are stored in a byte (3^5 = 243), 1.6 bits each; an entropy code may need less.

    References
    ----------
    Ma et al., "The Era of 1-bit LLMs" (arXiv 2402.17764).

    Examples
    --------
    >>> Ternary().bits, Ternary().quantiser("absmax", 32).thresholds
    (1.6, array([-0.5,  0.5]))
    """

    EXAMPLES: ClassVar[tuple[str, ...]] = ("ternary",)

    @classmethod
    def parse(cls, text: str) -> Ternary | None:
        """Element of its text, or None where the text is of another family."""
        return cls() if text == "ternary" else None

    def __str__(self) -> str:
        return "ternary"

    @property
    def bits(self) -> float:
        """Five codes in a byte."""
        return 1.6

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """-1, 0 and 1; thresholds at -1/2 and 1/2."""
        return ScalarQuantiser(np.array([-1.0, 0.0, 1.0]))


@dataclass(frozen=True)
class Binary(Element):
    """The sign alone, -1 and 1: binary.

    Zero itself counts as negative.

    References
    ----------
    Rastegari et al., "XNOR-Net" (arXiv 1603.05279).

    Examples
    --------
    >>> Binary().quantiser("rms", 32)([-3.0, 0.2])
    array([-1.,  1.])
    """

    EXAMPLES: ClassVar[tuple[str, ...]] = ("binary",)

    @classmethod
    def parse(cls, text: str) -> Binary | None:
        """Element of its text, or None where the text is of another family."""
        return cls() if text == "binary" else None

    def __str__(self) -> str:
        return "binary"

    @property
    def bits(self) -> float:
        """One bit."""
        return 1.0

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """-1 and 1; the threshold is 0."""
        return ScalarQuantiser(np.array([-1.0, 1.0]))
