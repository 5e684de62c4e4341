"""Published codebooks: numbers that a paper or a program prints, kept as they are printed.

Each has its source and the digits of its print.  Codebooks of integers are in
the units of their programs; a block's extreme is mapped on the codepoint that the program maps it on (the
signed maximum on -127 for IQ4_NL).

AF4 can be derived: its codepoints are medians of their cells under the plain law of a normal element over its
block's maximum, -1, 0 and 1 held fixed, the cells next to 0 taken up to 0 itself instead of halfway.  All
printed digits follow from that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..._typing import FloatArray
from ...quantisers import ScalarQuantiser
from .element import Element

__all__ = ["PUBLISHED", "Published", "PublishedCodebook", "dynamic_tree"]


@dataclass(frozen=True)
class PublishedCodebook:
    """Codepoints as printed, and where.

    Attributes
    ----------
    codepoints : tuple of float
        Ascending.
    source : str
        Paper or program.
    digits : int
        Digits behind the point in the print; 0 for integers.
    """

    codepoints: tuple[float, ...]
    source: str
    digits: int


def dynamic_tree(width: int = 8) -> FloatArray:
    """Codepoints of the signed dynamic tree quantisation of `width` bits.

    The magnitudes with i leading zeros behind the sign lie between 10^-i/10 and 10^-i, evenly spaced and as many
    as the bits left allow; zero and one complete them.

    Parameters
    ----------
    width : int, 3 to 8

    Returns
    -------
    ndarray of float64, shape (2^width,), ascending

    References
    ----------
    Dettmers, "8-Bit Approximations for Parallelism in Deep Learning" (arXiv 1511.04561), section 2.1.
    """
    magnitudes = []
    for level in range(width - 1):
        edges = np.linspace(0.1, 1.0, (1 << level) + 1)
        magnitudes.append(10.0 ** (level - width + 2) * (edges[:-1] + edges[1:]) / 2)
    positive = np.concatenate(magnitudes)
    return np.concatenate([-positive[::-1], [0.0], positive, [1.0]])


_YOSHIDA = "Yoshida, \"NF4 Isn't Information Theoretically Optimal (and that's Good)\" (arXiv 2306.06965)"
_IK = "ik_llama.cpp, ggml-common.h"

# AF4 by block size: the codepoints between -1 and 0, and between 0 and 1.
_AF4 = {
    32: (
        (0.72380075, 0.54068711, 0.3963985, 0.2723577, 0.15956821, 0.05258802),
        (0.04554747, 0.13780891, 0.23375854, 0.33656744, 0.4508456, 0.58437857, 0.75299116),
    ),
    64: (
        (0.69441008, 0.51243739, 0.3736951, 0.25607552, 0.14982478, 0.04934812),
        (0.04273164, 0.12934483, 0.21961274, 0.31675666, 0.42563882, 0.55496234, 0.72424863),
    ),
    128: (
        (0.66495284, 0.48589589, 0.3529405, 0.24139225, 0.14109901, 0.04645526),
        (0.04021689, 0.12176897, 0.2068883, 0.29877409, 0.40238482, 0.52697805, 0.69496104),
    ),
    256: (
        (0.63630214, 0.46141631, 0.33419526, 0.22826385, 0.13333677, 0.04388739),
        (0.03798458, 0.1150332, 0.19553393, 0.28262047, 0.38124113, 0.5009191, 0.66607302),
    ),
    512: (
        (0.60903865, 0.43908944, 0.31736711, 0.2165657, 0.12644575, 0.04161132),
        (0.03600625, 0.10905684, 0.18543324, 0.26818022, 0.36216937, 0.4769826, 0.63827231),
    ),
    1024: (
        (0.58348586, 0.41884827, 0.30229144, 0.20614334, 0.12032288, 0.03959127),
        (0.034251, 0.10374994, 0.17644691, 0.25528724, 0.34502762, 0.45517148, 0.61198895),
    ),
    2048: (
        (0.55977324, 0.40054344, 0.28877911, 0.19683974, 0.11486815, 0.03779316),
        (0.03268924, 0.09902518, 0.16843521, 0.24376258, 0.32962969, 0.4353765, 0.58743975),
    ),
    4096: (
        (0.5379003, 0.38399174, 0.27664257, 0.18850865, 0.10999076, 0.03618635),
        (0.03129431, 0.09480323, 0.16126887, 0.23343416, 0.31577979, 0.41743354, 0.56468758),
    ),
}

_IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
_IQ3 = (-63, -40, -23, -10, 1, 13, 28, 47)
_IQ5 = (
    *(-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36, -30, -24, -18, -12, -6),
    *(-1, 5, 11, 17, 23, 29, 36, 43, 51, 59, 68, 77, 87, 97, 109, 121),
)
# In units of 1/12; the least magnitude is 1/192, not the 1/12 of an E2M1 float.
_FP4 = (0.0625, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)


def _af4(block: int) -> PublishedCodebook:
    below, above = _AF4[block]
    points = (-1.0, *(-value for value in below), 0.0, *above, 1.0)
    return PublishedCodebook(points, f"{_YOSHIDA}, blocks of {block}", 8)


PUBLISHED: dict[str, PublishedCodebook] = {
    "iq4_nl": PublishedCodebook(tuple(map(float, _IQ4)), "llama.cpp, ggml-common.h, kvalues_iq4nl", 0),
    "iq2_nl": PublishedCodebook((-31.0, -13.0, 1.0, 17.0), f"{_IK}, iq2nl_values, first half", 0),
    "iq3_nl": PublishedCodebook(tuple(map(float, _IQ3)), f"{_IK}, iq3nl_values, first half", 0),
    "iq5_nl": PublishedCodebook(tuple(map(float, _IQ5)), f"{_IK}, iq5nl_values, first half", 0),
    "fp4": PublishedCodebook(
        (*(-value / 12 for value in reversed(_FP4)), 0.0, *(value / 12 for value in _FP4)),
        "bitsandbytes, functional.py, get_4bit_type (in units of 1/12)",
        4,
    ),
    "dynamic8": PublishedCodebook(
        tuple(dynamic_tree(8).tolist()), "bitsandbytes, functional.py, create_dynamic_map", 16
    ),
    "af4": _af4(64),
    **{f"af4:{block}": _af4(block) for block in _AF4 if block != 64},
}

_BITS = {"fp4": 4}  # zero has two codes
_ALIASES = {"af4:64": "af4", "iq4nl": "iq4_nl", "iq4_xs": "iq4_nl"}


@dataclass(frozen=True)
class Published(Element):
    """A published codebook: iq4_nl, af4, af4:128, fp4, dynamic8, ...

    Parameters
    ----------
    name : str
        One of `PUBLISHED`; af4 is that of blocks of 64.

    Raises
    ------
    ValueError
        If the name is unknown.

    References
    ----------
    `PUBLISHED[name].source`.

    Examples
    --------
    >>> Published("iq4_nl").quantiser("signmax", 32).codepoints[:4]
    array([-127., -104.,  -83.,  -65.])
    >>> Published("iq4_nl").reach("signmax", 32)
    -127.0
    """

    name: str

    EXAMPLES: ClassVar[tuple[str, ...]] = tuple(PUBLISHED)

    def __post_init__(self) -> None:
        if self.name not in PUBLISHED:
            raise ValueError(f"name must be one of {', '.join(PUBLISHED)}, got {self.name!r}")

    @classmethod
    def parse(cls, text: str) -> Published | None:
        """Element of its text, or None where the text is of another family."""
        name = text.replace("-", "_")
        name = _ALIASES.get(name, name)
        if name.startswith("af4:") and name not in PUBLISHED:
            raise ValueError(f"af4 is published for blocks of {', '.join(map(str, _AF4))}, got {text!r}")
        return cls(name) if name in PUBLISHED else None

    def __str__(self) -> str:
        return self.name

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(_BITS.get(self.name) or math.ceil(math.log2(len(PUBLISHED[self.name].codepoints))))

    @property
    def design_rms(self) -> float:
        """As of any codepoints (see `Element`); for fp4, whose least step is out of line, 1/3 as of E2M1 over 6."""
        return 1 / 3 if self.name == "fp4" else super().design_rms

    @cached_property
    def _quantiser(self) -> ScalarQuantiser:
        return ScalarQuantiser(np.array(PUBLISHED[self.name].codepoints))

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The published codepoints; thresholds halfway between."""
        return self._quantiser
