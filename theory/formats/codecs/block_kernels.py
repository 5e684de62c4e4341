"""Kernels that turn the elements of blocks with known scales into codes, and codes into restored values.

They take the flat, contiguous elements of a tile and its sides (columns, rows of a plane, height, width), and
one number per block in the order of the grid.  Inner loops run over slices from zero, which is what lets the
compiler turn them into vector code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compiled import kernel
from ..._typing import FloatArray, IntArray
from ...quantisers._encoders import _bits_block

__all__ = ["decode_blocks", "encode_blocks"]

# Elements divided at a time: 16 to 32 kB, which the first cache holds.
BUFFER = 4096


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
def _restore_even(codes: IntArray, scale: Any, first: Any, out: FloatArray) -> None:
    # Codepoints one apart are counted up from the first, which is exact and needs no table.
    for i in range(codes.size):
        out[i] = scale * (out.dtype.type(codes[i]) + first)


@kernel
def _count_up(codes: IntArray, first: Any, out: FloatArray) -> None:
    for i in range(codes.size):
        out[i] = out.dtype.type(codes[i]) + first


@kernel
def _multiply(x: FloatArray, scale: Any) -> None:
    for i in range(x.size):
        x[i] = scale * x[i]


@kernel
def _restore_short(codes: IntArray, width: int, scales: FloatArray, first: Any, out: FloatArray) -> None:
    # Converting codes wants longer loops than short blocks are: several are converted, then multiplied.
    step = BUFFER // width * width
    for start in range(0, codes.size, step):
        stop = min(start + step, codes.size)
        _count_up(codes[start:stop], first, out[start:stop])
        for left in range(start, stop, width):
            _multiply(out[left : min(left + width, stop)], scales[left // width])


@kernel
def _restore_affine(
    codes: IntArray, scale: Any, zero: Any, offset: Any, table: FloatArray, out: FloatArray
) -> None:
    for i in range(codes.size):
        out[i] = scale * (table[np.uint32(codes[i])] - zero) + offset


@kernel
def _restore_affine_even(
    codes: IntArray, scale: Any, zero: Any, offset: Any, first: Any, out: FloatArray
) -> None:
    for i in range(codes.size):
        out[i] = scale * ((out.dtype.type(codes[i]) + first) - zero) + offset


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
    even: bool,
    table: NDArray[Any],
    out: FloatArray,
) -> None:
    """Scale times codepoint for all codes; less the zero and plus the offset where there are any.

    `even` says that codepoints, those of `table`, are one apart.
    """
    across = -(-columns // width)
    for row in range(codes.size // columns):
        k = _band_of(row, plane, height) * across
        if even and width < BUFFER and not zeros.size:
            here = slice(row * columns, (row + 1) * columns)
            _restore_short(codes[here], width, scales[k : k + across], table[0], out[here])
            continue
        for left in range(0, columns, width):
            here = slice(row * columns + left, row * columns + min(left + width, columns))
            if zeros.size and even:
                _restore_affine_even(codes[here], scales[k], zeros[k], offsets[k], table[0], out[here])
            elif zeros.size:
                _restore_affine(codes[here], scales[k], zeros[k], offsets[k], table, out[here])
            elif even:
                _restore_even(codes[here], scales[k], table[0], out[here])
            else:
                _restore(codes[here], scales[k], table, out[here])
            k += 1
