"""Elements and codes of tiles: what is done to each element once the scale of its block is known."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._typing import IntArray
from ...quantisers import ScalarQuantiser
from ...quantisers._encoders import COUNTED, _bit_buckets
from .block_kernels import decode_blocks, encode_blocks
from .block_scales import BlockScales
from .block_statistics import TILE, tiles_of
from .blocks import Blocks, Tile, repeated
from .parallel import in_parallel

__all__ = ["Codec", "ScalarCodec", "part_of"]

# Halves below this are rounded exactly by adding and subtracting a large number, in float32 too.
MAX_INTEGER = 1 << 16


class Codec(ABC):
    """What turns the elements of blocks with known scales into codes, and back, in one type of arithmetic.

    Parameters
    ----------
    dtype : dtype
        float32 or float64.
    codepoints : ndarray
        What codes stand for, along the first axis; 65,536 at most.
    piece : int
        Elements of a row that may be handled apart from the rest of their block.
    """

    def __init__(self, dtype: np.dtype[Any], codepoints: NDArray[Any], piece: int) -> None:
        if not np.isfinite(codepoints).all():
            raise ValueError(f"{dtype} cannot hold all codepoints of the element")
        self.dtype, self.piece = dtype, piece
        self.levels = len(codepoints)
        self.highest = float(np.abs(codepoints.astype(np.float64)).max())
        self.code_type = np.dtype(np.uint8 if self.levels <= 256 else np.uint16)

    @abstractmethod
    def codes_in(self, blocks: Blocks) -> int:
        """Codes that the elements of blocks have."""

    @abstractmethod
    def encode(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales, out: IntArray) -> None:
        """Write the codes of a tile; the type of x is that of the arithmetic."""

    @abstractmethod
    def decode(self, codes: IntArray, blocks: Blocks, scales: BlockScales, out: NDArray[Any]) -> None:
        """Write the restored values of a tile."""

    def tiles(self, blocks: Blocks) -> list[tuple[Tile, slice]]:
        """Tiles, and where their codes are among all."""
        tiles = tiles_of(blocks)
        ends = list(itertools.accumulate((self.codes_in(tile.blocks) for tile in tiles), initial=0))
        return [(tile, slice(*pair)) for tile, pair in zip(tiles, itertools.pairwise(ends), strict=True)]

    def refined(self, blocks: Blocks, scales: BlockScales) -> tuple[Blocks, BlockScales]:
        """Narrower blocks and their scales, where blocks are larger than a tile and can be cut."""
        fine = blocks.split(self.piece)
        if fine is None:
            return blocks, scales
        given = (scales.scales, scales.zeros, scales.offsets)
        return fine, BlockScales(
            scales.stored, *(repeated(values, blocks, fine) if values.size else values for values in given)
        )

    def encode_all(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales) -> IntArray:
        """Codes of all elements, by all cores."""
        codes = np.empty(self.codes_in(blocks), self.code_type)
        blocks, scales = self.refined(blocks, scales)

        def work(item: tuple[Tile, slice]) -> None:
            tile, here = item
            self.encode(x[tile.elements], tile.blocks, part_of(scales, tile.grid), codes[here])

        in_parallel(work, self.tiles(blocks))
        return codes

    def restore(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales) -> NDArray[Any]:
        """Decode the codes of all elements of a tile or more, in this thread."""
        codes = np.empty(self.codes_in(blocks), self.code_type)
        out = np.empty_like(x)
        self.encode(x, blocks, scales, codes)
        self.decode(codes, blocks, scales, out)
        return out

    def check(self, codes: IntArray) -> None:
        """Raise where a code is beyond the codepoints."""
        if self.levels <= np.iinfo(codes.dtype).max and codes.max(initial=0) >= self.levels:
            raise ValueError(f"codes must lie in 0 to {self.levels - 1}, but one is {codes.max()}")

    def largest(self, scales: BlockScales) -> float:
        """Bound on the magnitude of restored values, in float64."""
        scale, zero, offset = (
            float(np.abs(values).max(initial=0.0)) for values in (scales.scales, scales.zeros, scales.offsets)
        )
        return scale * (self.highest + zero) + offset


class ScalarCodec(Codec):
    """Codec of a scalar quantiser in the element's own units.

    Codepoints and thresholds are rounded to the type of the arithmetic, to nearest.
    """

    def __init__(self, quantiser: ScalarQuantiser, dtype: np.dtype[Any]) -> None:
        with np.errstate(over="ignore", under="ignore"):
            self._codepoints = quantiser.codepoints.astype(dtype)
            # Zero is +0, which has the larger bits.
            thresholds = quantiser.thresholds.astype(dtype) + dtype.type(0.0)
        super().__init__(dtype, self._codepoints, TILE)
        self.method, self._tables = _method(thresholds)
        small = bool(np.abs(self._codepoints).max() < MAX_INTEGER)
        self._even = (
            small and float(self._codepoints[0]) % 0.5 == 0 and bool((np.diff(self._codepoints) == 1).all())
        )
        self._unsigned = np.dtype(np.uint32 if dtype.itemsize == 4 else np.uint64)

    def codes_in(self, blocks: Blocks) -> int:
        """One for each element."""
        return blocks.elements

    def encode(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales, out: IntArray) -> None:
        """Write the codes of a tile; the type of x is that of the arithmetic."""
        if x.size:
            given = (scales.scales, scales.zeros, scales.offsets)
            encode_blocks(x, *blocks.sides, *given, self.method, self._unsigned, self._tables, out)

    def decode(self, codes: IntArray, blocks: Blocks, scales: BlockScales, out: NDArray[Any]) -> None:
        """Write the restored values of a tile."""
        if codes.size:
            given = (scales.scales, scales.zeros, scales.offsets)
            decode_blocks(codes, *blocks.sides, *given, self._even, self._codepoints, out)


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


def part_of(scales: BlockScales, grid: slice) -> BlockScales:
    """What is done to the elements of some of the blocks."""
    return BlockScales(scales.stored[:0], scales.scales[grid], scales.zeros[grid], scales.offsets[grid])
