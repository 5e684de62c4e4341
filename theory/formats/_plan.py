"""What encoding and decoding share: blocks, tables and scaling of a format for arrays of one shape and type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..quantisers import ScalarQuantiser
from .block_codec import BlockCodec
from .block_scales import Scaler
from .blocks import Blocks, blocks_of, scales_shape

if TYPE_CHECKING:
    from .elements import Element
    from .format import Format

__all__ = ["Plan", "arithmetic", "plan_of"]


@dataclass(frozen=True)
class Plan:
    """Blocks of an array, shape of its scales, and what works on elements and on scales."""

    format: Format
    blocks: Blocks
    grid: tuple[int, ...]
    codec: BlockCodec
    scaler: Scaler


def plan_of(format: Format, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Plan:
    """Plan for arrays of a shape in some type of arithmetic."""
    blocks = blocks_of(shape, format.block)
    grid = scales_shape(shape, format.block)
    size = _nominal_size(format, shape)
    statistic = format.scale.statistic
    quantiser = _quantiser(format.element, statistic, size)
    reach = format.scale.reach if format.scale.reach is not None else format.element.reach(statistic, size)
    multiplier = format.scale.multiplier
    ends = float(quantiser.codepoints[0]), float(quantiser.codepoints[-1])
    factor = _moment(quantiser) if multiplier == "moment" else float(multiplier)
    scaler = Scaler(format.scale, format.group, grid[-1], reach, factor, ends, dtype)
    return Plan(format, blocks, grid, BlockCodec(quantiser, dtype), scaler)


def arithmetic(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Type in which elements of a type are divided and restored."""
    return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)


def _nominal_size(format: Format, shape: tuple[int, ...]) -> float:
    """Elements that a whole block has: what designed elements are designed for."""
    if format.block == "tensor":
        return float(max(2, math.prod(shape)))
    if format.block == "channel":
        return float(max(2, shape[-1] if shape else 1))
    return float(math.prod(format.block) if isinstance(format.block, tuple) else format.block)


@lru_cache(maxsize=64)
def _quantiser(element: Element, statistic: str, size: float) -> ScalarQuantiser:
    return element.quantiser(statistic, size)


def _moment(quantiser: ScalarQuantiser) -> float:
    """Factor that gives the divided data the root mean square of the codepoints."""
    return 1.0 / math.sqrt(float(np.mean(quantiser.codepoints**2)))
