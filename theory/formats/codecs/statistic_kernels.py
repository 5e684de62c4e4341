"""Kernels for what blocks have in common: largest magnitudes, ends, sums of squares, and rounded scales.

They take the flat, contiguous elements of a tile and its sides (columns, rows of a plane, height, width), and
write one number per block in the order of the grid.  Inner loops run over slices from zero, which is what lets
the compiler turn them into vector code; magnitudes and order are compared as integers, for which it may.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._compiled import kernel
from ..._typing import FloatArray, IntArray

__all__ = [
    "extremes",
    "first_of_magnitude",
    "folded_rows",
    "magnitudes",
    "round_numbers",
    "sums_of_squares",
]


@kernel
def _largest(bits: IntArray, mask: Any) -> Any:
    largest = bits.dtype.type(0)
    for i in range(bits.size):
        largest = max(largest, bits.dtype.type(bits[i] & mask))
    return largest


@kernel
def magnitudes(
    bits: IntArray, columns: int, plane: int, height: int, width: int, mask: Any, out: IntArray
) -> None:
    """Write the bits of the largest magnitude of each block."""
    k = 0
    rows = bits.size // columns
    for top in range(0, rows, plane):
        for first in range(top, top + plane, height):
            last = min(first + height, top + plane)
            for left in range(0, columns, width):
                right = min(left + width, columns)
                largest = bits.dtype.type(0)
                for row in range(first, last):
                    largest = max(largest, _largest(bits[row * columns + left : row * columns + right], mask))
                out[k] = largest
                k += 1


@kernel
def _order_range(bits: IntArray, shift: Any, mask: Any) -> Any:
    # Signed integers in the order of the floats whose bits they are: -0 comes just below +0.
    low = bits[0] ^ ((bits[0] >> shift) & mask)
    high = low
    for i in range(bits.size):
        key = bits[i] ^ ((bits[i] >> shift) & mask)
        low = min(low, key)
        high = max(high, key)
    return low, high


@kernel
def extremes(
    bits: IntArray,
    columns: int,
    plane: int,
    height: int,
    width: int,
    shift: Any,
    mask: Any,
    low: IntArray,
    high: IntArray,
) -> None:
    """Write the bits, as signed integers, of the least and the greatest element of each block."""
    k = 0
    rows = bits.size // columns
    for top in range(0, rows, plane):
        for first in range(top, top + plane, height):
            last = min(first + height, top + plane)
            for left in range(0, columns, width):
                right = min(left + width, columns)
                start = first * columns
                least, greatest = _order_range(bits[start + left : start + right], shift, mask)
                for row in range(first + 1, last):
                    start = row * columns
                    a, b = _order_range(bits[start + left : start + right], shift, mask)
                    least, greatest = min(least, a), max(greatest, b)
                low[k] = least ^ ((least >> shift) & mask)
                high[k] = greatest ^ ((greatest >> shift) & mask)
                k += 1


@kernel
def first_of_magnitude(
    x: FloatArray, columns: int, plane: int, height: int, width: int, low: FloatArray, high: FloatArray
) -> None:
    """Where -low = high, write to `high` whichever of the two comes first in the block."""
    k = 0
    rows = x.size // columns
    for top in range(0, rows, plane):
        for first in range(top, top + plane, height):
            last = min(first + height, top + plane)
            for left in range(0, columns, width):
                right = min(left + width, columns)
                tie = high[k] == -low[k]
                row = first
                while tie and row < last:
                    for i in range(row * columns + left, row * columns + right):
                        if tie and abs(x[i]) == high[k]:
                            high[k] = x[i]
                            tie = False
                    row += 1
                k += 1


@kernel
def _fold(terms: FloatArray, size: int) -> Any:
    while size > 1:
        size //= 2
        lower, upper = terms[:size], terms[size : 2 * size]
        for i in range(lower.size):
            lower[i] += upper[i]
    return terms[0]


@kernel
def _squares(x: FloatArray, y: FloatArray, out: FloatArray) -> None:
    if y.size:
        for i in range(x.size):
            difference = np.float64(x[i]) - np.float64(y[i])
            out[i] = difference * difference
    else:
        for i in range(x.size):
            out[i] = np.float64(x[i]) * np.float64(x[i])


@kernel
def sums_of_squares(
    x: FloatArray, y: FloatArray, columns: int, plane: int, height: int, width: int, out: FloatArray
) -> None:
    """Sum of the squares of each block in float64, halves added until one number is left.

    Squares are those of the differences x - y, taken in float64; of x where y is empty.
    """
    k = 0
    rows = x.size // columns
    power = 1
    while power < min(height, plane) * min(width, columns):
        power *= 2
    terms = np.empty(power, np.float64)
    for top in range(0, rows, plane):
        for first in range(top, top + plane, height):
            last = min(first + height, top + plane)
            for left in range(0, columns, width):
                right = min(left + width, columns)
                across = right - left
                count = across * (last - first)
                for row in range(first, last):
                    start = (row - first) * across
                    here = slice(row * columns + left, row * columns + right)
                    _squares(x[here], y[here], terms[start : start + across])
                size = 1
                while size < count:
                    size *= 2
                terms[count:size] = 0.0
                out[k] = _fold(terms, size)
                k += 1


@kernel
def folded_rows(
    x: FloatArray, y: FloatArray, power: int, residue: int, modulus: int, wide: int, out: FloatArray
) -> None:
    """Fold the squares of every modulus-th row of `wide` elements, from row `residue` on, into one row.

    Rows are visited in bit-reversed order, in which the partners of every halving are neighbours, so that a
    stack of one row per halving is all that is kept.
    """
    rows = power // wide // modulus
    levels = 0
    while 1 << levels < rows:
        levels += 1
    stack = np.zeros((levels + 1, wide))
    current = np.empty(wide)
    for k in range(rows):
        reversed_k = 0
        for bit in range(levels):
            reversed_k |= ((k >> bit) & 1) << (levels - 1 - bit)
        start = min(x.size, (residue + modulus * reversed_k) * wide)
        stop = min(x.size, start + wide)
        current[:] = 0.0
        _squares(x[start:stop], y[start:stop], current[: stop - start])
        level = 0
        while (k >> level) & 1:
            below = stack[level]
            for i in range(below.size):
                current[i] += below[i]
            level += 1
        stack[level, :] = current
    out[:] = stack[levels]


@kernel
def round_numbers(
    x: FloatArray,
    bits: IntArray,
    mantissa_bits: int,
    least: int,
    fixed: bool,
    smallest: float,
    largest: float,
    mode: int,
    powers: FloatArray,
    out: FloatArray,
) -> None:
    """Round to a number type (see `NumberType.round`): mode 0 to nearest, 1 up, 2 down.

    `powers` holds 2^k from k = -300 on, `least` the exponent of the smallest spacing; `smallest` is 0 where
    the type has a zero.
    """
    for i in range(x.size):
        magnitude = min(abs(x[i]), largest)
        # A larger magnitude would be cut to the largest number, and infinity has no exponent to speak of.
        exponent = ((bits[i] >> 52) & 0x7FF) - 1023 - mantissa_bits if magnitude < largest else least
        unit = least if fixed else max(exponent, least)
        steps = magnitude * powers[300 - unit]
        if mode == 0:
            whole = np.rint(steps)
        elif mode == 1:
            whole = np.ceil(steps)
        else:
            whole = np.floor(steps)
        rounded = largest if magnitude == largest else min(whole * powers[300 + unit], largest)
        out[i] = np.copysign(max(rounded, smallest), x[i])
