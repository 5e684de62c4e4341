"""What encoding and decoding share: blocks, tables and scaling of a format for arrays of one shape and type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...quantisers import ScalarQuantiser
from ..elements import VectorCodebook
from .block_codec import Codec, ScalarCodec
from .block_scales import Scaler
from .blocks import Blocks, blocks_of, scales_shape
from .vector_codec import VectorCodec

if TYPE_CHECKING:
    from ..elements import Element
    from ..format import Format

__all__ = ["Plan", "multiplier_of", "nominal_size", "plan_of", "quantiser_of", "reach_of"]


@dataclass(frozen=True)
class Plan:
    """Blocks of an array, shape of its scales, and what works on elements and on scales."""

    format: Format
    blocks: Blocks
    grid: tuple[int, ...]
    codec: Codec
    scaler: Scaler

    def codes_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the codes of an array: its own, or its rows counted in vectors."""
        if isinstance(self.codec, ScalarCodec):
            return shape
        count = self.codec.codes_in(self.blocks)
        rows = () if self.format.block == "tensor" else shape[:-1]
        return (*rows, count // max(math.prod(rows), 1))


def plan_of(format: Format, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Plan:
    """Plan for arrays of a shape in some type of arithmetic."""
    grid = scales_shape(shape, format.block)
    size = nominal_size(format, shape)
    reach = reach_of(format, size)
    codec: Codec
    if isinstance(format.element, VectorCodebook):
        words = format.element.vector_quantiser()
        ends = float(words.codebook.min()), float(words.codebook.max())
        codec = VectorCodec(words, dtype)
    else:
        quantiser = quantiser_of(format.element, format.scale.statistic, size)
        ends = float(quantiser.codepoints[0]), float(quantiser.codepoints[-1])
        codec = ScalarCodec(quantiser, dtype)
    multiplier = multiplier_of(format, reach)
    scaler = Scaler(format.scale, format.group, grid[-1], reach, multiplier, ends, dtype)
    return Plan(format, blocks_of(shape, format.block), grid, codec, scaler)


def reach_of(format: Format, size: float) -> float:
    """Element value on which the statistic is mapped."""
    if format.scale.reach is not None:
        return format.scale.reach
    return format.element.reach(format.scale.statistic, size)


def multiplier_of(format: Format, reach: float) -> float:
    """Factor on the statistic; "moment" gives divided data the rms that the element is designed for."""
    multiplier = format.scale.multiplier
    return reach / format.element.design_rms if multiplier == "moment" else float(multiplier)


def nominal_size(format: Format, shape: tuple[int, ...]) -> float:
    """Elements that a whole block has: what designed elements are designed for."""
    if format.block == "tensor":
        return float(max(2, math.prod(shape)))
    if format.block == "channel":
        return float(max(2, shape[-1] if shape else 1))
    return float(math.prod(format.block) if isinstance(format.block, tuple) else format.block)


@lru_cache(maxsize=64)
def quantiser_of(element: Element, statistic: str, size: float) -> ScalarQuantiser:
    """Codepoints and thresholds of an element for blocks of a size, remembered."""
    return element.quantiser(statistic, size)
