"""Codepoints spread like the cube root of a density: the closed forms of Orr, Ribar and Luschi.

For data scaled by their rms the codepoints are quantiles i / (N + 1) of the law proportional to f^(1/3).  For
blocks scaled by their maximum f is cut at the expected maximum m of a block, for which three laws have a closed
form, and the codebook is that of the cut law divided by m, ends included.

The catch is what the closed form leaves out.  It takes every block's maximum for the same number, and gives
the element that *is* the maximum no weight of its own; the exact law of a divided element (`BlockScaled`, the
element `Designed`) knows both.  The expected maxima are approximations too, up to 15% off.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from ..._arguments import check_choice, check_positive
from ...quantisers import ScalarQuantiser, compand
from ...quantisers.scalar import Design
from ...source_names import parse_source, source_name
from ...sources import Laplace, Normal, Source, StudentT, Truncated
from ._checks import refuse_statistic, shortest
from .law_element import LawElement

__all__ = ["CubeRoot", "approximate_block_maximum"]

Layout = Literal["symmetric", "asymmetric", "repeat_zero"]
LAYOUTS = ("symmetric", "asymmetric", "repeat_zero")


def approximate_block_maximum(source: Source, block_size: float) -> float:
    """Expected largest magnitude of a block of independent elements, by the closed forms in use.

    With B elements of standard deviation s:

    - normal: s sqrt(2 ln(B / pi));
    - Laplace: s (gamma + ln B) / sqrt(2), gamma Euler's constant;
    - Student-t with v degrees of freedom: s (2 ln(B / pi))^((v - 3) / (2 v)) B^(1 / v).

    Parameters
    ----------
    source : Source
        Of one of the three families.
    block_size : float, finite
        Above pi (2 for Laplace), where the forms begin to make sense.

    Returns
    -------
    float
        For the normal law 13, 5 and 1% below the exact value at B = 16, 64 and 1024; for Laplace within 1% from 16;
        for Student-t of 5 to 10 degrees of freedom 5 to 9% below at 16, 4 to 5% above at 1024 and 13 to 15% above at
        65,536.

    Raises
    ------
    TypeError
        If the law is of another family.
    ValueError
        If the block is too small or infinite.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), table of closed forms; their Student-t has the standard scale, here
    it has the standard deviation s.

    Examples
    --------
    >>> round(approximate_block_maximum(Normal(), 64), 4)
    2.4553
    """
    if not isinstance(source, (Normal, Laplace, StudentT)):
        raise TypeError(
            f"source must be normal, laplace or student-t for a closed form of its maximum, got {source!r}"
        )
    least = 1.0 if isinstance(source, Laplace) else math.pi
    if not least < block_size < math.inf:
        raise ValueError(
            f"block_size must be above {least:.4g} and finite for closed forms, got {block_size}"
        )
    if isinstance(source, Laplace):
        return source.std * float(np.euler_gamma + math.log(block_size)) / math.sqrt(2)
    root = math.sqrt(2 * math.log(block_size / math.pi))
    if isinstance(source, Normal):
        return source.std * root
    return float(source.std * root ** ((source.df - 3) / source.df) * block_size ** (1 / source.df))


@dataclass(frozen=True)
class CubeRoot(LawElement):
    """Codepoints at quantiles of f^(1/3): cbrt4:normal, cbrt4:student-t:5:asymmetric, ...

    The codebook follows the scaling: quantiles of the unit law for rms (and no scaling), of the law cut at the
    expected maximum for absmax (both ends at the maximum) and signmax (the positive one).

    Parameters
    ----------
    width : int, 2 to 8
        Bits of a code.
    source : Source
        A named law; its standard deviation must be 1.
    layout : {"symmetric", "asymmetric", "repeat_zero"}, optional
        As for `compand`.  Left out it is symmetric, and asymmetric for signmax: 0 is the last of the N/2 points up
        to the median, and 1 the last of the N/2 above it.
    power : float, > 0
        Exponent of the density; 1/3 is the cube root.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range, or the standard deviation is not 1.

    See Also
    --------
    Designed : the least squared error itself.

    References
    ----------
    Orr, Ribar and Luschi, "Optimal Formats for Weight Quantisation" (arXiv 2505.12988).

    Examples
    --------
    >>> CubeRoot(3, Normal()).quantiser("absmax", 64).codepoints[4:].round(4)
    array([0.107 , 0.3315, 0.597 , 1.    ])
    >>> CubeRoot(3, Normal()).quantiser("rms", 64).codepoints[4:].round(4)
    array([0.242 , 0.746 , 1.3245, 2.1142])
    """

    layout: Layout | None = None
    power: float = 1 / 3

    EXAMPLES: ClassVar[tuple[str, ...]] = ("cbrt4:normal", "cbrt4:student-t:5", "cbrt4:laplace:asymmetric")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "power", check_positive("power", self.power))
        if self.layout is not None:
            check_choice("layout", self.layout, LAYOUTS)

    @classmethod
    def parse(cls, text: str) -> CubeRoot | None:
        """Element of its text, or None where the text is of another family."""
        found = re.fullmatch(r"cbrt(\d+)(?:\^([^:]+))?(?::(.*))?", text)
        if found is None:
            return None
        if not found[3]:
            raise ValueError(f"cbrt needs its law, as in cbrt4:normal, got {text!r}")
        name, _, last = found[3].rpartition(":")
        layout = last.replace("-", "_")
        if layout not in LAYOUTS:
            name, layout = found[3], None
        try:
            power = float(found[2]) if found[2] else 1 / 3
        except ValueError:
            raise ValueError(f"power of cbrt must be a number, got {found[2]!r}") from None
        return cls(int(found[1]), parse_source(name), layout, power)  # type: ignore[arg-type]

    def __str__(self) -> str:
        power = "" if self.power == 1 / 3 else f"^{shortest(self.power)}"
        layout = "" if self.layout is None else f":{self.layout}"
        return f"cbrt{self.width}{power}:{source_name(self.source)}{layout}"

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """Codepoints in units of the statistic; thresholds halfway between.

        Raises
        ------
        TypeError, ValueError
            If the statistic is minmax, or the expected maximum of the block has no closed form.
        """
        if statistic in ("rms", "none"):
            return compand(self.source, 1 << self.width, power=self.power, layout=self.layout or "symmetric")
        if statistic not in ("absmax", "signmax"):
            raise refuse_statistic(self, statistic)
        layout = self.layout or ("symmetric" if statistic == "absmax" else "asymmetric")
        return _cut_codebook(self.source, 1 << self.width, block_size, self.power, layout, statistic)


@lru_cache(maxsize=256)
def _cut_codebook(
    source: Source, levels: int, block_size: float, power: float, layout: str, statistic: str
) -> ScalarQuantiser:
    maximum = approximate_block_maximum(source, block_size)
    cut = Truncated(source, -maximum, maximum)
    ends: Literal["closed", "upper"] = "closed" if statistic == "absmax" else "upper"
    spread = compand(cut, levels, power=power, layout=layout, ends=ends).codepoints  # type: ignore[arg-type]
    design = Design(method="cube root of the density cut at the expected maximum", status="closed form")
    return ScalarQuantiser(spread / maximum, design=design)
