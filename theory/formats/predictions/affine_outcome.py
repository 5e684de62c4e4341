"""Affine blocks (minmax): when their law is known, and what it says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..._typing import FloatArray
from ..elements import Integer
from ..number_types import NumberType
from .affine_law import AffineBlock, affine_block
from .scaled_laws import FINE_MANTISSA, error_nodes

if TYPE_CHECKING:
    from ...sources import Source
    from ..format import Format
    from ..scaling import Rounding
    from .scaled_laws import BlockData

__all__ = ["affine_outcome", "is_affine"]

# Probability that a block lies on one side of zero, which an integer zero point cannot represent.
_ONE_SIDED = 3e-6
_EXACT_BITS = 32  # number types of as many bits are not told from exact


def is_affine(format: Format, source: Source, zeros: float, size: int) -> bool:
    """Whether the blocks are of the kind that has a law: integers, no groups, no outliers, and no data."""
    zero = format.scale.zero
    plain = isinstance(format.element, Integer) and format.group is None and zeros == 0.0 and size > 1
    if not plain or source.discrete or (isinstance(zero, NumberType) and not zero.signed):
        return False
    sides = source.probability([0.0, -np.inf], [np.inf, 0.0])
    return zero != "integer" or float(np.sum(sides**size)) < _ONE_SIDED


def affine_outcome(format: Format, data: BlockData, levels: int, ratio: float) -> tuple[float, FloatArray]:
    """Mean squared error and probabilities of the codes; the step is ratio * (max - min)."""
    scale = format.scale
    zero: Literal["integer", "exact"] | NumberType = "integer"
    if isinstance(scale.zero, NumberType):
        zero = "exact" if scale.zero.bits >= _EXACT_BITS else scale.zero
    coarse = scale.number.mantissa_bits < FINE_MANTISSA
    number = scale.number if coarse else None
    nodes = ((1.0, 1.0),) if coarse else error_nodes(scale.number, scale.rounding)
    error, probabilities = 0.0, np.zeros(levels)
    for weight, factor in nodes:
        law = _law(
            data.source, data.size, levels, zero, number, scale.rounding, factor * ratio * (levels - 1)
        )
        error, probabilities = error + weight * law.distortion, probabilities + weight * law.probabilities
    return error, probabilities


@lru_cache(maxsize=256)
def _law(
    source: Source,
    size: int,
    levels: int,
    zero: Literal["integer", "exact"] | NumberType,
    number: NumberType | None,
    rounding: Rounding,
    multiplier: float,
) -> AffineBlock:
    return affine_block(
        source, size, levels, zero=zero, number=number, rounding=rounding, multiplier=multiplier
    )
