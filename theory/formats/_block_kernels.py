"""Kernels that run along blocks: statistics, codes and restored values in one pass each.

All take the flat, contiguous elements of a tile and its sides (columns, rows of a plane, height, width), and
one number per block in the order of the grid.  Inner loops run over slices from zero, which is what lets the
compiler turn them into vector code; magnitudes and order are compared as integers, for which it may.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compiled import kernel
from .._typing import FloatArray, IntArray
from ..quantisers._encoders import _bits_block

__all__ = [
    "decode_blocks",
    "encode_blocks",
    "extremes",
    "first_of_magnitude",
    "folded_rows",
    "magnitudes",
    "round_numbers",
    "sums_of_squares",
]

# Elements divided at a time: 16 to 32 kB, which the first cache holds.
BUFFER = 4096


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
def _squares(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        out[i] = np.float64(x[i]) * np.float64(x[i])


@kernel
def sums_of_squares(
    x: FloatArray, columns: int, plane: int, height: int, width: int, out: FloatArray
) -> None:
    """Sum of the squares of each block in float64, halves added until one number is left."""
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
                    _squares(x[row * columns + left : row * columns + right], terms[start : start + across])
                size = 1
                while size < count:
                    size *= 2
                terms[count:size] = 0.0
                out[k] = _fold(terms, size)
                k += 1


@kernel
def folded_rows(x: FloatArray, power: int, residue: int, modulus: int, wide: int, out: FloatArray) -> None:
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
        _squares(x[start:stop], current[: stop - start])
        level = 0
        while (k >> level) & 1:
            below = stack[level]
            for i in range(below.size):
                current[i] += below[i]
            level += 1
        stack[level, :] = current
    out[:] = stack[levels]


@kernel
def _divide(x: FloatArray, scale: Any, out: FloatArray) -> None:
    if scale == 0:
        out[:] = 0
    else:
        for i in range(x.size):
            out[i] = x[i] / scale


@kernel
def _divide_affine(x: FloatArray, scale: Any, zero: Any, offset: Any, out: FloatArray) -> None:
    if scale == 0:
        out[:] = 0
    else:
        for i in range(x.size):
            out[i] = (x[i] - offset) / scale + zero


@kernel
def _divide_row(
    x: FloatArray,
    start: int,
    width: int,
    scales: FloatArray,
    zeros: FloatArray,
    offsets: FloatArray,
    out: FloatArray,
) -> None:
    # x holds the elements of a row from column `start` on.
    i = 0
    block = start // width
    while i < x.size:
        end = min(x.size, (block + 1) * width - start)
        if zeros.size:
            _divide_affine(x[i:end], scales[block], zeros[block], offsets[block], out[i:end])
        else:
            _divide(x[i:end], scales[block], out[i:end])
        i = end
        block += 1


@kernel
def _band_of(row: int, plane: int, height: int) -> int:
    return row // plane * -(-plane // height) + row % plane // height


@kernel
def _count_halves(x: FloatArray, t: FloatArray, out: IntArray) -> None:
    """Thresholds below each number, of fifteen: the middle one chooses the seven that are compared."""
    a, b, c, d, e, f, g = t[0], t[1], t[2], t[3], t[4], t[5], t[6]
    h, j, k, m, n, p, q, r = t[7], t[8], t[9], t[10], t[11], t[12], t[13], t[14]
    for i in range(x.size):
        v = x[i]
        upper = v > h
        t1, t2, t3, t4 = (j, k, m, n) if upper else (a, b, c, d)
        t5, t6, t7 = (p, q, r) if upper else (e, f, g)
        half = (v > t1) + (v > t2) + (v > t3) + (v > t4) + (v > t5) + (v > t6) + (v > t7)
        out[i] = (upper << 3) + half


@kernel
def _round_block(x: FloatArray, magic: Any, low: Any, high: Any, out: IntArray) -> None:
    """Thresholds below each number where they are the halves between the integers low and high.

    Adding and subtracting 1.5 * 2^(mantissa bits) rounds to the nearest integer, halves to even; a half that
    went up is taken back.
    """
    half = x.dtype.type(0.5)
    for i in range(x.size):
        v = min(max(x[i], low), high)
        whole = (v + magic) - magic
        out[i] = np.int32(whole - low) - np.int32(whole - v == half)


@kernel
def encode_blocks(
    x: FloatArray,
    columns: int,
    plane: int,
    height: int,
    width: int,
    scales: FloatArray,
    zeros: FloatArray,
    offsets: FloatArray,
    method: int,
    unsigned: Any,
    tables: Any,
    out: IntArray,
) -> None:
    """Codes of all elements, by integers (method 0), fifteen thresholds (1) or tables of leading bits (2).

    The first of the tables holds, by method: 1.5 * 2^(mantissa bits) and the ends; the thresholds; or what
    the scalar encoders compare with.
    """
    across = -(-columns // width)
    t, base, entry, drop, cut, steps = tables
    divided = np.empty(min(BUFFER, columns), x.dtype)
    for row in range(x.size // columns):
        band = slice(_band_of(row, plane, height) * across, (_band_of(row, plane, height) + 1) * across)
        for start in range(0, columns, BUFFER):
            size = min(BUFFER, columns - start)
            here = slice(row * columns + start, row * columns + start + size)
            part = divided[:size]
            _divide_row(x[here], start, width, scales[band], zeros[band], offsets[band], part)
            if method == 0:
                _round_block(part, t[0], t[1], t[2], out[here])
            elif method == 1:
                _count_halves(part, t, out[here])
            else:
                _bits_block(part, part.view(unsigned), t, base, entry, drop, cut, steps, out[here])


@kernel
def _restore(codes: IntArray, scale: Any, table: FloatArray, out: FloatArray) -> None:
    for i in range(codes.size):
        out[i] = scale * table[np.uint32(codes[i])]


@kernel
def _restore_affine(
    codes: IntArray, scale: Any, zero: Any, offset: Any, table: FloatArray, out: FloatArray
) -> None:
    for i in range(codes.size):
        out[i] = scale * (table[np.uint32(codes[i])] - zero) + offset


@kernel
def decode_blocks(
    codes: IntArray,
    columns: int,
    plane: int,
    height: int,
    width: int,
    scales: FloatArray,
    zeros: FloatArray,
    offsets: FloatArray,
    table: NDArray[Any],
    out: FloatArray,
) -> None:
    """Scale times codepoint for all codes; less the zero and plus the offset where there are any."""
    across = -(-columns // width)
    for row in range(codes.size // columns):
        k = _band_of(row, plane, height) * across
        for left in range(0, columns, width):
            here = slice(row * columns + left, row * columns + min(left + width, columns))
            if zeros.size:
                _restore_affine(codes[here], scales[k], zeros[k], offsets[k], table, out[here])
            else:
                _restore(codes[here], scales[k], table, out[here])
            k += 1


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
