"""Codebooks of least squared error for a law and a scaling.

For data scaled by their rms that is the Lloyd-Max quantiser of the unit law.  For blocks scaled by their
maximum it is that of the exact law of a divided element (`BlockScaled`), atoms and weights included: the best
codebook there is for the block size.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

from ..._arguments import check_choice
from ...quantisers import ScalarQuantiser, lloyd_max
from ...source_names import parse_source, source_name
from ...sources import Source
from ...sources.block_scaled import BlockScaled
from ._checks import refuse_statistic
from .law_element import LawElement

__all__ = ["Designed"]


@dataclass(frozen=True)
class Designed(LawElement):
    """The codebook of least squared error: lloyd4:normal, lloyd4:student-t:5:closed, lloyd3:laplace:zero, ...

    Parameters
    ----------
    width : int, 2 to 8
        Bits of a code.
    source : Source
        A named law; its standard deviation must be 1.
    ends : {"free", "closed"}
        Closed ends hold the outermost codepoints at the maximum, -1 and 1 (absmax) or 1 (signmax).
    zero : bool
        Hold codepoint N/2 (counted from 1) at 0.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range, or the standard deviation is not 1.

    Notes
    -----
    Designs are remembered within the process.

    References
    ----------
    Lloyd, IEEE Trans. IT-28 (1982); Max, IRE Trans. IT-6 (1960).

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> Designed(2, Normal()).quantiser("rms", 64).codepoints.round(4)
    array([-1.5104, -0.4528,  0.4528,  1.5104])
    """

    ends: Literal["free", "closed"] = "free"
    zero: bool = False

    EXAMPLES: ClassVar[tuple[str, ...]] = ("lloyd4:normal", "lloyd4:student-t:5", "lloyd4:laplace:closed")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("ends", self.ends, ("free", "closed"))
        if not isinstance(self.zero, bool):
            raise TypeError(f"zero must be True or False, got {self.zero!r}")

    @classmethod
    def parse(cls, text: str) -> Designed | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"lloyd(\d+)(?::(.*?))?(:closed)?(:zero)?", text)
        if found is None:
            return None
        if not found[2]:
            raise ValueError(f"lloyd needs its law, as in lloyd4:normal, got {text!r}")
        return cls(int(found[1]), parse_source(found[2]), "closed" if found[3] else "free", bool(found[4]))

    def __str__(self) -> str:
        ends = ":closed" if self.ends == "closed" else ""
        return f"lloyd{self.width}:{source_name(self.source)}{ends}{':zero' if self.zero else ''}"

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """Codepoints in units of the statistic; thresholds halfway between.

        Raises
        ------
        ValueError
            If the statistic is minmax, the block is infinite under absmax or signmax, or closed ends are asked
            for where there is no maximum (rms).
        """
        if statistic in ("rms", "none"):
            if self.ends == "closed":
                raise ValueError(f"ends must be free for statistic {statistic!r}, which has no largest value")
            return _designed(self.source, self.width, "none", 0.0, "free", self.zero)
        if statistic not in ("absmax", "signmax"):
            raise refuse_statistic(self, statistic)
        if not math.isfinite(block_size):
            raise ValueError(
                f"block_size must be known and finite for {self} under {statistic}, got {block_size}"
            )
        return _designed(self.source, self.width, statistic, float(block_size), self.ends, self.zero)


@lru_cache(maxsize=256)
def _designed(
    source: Source, width: int, statistic: str, block_size: float, ends: str, zero: bool
) -> ScalarQuantiser:
    levels = 1 << width
    pinned = {levels // 2 - 1: 0.0} if zero else {}
    if ends == "closed":
        pinned[levels - 1] = 1.0
    if ends == "closed" and statistic == "absmax":
        pinned[0] = -1.0
    law = source if statistic == "none" else BlockScaled(source, block_size, statistic)
    return lloyd_max(law, levels, pinned=pinned or None)
