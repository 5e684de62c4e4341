"""Integers: evenly spaced codepoints."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..._arguments import check_choice
from ...quantisers import ScalarQuantiser
from ._checks import checked_width
from .element import Element

__all__ = ["Integer"]

Kind = Literal["full", "symmetric", "half", "unsigned"]


@dataclass(frozen=True)
class Integer(Element):
    """Integers of a width: int4, int4sym, int4half or uint4.

    Parameters
    ----------
    width : int, 2 to 16 (unsigned: 1 to 16)
        Bits of a code, b.
    kind : {"full", "symmetric", "half", "unsigned"}
        "full": two's complement, -2^(b-1) to 2^(b-1) - 1; "symmetric": without the lowest, so that one of the
        2^b codes is unused; "half": the odd multiples of 1/2 up to (2^b - 1) / 2, with no zero; "unsigned": 0 to
        2^b - 1, for blocks that store an offset.

    Raises
    ------
    TypeError, ValueError
        If the width is not an integer of that range, or the kind is unknown.

    Notes
    -----
    A largest magnitude is mapped on what both signs reach (7 for int4), a signed one on the codepoint of
    largest magnitude (-8).

    Examples
    --------
    >>> Integer(3).quantiser("absmax", 32).codepoints
    array([-4., -3., -2., -1.,  0.,  1.,  2.,  3.])
    >>> str(Integer(4, "symmetric")), Integer(4).reach("absmax", 32), Integer(4).reach("signmax", 32)
    ('int4sym', 7.0, -8.0)
    """

    width: int
    kind: Kind = "full"

    EXAMPLES: ClassVar[tuple[str, ...]] = ("int4", "int8", "int4sym", "int4half", "uint4")

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("full", "symmetric", "half", "unsigned"))
        least = 1 if self.kind == "unsigned" else 2
        object.__setattr__(self, "width", checked_width(self.width, least, 16))

    @classmethod
    def parse(cls, text: str) -> Integer | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"(u?)int(\d+)(sym|half)?", text)
        if found is None or (found[1] and found[3]):
            return None
        suffix: Kind = {"sym": "symmetric", "half": "half"}.get(found[3], "full")  # type: ignore[assignment]
        return cls(int(found[2]), "unsigned" if found[1] else suffix)

    def __str__(self) -> str:
        suffix = {"symmetric": "sym", "half": "half"}.get(self.kind, "")
        return f"{'u' * (self.kind == 'unsigned')}int{self.width}{suffix}"

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(self.width)

    @property
    def design_rms(self) -> float:
        """That of the uniform law between plus and minus the largest: largest / sqrt(3), as in Orr et al."""
        largest = float(self.quantiser("rms", np.inf).codepoints[-1])
        return largest / math.sqrt(3)

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The integers; thresholds halfway between."""
        levels = 1 << self.width
        first = {"unsigned": 0.0, "half": (1 - levels) / 2}.get(self.kind, -levels / 2)
        codepoints = first + np.arange(levels, dtype=np.float64)
        return ScalarQuantiser(codepoints[1:] if self.kind == "symmetric" else codepoints)
