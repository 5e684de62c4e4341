"""Floating-point elements: every finite number of a number type of at most 16 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ...quantisers import ScalarQuantiser
from ..number_types import NumberType, number_type
from .element import Element

__all__ = ["Float"]

# Exponent bits of types whose largest number is beyond the reach of a 16-bit scale.
_WIDE = 6


@dataclass(frozen=True)
class Float(Element):
    """The finite numbers of a number type: e2m1, e4m3, ue5m3, e0m3, bfloat16, ...

    Zero is one codepoint, although two codes may stand for it; infinities and NaN are none.

    Parameters
    ----------
    number : NumberType
        Of at most 16 bits.

    Raises
    ------
    TypeError
        If number is no NumberType.
    ValueError
        If it has more than 16 bits, or is an unsigned integer (use `Integer`).

    Notes
    -----
    A value halfway between two codepoints goes to the lower one, as with every quantiser here, and not to the
    even one.

    Types of six exponent bits and more map a largest magnitude on 1 and not on their largest number, 3.4e38 for
    bfloat16: a scale so small would leave the range of most number types, and no precision is won by it.

    Examples
    --------
    >>> e2m1 = Float(number_type("e2m1"))
    >>> e2m1.quantiser("absmax", 32).codepoints[7:]
    array([0. , 0.5, 1. , 1.5, 2. , 3. , 4. , 6. ])
    >>> e2m1.bits, e2m1.reach("absmax", 32)
    (4.0, 6.0)
    """

    number: NumberType

    EXAMPLES: ClassVar[tuple[str, ...]] = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "e0m3", "e3m0", "bfloat16")

    def __post_init__(self) -> None:
        if not isinstance(self.number, NumberType):
            raise TypeError(f"number must be a NumberType, such as number_type('e2m1'), got {self.number!r}")
        if self.number.bits > 16:
            raise ValueError(
                f"number must have at most 16 bits as an element, but {self.number} has {self.number.bits}"
            )
        if not self.number.signed and self.number.exponent_bits == 0:
            raise ValueError(f"number must not be an unsigned integer (use Integer), got {self.number}")

    @classmethod
    def parse(cls, text: str) -> Float | None:
        """Element of its text, or None where the text is of another family."""
        try:
            number = number_type(text)
        except ValueError:
            return None
        return cls(number) if number.signed or number.exponent_bits else None

    def __str__(self) -> str:
        return str(self.number)

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(self.number.bits)

    @property
    def design_rms(self) -> float:
        """One binade over the middle of the exponents, 2^(2^(E-1) - bias), as in Orr et al.: 2 for E2M1.

        Fixed point (E = 0) has the largest / sqrt(3) of the uniform law.
        """
        if self.number.exponent_bits == 0:
            return self.number.largest / math.sqrt(3)
        return math.ldexp(1.0, (1 << self.number.exponent_bits - 1) - self.number.bias)

    def reach(self, statistic: str, block_size: float) -> float:
        """Largest number, or 1 for types of six exponent bits and more."""
        if statistic in ("absmax", "signmax") and self.number.exponent_bits >= _WIDE:
            return 1.0
        return super().reach(statistic, block_size)

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The numbers; thresholds halfway between."""
        return ScalarQuantiser(self.number.values())
