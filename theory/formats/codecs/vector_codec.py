"""Vector codebooks behind block scales: consecutive elements of a row of a block share a code.

Vectors do not cross blocks: where the dimension does not divide a block's row, its last vector is shorter, and
only the coordinates it has count when the nearest codeword is sought.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compiled import kernel
from ..._typing import FloatArray, IntArray
from ...quantisers import VectorQuantiser
from ...quantisers.vector_kernels import nearest_in_block
from .block_codec import Codec
from .block_scales import BlockScales
from .block_statistics import TILE
from .blocks import Blocks

__all__ = ["VectorCodec"]

# Vectors searched side by side: what the kernel keeps in registers.
_LANES = 32


class VectorCodec(Codec):
    """Encoder and decoder of a vector codebook, for one type of arithmetic.

    Elements are divided by their scale in that type; squared distances to codewords, rounded to it, are added
    in float64 from the first coordinate on, and the first of equally near codewords is taken.
    """

    def __init__(self, quantiser: VectorQuantiser, dtype: np.dtype[Any]) -> None:
        self.codebook = quantiser.codebook.astype(dtype)
        self.dimension = quantiser.block_length
        super().__init__(dtype, self.codebook, TILE // self.dimension * self.dimension)

    def codes_in(self, blocks: Blocks) -> int:
        """Vectors of all blocks."""
        return blocks.rows * self.codes_in_row(blocks)

    def codes_in_row(self, blocks: Blocks) -> int:
        """Vectors of a row."""
        whole, rest = divmod(blocks.columns, blocks.width)
        return whole * -(-blocks.width // self.dimension) + -(-rest // self.dimension)

    def encode(self, x: NDArray[Any], blocks: Blocks, scales: BlockScales, out: IntArray) -> None:
        """Write the codes of a tile; the type of x is that of the arithmetic."""
        if not x.size:
            return
        scale = _of_elements(scales.scales, blocks)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            divided = np.where(scale == 0, self.dtype.type(0), x.reshape(scale.shape) / scale)
        vector, coordinate = self._places(blocks)
        vectors = np.zeros((blocks.rows, self.codes_in_row(blocks), self.dimension))
        weights = np.zeros_like(vectors)
        vectors[:, vector, coordinate] = divided
        weights[:, vector, coordinate] = 1.0
        flat = vectors.reshape(-1, self.dimension)
        index, error = np.empty(len(flat), np.int32), np.empty(len(flat))
        # Beyond this, squares leave the range of float64 and nothing is nearest; no codeword is near it.
        np.clip(flat, -1e150, 1e150, out=flat)
        _nearest(flat, weights.reshape(flat.shape), self.codebook.astype(np.float64), index, error)
        out[:] = index

    def decode(self, codes: IntArray, blocks: Blocks, scales: BlockScales, out: NDArray[Any]) -> None:
        """Write the restored values of a tile."""
        if codes.size:
            vector, coordinate = self._places(blocks)
            points = self.codebook[codes.reshape(blocks.rows, -1)[:, vector], coordinate]
            out[:] = (_of_elements(scales.scales, blocks) * points).reshape(-1)

    def _places(self, blocks: Blocks) -> tuple[IntArray, IntArray]:
        """Vector of each column, and the coordinate in it."""
        block, column = np.divmod(np.arange(blocks.columns), blocks.width)
        vector, coordinate = np.divmod(column, self.dimension)
        return block * -(-blocks.width // self.dimension) + vector, coordinate


def _of_elements(values: NDArray[Any], blocks: Blocks) -> NDArray[Any]:
    """Number of its block for each element, shape (rows, columns)."""
    row = np.arange(blocks.rows)
    band = row // blocks.plane * blocks.bands_in_plane + row % blocks.plane // blocks.height
    column = np.arange(blocks.columns) // blocks.width
    return np.asarray(values.reshape(blocks.bands, blocks.across)[band[:, None], column[None, :]])


@kernel
def _nearest(x: FloatArray, weights: FloatArray, codebook: FloatArray, index: Any, error: Any) -> None:
    for first in range(0, x.shape[0], _LANES):
        last = min(first + _LANES, x.shape[0])
        nearest_in_block(x[first:last], weights[first:last], codebook, index[first:last], error[first:last])
