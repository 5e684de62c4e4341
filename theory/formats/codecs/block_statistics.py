"""What a block's scale is made of: its largest magnitude, its ends, or its root mean square.

Results do not depend on the number of threads: largest and least are exact, and squares are added in float64
by halves (first half plus second half, padded with zeros to a power of two, until one number is left).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._typing import FloatArray
from .blocks import Blocks, Tile
from .parallel import in_parallel
from .statistic_kernels import extremes, first_of_magnitude, folded_rows, magnitudes, sums_of_squares

__all__ = ["block_ends", "block_magnitudes", "block_squares", "tiles_of"]

# Elements of a tile: 4 MB of float32, so that what the statistic has read is still in a cache when it is
# divided.  Four times more or less costs under 10%.
TILE = 1 << 20
# Elements worth a tile of their own: handing one to a thread takes about 20 microseconds.
SMALLEST = 1 << 16
# Rows into which the squares of one large block are folded, and how many threads may share the work.
FOLDED_ROW, FOLDED_PARTS = 1024, 16

# Bits of infinity, of all but the sign, and how far to shift for the sign alone.
_BITS: dict[str, tuple[Any, Any, int, int, int]] = {
    "float32": (np.uint32, np.int32, 0x7F800000, 0x7FFFFFFF, 31),
    "float64": (np.uint64, np.int64, 0x7FF0000000000000, 0x7FFFFFFFFFFFFFFF, 63),
}


def tiles_of(blocks: Blocks) -> list[Tile]:
    """Tiles that threads work on one by one: eight or more where the array is large enough to share."""
    return list(blocks.tiles(min(TILE, max(SMALLEST, blocks.elements // 8))))


def block_magnitudes(x: NDArray[Any], blocks: Blocks) -> NDArray[Any]:
    """Largest magnitude of each block, of the type of x; not finite where the block is not."""
    fine = blocks.split(TILE)
    if fine is not None:
        parts = np.concatenate(
            in_parallel(lambda tile: block_magnitudes(x[tile.elements], tile.blocks), tiles_of(fine))
        )
        # The bits of NaN and infinity are larger than those of numbers, so that they win here as well.
        unsigned = parts.view(_BITS[x.dtype.name][0])
        return np.asarray(unsigned.reshape(blocks.count, fine.across).max(axis=1)).view(x.dtype)
    unsigned, _, _, mask, _ = _BITS[x.dtype.name]
    out = np.empty(blocks.count, unsigned)
    if out.size:
        magnitudes(x.view(unsigned), *blocks.sides, unsigned(mask), out)
    return out.view(x.dtype)


def block_ends(x: NDArray[Any], blocks: Blocks) -> tuple[NDArray[Any], NDArray[Any]]:
    """Least and greatest element of each block, of the type of x; one is not finite where the block is not."""
    fine = blocks.split(TILE)
    if fine is not None:
        found = in_parallel(lambda tile: block_ends(x[tile.elements], tile.blocks), tiles_of(fine))
        low, high = (
            np.concatenate(parts).reshape(blocks.count, fine.across) for parts in zip(*found, strict=True)
        )
        return np.asarray(low.min(axis=1)), np.asarray(high.max(axis=1))
    _, signed, _, mask, shift = _BITS[x.dtype.name]
    low, high = np.empty((2, blocks.count), signed)
    if low.size:
        extremes(x.view(signed), *blocks.sides, signed(shift), signed(mask), low, high)
    return low.view(x.dtype), high.view(x.dtype)


def signed_magnitudes(x: NDArray[Any], blocks: Blocks) -> NDArray[Any]:
    """Element of largest magnitude of each block, the first of several."""
    low, high = block_ends(x, blocks)
    if (low == -high).any():
        tied = high.copy()
        first_of_magnitude(x, *blocks.sides, low, tied)
        high = np.where(low == -high, tied, high)
    with np.errstate(invalid="ignore"):
        return np.where(-low > high, low, high)


def block_squares(x: NDArray[Any], blocks: Blocks, other: NDArray[Any] | None = None) -> FloatArray:
    """Sum of squares of each block, or of squared differences from another array, in float64."""
    out = np.empty(blocks.count)
    y = x[:0] if other is None else other
    if blocks.split(TILE) is None:
        if out.size:
            sums_of_squares(x, y, *blocks.sides, out)
        return out
    for k in range(blocks.count):
        here = slice(k * blocks.width, (k + 1) * blocks.width)
        out[k] = _large_sum(x[here], y[here])
    return out


def _large_sum(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Sum of squares of one large block: every sixteenth row by a thread of its own, the rest by halves."""
    power = 1 << (x.size - 1).bit_length()
    rows = np.empty((FOLDED_PARTS, FOLDED_ROW))
    in_parallel(
        lambda part: folded_rows(x, y, power, part, FOLDED_PARTS, FOLDED_ROW, rows[part]),
        range(FOLDED_PARTS),
    )
    return float(folded(folded(rows)))


def folded(terms: FloatArray) -> Any:
    """Sum along the first axis by halves, padded with zeros to a power of two."""
    size = 1 << max(0, len(terms) - 1).bit_length()
    if size != len(terms):
        terms = np.concatenate([terms, np.zeros((size - len(terms), *terms.shape[1:]))])
    while len(terms) > 1:
        terms = terms[: len(terms) // 2] + terms[len(terms) // 2 :]
    return terms[0] if len(terms) else 0.0


def all_finite(values: NDArray[Any]) -> bool:
    """Whether every number is finite, told by its bits."""
    unsigned, _, infinity, mask, _ = _BITS[values.dtype.name]
    return not values.size or bool((values.view(unsigned) & unsigned(mask)).max() < unsigned(infinity))
