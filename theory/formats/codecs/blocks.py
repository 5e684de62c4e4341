"""Where the blocks of an array lie: rows cut into runs, rectangles of the last two axes, channels, or all.

Every granularity is one picture: rows of contiguous elements, grouped into planes; a block is `height` rows
by `width` columns of a plane, and the last ones of a plane or of a row may be smaller.  Rows that blocks of
height one divide without a rest are joined into one, so that small rows cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._typing import IntArray

if TYPE_CHECKING:
    from ..format import Block

__all__ = ["Blocks", "Tile", "blocks_of", "scales_shape"]


@dataclass(frozen=True)
class Tile:
    """A contiguous part of an array that holds whole blocks."""

    elements: slice
    grid: slice
    blocks: Blocks


@dataclass(frozen=True)
class Blocks:
    """Blocks of `height` by `width` in `rows` rows of `columns`, in planes of `plane` rows."""

    rows: int
    columns: int
    plane: int
    height: int
    width: int

    @property
    def across(self) -> int:
        """Blocks side by side in a row."""
        return -(-self.columns // self.width)

    @property
    def bands_in_plane(self) -> int:
        """Blocks one below the other in a plane."""
        return -(-self.plane // self.height)

    @property
    def bands(self) -> int:
        """Blocks one below the other in all planes."""
        return self.rows // self.plane * self.bands_in_plane if self.plane else 0

    @property
    def count(self) -> int:
        """Blocks in all."""
        return self.bands * self.across

    @property
    def elements(self) -> int:
        """Elements in all."""
        return self.rows * self.columns

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Columns, rows of a plane, height and width: what kernels take."""
        return self.columns, self.plane, self.height, self.width

    def sizes(self) -> IntArray:
        """Elements of each block, shape (bands, across)."""
        heights = np.minimum(self.height, self.plane - self.height * np.arange(self.bands_in_plane))
        widths = np.minimum(self.width, self.columns - self.width * np.arange(self.across))
        planes = self.rows // self.plane if self.plane else 0
        return np.tile(heights, planes)[:, None] * widths[None, :]

    def joined(self) -> Blocks:
        """One row instead of many, where that leaves every block as it is."""
        if self.height == 1 and self.columns % self.width == 0:
            return Blocks(1, self.elements, 1, 1, self.width)
        return self

    def tiles(self, size: int) -> Iterator[Tile]:
        """Contiguous parts of about `size` elements, each of whole blocks, in order."""
        if not self.elements:
            return
        if self.height == 1 and self.columns > size:
            yield from self._pieces_of_rows(max(1, size // self.width))
            return
        band = self.height * self.columns
        if self.plane * self.columns <= size:
            step = self.plane * max(1, size // max(1, self.plane * self.columns))
            starts = [(row, min(row + step, self.rows)) for row in range(0, self.rows, step)]
        else:
            step = self.height * max(1, size // max(1, band))
            starts = [
                (top + row, top + min(row + step, self.plane))
                for top in range(0, self.rows, self.plane)
                for row in range(0, self.plane, step)
            ]
        start = 0
        for row, end in starts:
            part = Blocks(end - row, self.columns, min(self.plane, end - row), self.height, self.width)
            yield Tile(slice(row * self.columns, end * self.columns), slice(start, start + part.count), part)
            start += part.count

    def _pieces_of_rows(self, step: int) -> Iterator[Tile]:
        for row in range(self.rows):
            for block in range(0, self.across, step):
                end = min(block + step, self.across)
                first, last = block * self.width, min(end * self.width, self.columns)
                yield Tile(
                    slice(row * self.columns + first, row * self.columns + last),
                    slice(row * self.across + block, row * self.across + end),
                    Blocks(1, last - first, 1, 1, self.width),
                )

    def split(self, width: int) -> Blocks | None:
        """The same elements with each block cut into narrower ones; None where that cannot be pictured.

        The grid of the result has the blocks of this one as its rows.
        """
        if self.height > 1 or self.columns % self.width or self.width <= width:
            return None
        return Blocks(self.elements // self.width, self.width, 1, 1, width)


def blocks_of(shape: tuple[int, ...], block: Block) -> Blocks:
    """Picture of an array of some shape cut by a granularity."""
    columns = shape[-1] if shape else 1
    size = math.prod(shape)
    rows = size // columns if columns else 0
    if block == "tensor":
        return Blocks(min(size, 1), size, 1, 1, max(size, 1))
    if block == "channel":
        return Blocks(rows, columns, 1, 1, max(columns, 1)).joined()
    if isinstance(block, tuple):
        plane = shape[-2] if len(shape) > 1 else 1
        return Blocks(rows, columns, plane, *block).joined()
    assert isinstance(block, int)
    return Blocks(rows, columns, 1, 1, block).joined()


def scales_shape(shape: tuple[int, ...], block: Block) -> tuple[int, ...]:
    """Shape of the scales: that of the array with its blocked axes counted in blocks; (1,) for a tensor."""
    columns = shape[-1] if shape else 1
    if block == "tensor":
        return (min(1, math.prod(shape)),)
    if block == "channel":
        return (*shape[:-1], min(columns, 1))
    if isinstance(block, tuple):
        down = (-(-shape[-2] // block[0]),) if len(shape) > 1 else ()
        return (*shape[:-2], *down, -(-columns // block[1]))
    assert isinstance(block, int)
    return (*shape[:-1], -(-columns // block))


def repeated(values: NDArray[Any], blocks: Blocks, fine: Blocks) -> NDArray[Any]:
    """Values of blocks for each of the narrower blocks that `split` made of them."""
    return np.repeat(values.reshape(blocks.count), fine.across)
