"""Scales of blocks: the statistic, divided by the reach, rounded once to what is stored.

All arithmetic up to the rounding is float64, in the order multiplier * factor * statistic / reach; what is
stored is kept as float32 (which holds every number of 32 bits or fewer with float32's range), and what codes
are divided by is the float32 nearest to the product of the stored numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._typing import FloatArray
from ..number_types import NumberType
from ..scaling import GroupedScale, Scale
from .block_statistics import all_finite, block_ends, block_magnitudes, block_squares, signed_magnitudes
from .blocks import Blocks
from .rounding import as_float32, rounded_scales

if TYPE_CHECKING:
    from .encoded import Encoded

__all__ = ["BlockScales", "Scaler", "Statistics"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Statistics:
    """What blocks are: their statistic, and for minmax their least element (both float64)."""

    values: FloatArray
    least: FloatArray | None = None


@dataclass(frozen=True)
class BlockScales:
    """What is stored of blocks, flat in the order of the grid, and what it does to their elements.

    An element is restored as scale * (codepoint - zero) + offset; `zeros` and `offsets` are empty where no
    block has any.
    """

    stored: Float32
    scales: NDArray[Any]
    zeros: NDArray[Any]
    offsets: NDArray[Any]
    stored_zeros: Float32 | None = None
    groups: Float32 | None = None
    zero_groups: Float32 | None = None


class Scaler:
    """Statistics of blocks and the scales they come to, for one format and type of arithmetic.

    Parameters
    ----------
    scale : Scale
    group : GroupedScale or None
    across : int
        Blocks in a row of the array's own grid, within which groups are counted.
    reach, multiplier : float
    ends : (float, float)
        Least and greatest codepoint.
    dtype : dtype
        Of the arithmetic on elements: float32 or float64.
    """

    def __init__(
        self,
        scale: Scale,
        group: GroupedScale | None,
        across: int,
        reach: float,
        multiplier: float,
        ends: tuple[float, float],
        dtype: np.dtype[Any],
    ) -> None:
        self.scale, self.group, self.across = scale, group, max(across, 1)
        self.reach, self.multiplier, self.ends, self.dtype = reach, multiplier, ends, dtype

    def measure(self, x: NDArray[Any], blocks: Blocks) -> Statistics | None:
        """Statistics of the blocks of flat elements; None where one is not finite."""
        statistic = self.scale.statistic
        if statistic == "rms":
            sums = block_squares(x, blocks)
            if not all_finite(sums) and not np.isfinite(x).all():
                return None
            return Statistics(np.sqrt(sums / blocks.sizes().reshape(-1)))
        if statistic == "minmax":
            low, high = block_ends(x, blocks)
            if not (all_finite(low) and all_finite(high)):
                return None
            return self.range_of(low.astype(np.float64), high.astype(np.float64))
        largest = (signed_magnitudes if statistic == "signmax" else block_magnitudes)(x, blocks)
        if not all_finite(largest):
            return None
        return Statistics(np.ones(blocks.count) if statistic == "none" else largest.astype(np.float64) + 0.0)

    def range_of(self, low: FloatArray, high: FloatArray) -> Statistics:
        """Width and lower end; where the zero or the offset cannot lie elsewhere, the range holds 0."""
        zero = self.scale.zero
        if zero == "integer":
            low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
        elif isinstance(zero, NumberType) and not zero.signed:
            low = np.minimum(low, 0.0)
        with np.errstate(over="ignore"):
            return Statistics(high - low, low + 0.0)

    def scales(self, found: Statistics, factor: FloatArray | float = 1.0) -> BlockScales:
        """What is stored of blocks; the factor (of all or of each) multiplies their statistic.

        Factors of each do not move what groups store, so that no block's scale depends on another's factor.
        """
        nothing = np.empty(0, self.dtype)
        if self.scale.statistic == "none":
            ones = np.ones(found.values.size, self.dtype)
            return BlockScales(np.empty(0, np.float32), ones, nothing, nothing)
        with np.errstate(over="ignore"):
            exact = self.multiplier * factor * found.values / self.reach
            common = exact if np.ndim(factor) == 0 else self.multiplier * found.values / self.reach
        stored, groups, scales = self._stored(exact, self.scale.number, self.scale.rounding, common)
        if found.least is None:
            return BlockScales(stored, scales.astype(self.dtype), nothing, nothing, groups=groups)
        if self.scale.zero == "integer":
            zeros = self._integer_zeros(found.least, scales.astype(np.float64))
            offsets = np.zeros(zeros.size, self.dtype)
            stored_zeros = zeros.astype(np.float32)
            return BlockScales(
                stored, scales.astype(self.dtype), zeros.astype(self.dtype), offsets, stored_zeros, groups
            )
        return self._with_offsets(found.least, stored, scales, groups)

    def _integer_zeros(self, least: FloatArray, scales: FloatArray) -> FloatArray:
        low, high = self.ends
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            zeros = np.rint(low - least / scales)
        return np.clip(np.where(scales == 0.0, 0.0, zeros), low, high)

    def _with_offsets(
        self, least: FloatArray, stored: Float32, scales: Float32, groups: Float32 | None
    ) -> BlockScales:
        number = self.scale.zero
        assert isinstance(number, NumberType)
        sign = 1.0 if number.signed else -1.0
        stored_zeros, zero_groups, offsets = self._stored(sign * least + 0.0, number, "nearest", least)
        zeros, offsets = self._affine(offsets)
        return BlockScales(
            stored, scales.astype(self.dtype), zeros, offsets, stored_zeros, groups, zero_groups
        )

    def _affine(self, stored: Float32) -> tuple[NDArray[Any], NDArray[Any]]:
        """Zeros and offsets in the type of the arithmetic, of the offsets that are stored."""
        sign = self.dtype.type(
            1 if not isinstance(self.scale.zero, NumberType) or self.scale.zero.signed else -1
        )
        zeros = np.full(stored.size, self.ends[0], self.dtype)
        return zeros, sign * stored.astype(self.dtype) + self.dtype.type(0.0)

    def of_stored(self, encoded: Encoded, count: int) -> BlockScales:
        """What stored numbers of `count` blocks do to elements."""
        nothing = np.empty(0, self.dtype)
        if self.scale.statistic == "none":
            return BlockScales(encoded.scales, np.ones(count, self.dtype), nothing, nothing)
        stored = encoded.scales.reshape(-1)
        scales = self._product(stored, encoded.group_scales).astype(self.dtype)
        if encoded.zeros is None:
            return BlockScales(stored, scales, nothing, nothing)
        if self.scale.zero == "integer":
            zeros = encoded.zeros.reshape(-1).astype(self.dtype)
            return BlockScales(stored, scales, zeros, np.zeros(zeros.size, self.dtype))
        return BlockScales(
            stored, scales, *self._affine(self._product(encoded.zeros.reshape(-1), encoded.group_zeros))
        )

    def _product(self, stored: Float32, groups: Float32 | None) -> Float32:
        """Stored numbers of blocks times those of their groups."""
        if groups is None:
            return stored
        return as_float32(self._of_blocks(groups, stored.size) * stored)

    def _stored(
        self, exact: FloatArray, number: NumberType, mode: Any, common: FloatArray
    ) -> tuple[Float32, Float32 | None, Float32]:
        """Stored numbers of blocks and of their groups (for the largest of `common`), and their products."""
        if self.group is None:
            stored = rounded_scales(exact, number, mode)
            return stored, None, stored
        largest = self._group_largest(np.abs(common))
        groups = rounded_scales(largest / number.largest, self.group.number, self.group.rounding)
        outer = self._of_blocks(groups, exact.size)
        relative = np.zeros(exact.size)
        with np.errstate(over="ignore"):
            np.divide(exact, outer, out=relative, where=outer != 0.0)
        stored = rounded_scales(relative, number, mode)
        return stored, groups, self._product(stored, groups)

    def _group_largest(self, magnitudes: FloatArray) -> FloatArray:
        """Largest number of each group."""
        assert self.group is not None
        if self.group.blocks == "tensor" or not magnitudes.size:
            return np.asarray(magnitudes.max(initial=0.0, keepdims=True))[: magnitudes.size]
        rows = magnitudes.reshape(-1, self.across)
        starts = np.arange(0, self.across, self.group.blocks)
        return np.asarray(np.maximum.reduceat(rows, starts, axis=1)).reshape(-1)

    def groups_in(self, count: int) -> int:
        """Groups of some number of blocks."""
        if self.group is None:
            return 0
        if self.group.blocks == "tensor":
            return min(count, 1)
        return count // self.across * -(-self.across // self.group.blocks)

    def _of_blocks(self, groups: Float32, count: int) -> FloatArray:
        """Number of its group for each of `count` blocks; one number where there is one group."""
        assert self.group is not None
        wide = groups.astype(np.float64)
        if self.group.blocks == "tensor":
            return wide
        rows = wide.reshape(count // self.across, -(-self.across // self.group.blocks))
        return np.asarray(np.repeat(rows, self.group.blocks, axis=1)[:, : self.across]).reshape(count)
