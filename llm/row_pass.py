"""One pass over the rows of a tensor of weights: all sums that its statistics need.

Rows come in slices that stay in the processor's cache, turned to float64, so that any type and any size of tensor
takes the same little memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..theory._compiled import kernel
from ..theory._typing import FloatArray, IntArray
from .histogram import CELLS, REACH

__all__ = ["BLOCK_SIZES", "RowPass", "pass_over_rows"]

# Each a multiple of the one before.
BLOCK_SIZES = (16, 32, 64, 128, 256)
# Elements turned to float64 at once.
_SLICE = 1 << 16


@dataclass(frozen=True, eq=False)
class RowPass:
    """Sums over a tensor of rows.

    Attributes
    ----------
    powers : ndarray of float64, shape (rows, 4)
        Sum of the first four powers of each row.
    largest : ndarray of float64, shape (rows,)
        Largest magnitude.
    column_squares : ndarray of float64, shape (columns,)
        Sum of squares.
    cells : ndarray of int64, shape (201,)
        Counts of elements over their row's root mean square.
    maxima : ndarray of float64, shape (5, 3)
        For each of `BLOCK_SIZES`: whole blocks in rows that are not zero, sum of their largest magnitudes over
        the row's root mean square, and sum of the squares of these.
    """

    powers: FloatArray
    largest: FloatArray
    column_squares: FloatArray
    cells: IntArray
    maxima: FloatArray


def pass_over_rows(rows: np.ndarray[Any, Any]) -> RowPass:
    """Sum over a matrix, row by row.

    Parameters
    ----------
    rows : ndarray of floating type, shape (rows, columns)

    Raises
    ------
    ValueError
        If an element is not finite.
    """
    found = RowPass(
        np.empty((len(rows), 4)),
        np.empty(len(rows)),
        np.zeros(rows.shape[1]),
        np.zeros(CELLS, dtype=np.int64),
        np.zeros((len(BLOCK_SIZES), 3)),
    )
    sizes = np.array(BLOCK_SIZES)
    step = max(1, _SLICE // rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        powers = found.powers[start : start + step]
        _sum_powers(part, powers, found.largest[start : start + step], found.column_squares)
        if not np.isfinite(powers).all() and not np.isfinite(part).all():
            raise ValueError("a weight is NaN or infinite")
        rms = np.sqrt(powers[:, 1] / rows.shape[1])
        inverse = np.divide(1.0, rms, out=np.zeros(len(rms)), where=rms > 0)
        _count_cells(part, inverse, REACH, found.cells)
        _sum_maxima(part, inverse, sizes, found.maxima)
    return found


@kernel
def _sum_powers(
    part: FloatArray, powers: FloatArray, largest: FloatArray, column_squares: FloatArray
) -> None:
    for i in range(part.shape[0]):
        first, second, third, fourth, most = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(part.shape[1]):
            x = part[i, j]
            square = x * x
            first += x
            second += square
            third += square * x
            fourth += square * square
            most = max(most, abs(x))
            column_squares[j] += square
        powers[i, 0], powers[i, 1], powers[i, 2], powers[i, 3] = first, second, third, fourth
        largest[i] = most


@kernel
def _count_cells(part: FloatArray, inverse: FloatArray, reach: float, cells: IntArray) -> None:
    last = cells.size - 1
    for i in range(part.shape[0]):
        factor = inverse[i] * cells.size / (2.0 * reach)
        for j in range(part.shape[1]):
            place = part[i, j] * factor + 0.5 * cells.size
            if place < 0.0:
                cells[0] += 1
            elif place >= last:
                cells[last] += 1
            else:
                cells[int(place)] += 1


@kernel
def _sum_maxima(part: FloatArray, inverse: FloatArray, sizes: IntArray, maxima: FloatArray) -> None:
    """Walk over blocks of the least size; each of the others is closed where it ends."""
    running = np.empty(sizes.size)
    for i in range(part.shape[0]):
        if inverse[i] == 0.0:
            continue
        running[:] = 0.0
        for stop in range(sizes[0], part.shape[1] + 1, sizes[0]):
            highest = 0.0
            for j in range(stop - sizes[0], stop):
                highest = max(highest, abs(part[i, j]))
            for k in range(sizes.size):
                running[k] = max(running[k], highest)
                if stop % sizes[k] == 0:
                    share = running[k] * inverse[i]
                    maxima[k, 0] += 1.0
                    maxima[k, 1] += share
                    maxima[k, 2] += share * share
                    running[k] = 0.0
