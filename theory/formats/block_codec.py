"""Elements and codes of tiles: what is done to each element once the scale of its block is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._typing import IntArray
from ..quantisers import ScalarQuantiser
from ..quantisers._encoders import COUNTED, _bit_buckets
from ._block_kernels import decode_blocks, encode_blocks
from ._parallel import in_parallel
from .block_scales import BlockScales
from .block_statistics import TILE, tiles_of
from .blocks import Blocks, repeated

__all__ = ["BlockCodec", "part_of", "refined"]

# Halves below this are rounded exactly by adding and subtracting a large number, in float32 too.
MAX_INTEGER = 1 << 16


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
        self.method, self.tables = _method(thresholds)
        self._unsigned = np.dtype(np.uint32 if dtype.itemsize == 4 else np.uint64)

    def encode(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales, out: IntArray) -> None:
        """Write the codes of a tile; the type of x is that of the arithmetic."""
        if not x.size:
            return
        given = (scales.scales, scales.zeros, scales.offsets, self.method, self._unsigned, self.tables)
        encode_blocks(x, *blocks.sides, *given, out)

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


def _method(t: NDArray[Any]) -> tuple[int, tuple[Any, ...]]:
    """How cells are found, and the tables for it (see `encode_blocks`)."""
    dtype = t.dtype.type
    none = np.zeros(1, np.uint16), np.zeros(1, np.int32), 0, 0, 0
    integers = t.size > 0 and float(t[0]) % 1.0 == 0.5 and np.abs(t).max() < MAX_INTEGER
    if integers and (np.diff(t) == 1).all():
        magic = 1.5 * 2.0 ** np.finfo(t.dtype).nmant
        return 0, (np.array([magic, t[0] - 0.5, t[-1] + 0.5], dtype), *none)
    if t.size <= COUNTED:
        return 1, (np.concatenate([t, np.full(COUNTED - t.size, np.inf, dtype)]), *none)
    return 2, _bit_buckets(t)


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
