"""Bits that a format stores for a tensor of a given shape, stream by stream.

Each stream (codes, scales, zero points, outer scales, codebook) takes whole bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..codecs.plan import plan_of
from ..elements import VectorCodebook
from .layout import Layout

if TYPE_CHECKING:
    from ..format import Format

__all__ = ["StoredBits", "stored_bits"]


@dataclass(frozen=True)
class StoredBits:
    """Bits of each stream for a whole tensor; outliers apart."""

    codes: int
    scales: int
    zeros: int
    groups: int
    codebook: int


def stored_bits(format: Format, layout: Layout, shape: tuple[int, ...]) -> StoredBits:
    """Bits of everything but outliers, for codes of fixed length; the shape is that of the rotated tensor."""
    scale = format.scale
    scaled = scale.statistic != "none"
    minmax = scale.statistic == "minmax"
    width = _exact(format.element.bits)
    zero = Fraction(0)
    if minmax:
        zero = width if scale.zero == "integer" else Fraction(scale.zero.bits)  # type: ignore[union-attr]
    # The zero points of grouped minmax blocks have an outer scale of their own.
    outer = 0 if format.group is None else format.group.number.bits
    outer *= 2 if minmax and scale.zero != "integer" else 1
    return StoredBits(
        codes=_code_bits(format, layout, shape),
        scales=_bytes(Fraction(scale.number.bits * layout.blocks)) if scaled else 0,
        zeros=_bytes(zero * layout.blocks),
        groups=_bytes(Fraction(outer * layout.groups)),
        codebook=_bytes(Fraction(format.element.stored_codebook_bits)),
    )


def _code_bits(format: Format, layout: Layout, shape: tuple[int, ...]) -> int:
    element = format.element
    if not isinstance(element, VectorCodebook):
        return _bytes(_exact(element.bits) * layout.elements)
    plan = plan_of(format, shape, np.dtype(np.float64))
    return _bytes(Fraction(element.words_bits * plan.codec.codes_in(plan.blocks)))


def _exact(bits: float) -> Fraction:
    """Width of a code as the fraction it stands for: 1.6 is five codes in a byte."""
    return Fraction(bits).limit_denominator(1 << 20)


def _bytes(bits: Fraction) -> int:
    return 8 * math.ceil(bits / 8)
