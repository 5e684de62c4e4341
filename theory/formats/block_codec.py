"""Elements and codes of tiles: what is done to each element once the scale of its block is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._typing import IntArray
from ..quantisers import ScalarQuantiser
from ..quantisers._encoders import COUNTED, _bit_buckets
from ._block_kernels import decode_blocks, encode_bucketed, encode_counted
from ._parallel import in_parallel
from .block_scales import BlockScales
from .block_statistics import TILE, tiles_of
from .blocks import Blocks, repeated

__all__ = ["BlockCodec", "part_of", "refined"]


class BlockCodec:
    """Encoder and decoder of a quantiser behind block scales, for one type of arithmetic.

    Parameters
    ----------
    quantiser : ScalarQuantiser
        In the element's own units; codepoints and thresholds are rounded to the type, to nearest.
    dtype : dtype
        float32 or float64.
    """

    def __init__(self, quantiser: ScalarQuantiser, dtype: np.dtype[Any]) -> None:
        with np.errstate(over="ignore", under="ignore"):
            self.codepoints = quantiser.codepoints.astype(dtype)
            # Zero is +0, which has the larger bits.
            thresholds = quantiser.thresholds.astype(dtype) + dtype.type(0.0)
        if not np.isfinite(self.codepoints).all():
            raise ValueError(f"{dtype} cannot hold all codepoints of the element")
        self.dtype = dtype
        self.code_type = np.dtype(np.uint8 if self.codepoints.size <= 256 else np.uint16)
        self.tables: tuple[Any, ...] | None = None
        if thresholds.size > COUNTED:
            self.tables = _bit_buckets(thresholds)
        self._thresholds = np.concatenate(
            [thresholds, np.full(max(0, COUNTED - thresholds.size), np.inf, dtype)]
        )

    def encode(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales, out: IntArray) -> None:
        """Write the codes of a tile; the type of x is that of the arithmetic."""
        if not x.size:
            return
        given = (x, *blocks.sides, scales.scales, scales.zeros, scales.offsets)
        if self.tables is None:
            encode_counted(*given, self._thresholds, out)
        else:
            unsigned = np.dtype(np.uint32 if self.dtype.itemsize == 4 else np.uint64)
            encode_bucketed(*given, unsigned, self.tables, out)

    def decode(self, codes: IntArray, blocks: Blocks, scales: BlockScales, out: NDArray[Any]) -> None:
        """Write the restored values of a tile."""
        if codes.size:
            decode_blocks(
                codes, *blocks.sides, scales.scales, scales.zeros, scales.offsets, self.codepoints, out
            )

    def check(self, codes: IntArray) -> None:
        """Raise where a code is beyond the codepoints."""
        if self.codepoints.size <= np.iinfo(codes.dtype).max and codes.max(initial=0) >= self.codepoints.size:
            raise ValueError(f"codes must lie in 0 to {self.codepoints.size - 1}, but one is {codes.max()}")

    def largest(self, scales: BlockScales) -> float:
        """Bound on the magnitude of restored values, in float64."""
        highest = float(np.abs(self.codepoints.astype(np.float64)).max())
        return float(
            np.abs(scales.scales).max(initial=0.0).astype(np.float64)
            * (highest + np.abs(scales.zeros).max(initial=0.0).astype(np.float64))
            + np.abs(scales.offsets).max(initial=0.0).astype(np.float64)
        )

    def encode_all(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales) -> IntArray:
        """Codes of all elements, by all cores."""
        codes = np.empty(x.size, self.code_type)
        blocks, scales = refined(blocks, scales)
        in_parallel(
            lambda tile: self.encode(
                x[tile.elements], tile.blocks, part_of(scales, tile.grid), codes[tile.elements]
            ),
            tiles_of(blocks),
        )
        return codes

    def restore(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales) -> NDArray[Any]:
        """Decode the codes of all elements of a tile or more, in this thread."""
        codes = np.empty(x.size, self.code_type)
        out = np.empty_like(x)
        self.encode(x, blocks, scales, codes)
        self.decode(codes, blocks, scales, out)
        return out


def refined(blocks: Blocks, scales: BlockScales) -> tuple[Blocks, BlockScales]:
    """Narrower blocks and their scales, where blocks are larger than a tile and can be cut."""
    fine = blocks.split(TILE)
    if fine is None:
        return blocks, scales
    return fine, BlockScales(
        scales.stored,
        *(
            values if values.size == 0 else repeated(values, blocks, fine)
            for values in (scales.scales, scales.zeros, scales.offsets)
        ),
    )


def part_of(scales: BlockScales, grid: slice) -> BlockScales:
    """What is done to the elements of some of the blocks."""
    return BlockScales(scales.stored[:0], scales.scales[grid], scales.zeros[grid], scales.offsets[grid])
