"""Kernels that find cells, and the choice between them.

- Up to 16 codepoints: every threshold is compared with every value, and the outcomes added.  No branch, no
  table, and the compiler turns it into vector code that runs at the speed of memory.
- More: the leading bits of a value (sign, exponent, three bits of the fraction) choose a segment, and the
  next bits a bucket within it; each segment is cut as finely as its own thresholds ask.  All thresholds in
  lower buckets are less than the value and all in higher ones greater, so that only those in the value's own
  bucket are left to compare: nearly always one.  A table of buckets of equal width is no faster and fails
  where codepoints crowd together (heavy tails, floating-point codepoints).
- Values of 16 bits: a table of all of them.

A value on a threshold belongs to the cell below, as in ``numpy.searchsorted(thresholds, x, side="left")``,
and comparisons are those of float64: for a float32 value x, x > t exactly when x > the largest float32 <= t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compiled import kernel
from .._typing import FloatArray, IntArray

__all__ = ["Finder", "finder", "gather"]

# Values handled at a time: 16 to 32 kB, which the first cache holds.  Tenfold more or less costs about 20%.
BLOCK = 4096
# Thresholds up to which comparing with all is fastest: a second round of fifteen costs more than buckets do.
COUNTED = 15
# Bits of the fraction that choose a segment; one more or less changes nothing that can be measured.
SEGMENT_BITS = 3
# Buckets a threshold may cost before several share one: beyond it the table leaves the second cache.
SPARE = 16

# Unsigned type of a value's bits, those of its magnitude, and infinity, by the name of its type.
_LAYOUT: dict[str, tuple[Any, int, int]] = {
    "float16": (np.uint16, 0x7FFF, 0x7C00),
    "bfloat16": (np.uint16, 0x7FFF, 0x7F80),
    "float32": (np.uint32, 0x7FFFFFFF, 0x7F800000),
    "float64": (np.uint64, 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000),
}


@dataclass(frozen=True)
class Finder:
    """Finds the cells of contiguous, one-dimensional arrays of one floating-point type."""

    search: Callable[..., bool]
    bits: Any
    limits: tuple[Any, Any]
    tables: tuple[Any, ...]

    def __call__(self, values: NDArray[Any], out: NDArray[Any]) -> bool:
        """Write the cell of each value to `out`; stop and return False where one is not finite."""
        bits = values.view(self.bits)
        return self.search(bits if self.bits is np.uint16 else values, bits, *self.limits, *self.tables, out)


def finder(thresholds: FloatArray, dtype: np.dtype[Any]) -> Finder:
    """Choose and prepare the fastest search for these thresholds in values of a type."""
    bits, magnitude, infinity = _LAYOUT[dtype.name]
    limits = bits(magnitude), bits(infinity)
    if bits is np.uint16:
        return Finder(_find_half, bits, limits, (_table_of_halves(thresholds, dtype),))
    t = _rounded_down(thresholds, dtype)
    if t.size <= COUNTED:
        padded = np.concatenate([t, np.full(COUNTED - t.size, np.inf, dtype)])
        return Finder(_count, bits, limits, (padded,))
    return Finder(_find_by_bits, bits, limits, _bit_buckets(t))


def _table_of_halves(thresholds: FloatArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):  # signalling NaNs are among them
        values = np.arange(65536, dtype=np.uint16).view(dtype).astype(np.float64)
    cell = np.searchsorted(thresholds, values, side="left")
    return cell.astype(np.uint8 if thresholds.size < 256 else np.uint16)


def _rounded_down(thresholds: FloatArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Largest value of the type that is not above each threshold; zero is +0, which has the larger bits."""
    with np.errstate(over="ignore", under="ignore"):
        t = thresholds.astype(dtype)
        below = np.nextafter(t, dtype.type(-np.inf))  # of the least number of all, minus infinity
    return np.asarray(np.where(t > thresholds, below, t) + dtype.type(0.0))


@kernel
def all_below(bits: IntArray, mask: Any, limit: Any) -> Any:
    """Whether every number, taken without the bits outside the mask, lies below a limit."""
    largest = bits.dtype.type(0)
    for i in range(bits.size):
        largest = max(largest, bits.dtype.type(bits[i] & mask))
    return largest < limit


@kernel
def _count_block(x: FloatArray, t: FloatArray, out: IntArray) -> None:
    # Fifteen names, so that the compiler keeps them in registers and the loop has no inner loop.
    a, b, c, d, e = t[0], t[1], t[2], t[3], t[4]
    f, g, h, j, k = t[5], t[6], t[7], t[8], t[9]
    m, n, p, q, r = t[10], t[11], t[12], t[13], t[14]
    for i in range(x.size):
        v = x[i]
        low = (v > a) + (v > b) + (v > c) + (v > d) + (v > e) + (v > f) + (v > g) + (v > h)
        out[i] = low + (v > j) + (v > k) + (v > m) + (v > n) + (v > p) + (v > q) + (v > r)


@kernel
def _count(
    x: FloatArray, bits: IntArray, magnitude: int, infinity: int, t: FloatArray, out: IntArray
) -> bool:
    for start in range(0, x.size, BLOCK):
        block = slice(start, min(start + BLOCK, x.size))
        if not all_below(bits[block], magnitude, infinity):
            return False
        _count_block(x[block], t, out[block])
    return True


def _bit_buckets(t: NDArray[Any]) -> tuple[Any, ...]:
    """Tables of `_find_by_bits`: thresholds, first of each bucket, first bucket of each segment, sizes."""
    wide = t.dtype.itemsize == 8
    drop, exponent = (32, 11) if wide else (0, 8)
    cut = 31 - exponent - SEGMENT_BITS
    pattern: IntArray = t.view(np.uint64 if wide else np.uint32)
    bits = (pattern >> drop).astype(np.int64)
    segment, low = bits >> cut, bits & ((1 << cut) - 1)
    shift = _shifts(segment, low, cut, 1 << (32 - cut))
    size = np.left_shift(1, cut - shift)
    start = np.cumsum(size) - size
    held = np.bincount(start[segment] + (low >> shift[segment]), minlength=int(size.sum()))
    # The bits of negative numbers ascend as the numbers descend, and follow those of positive ones.
    negative = start[start.size // 2]
    ascending = np.concatenate([np.arange(held.size - 1, negative - 1, -1), np.arange(negative)])
    base = np.empty(held.size, np.uint16)
    base[ascending] = np.cumsum(held[ascending]) - held[ascending]
    steps = int(held.max()).bit_length()
    padded = np.concatenate([t, np.full(1 << steps, np.inf, t.dtype)])
    return padded, base, ((start << 5) | shift).astype(np.int32), drop, cut, steps


@kernel
def _shifts(segment: IntArray, low: IntArray, cut: int, segments: int) -> IntArray:
    """Low bits left out in each segment: as many as keep its thresholds apart, if that is not dear."""
    shift = np.full(segments, cut)
    start = 0
    while start < segment.size:
        stop = start
        while stop < segment.size and segment[stop] == segment[start]:
            stop += 1
        coarse = cut
        crowded = stop - start > 1
        while crowded and coarse > 0 and 1 << (cut - coarse) < SPARE * (stop - start):
            coarse -= 1
            crowded = False
            for k in range(start + 1, stop):
                crowded = crowded or low[k] >> coarse == low[k - 1] >> coarse
        shift[segment[start]] = coarse
        start = stop
    return shift


@kernel
def _first_cell(bits: int, base: IntArray, entry: IntArray, drop: int, cut: int) -> Any:
    top = np.uint32(bits >> np.uint64(drop))
    found = np.uint32(entry[top >> np.uint32(cut)])
    low = top & np.uint32((np.uint32(1) << np.uint32(cut)) - np.uint32(1))
    bucket = (found >> np.uint32(5)) + (low >> (found & np.uint32(31)))
    return np.int32(base[bucket])


@kernel
def _bits_block(
    x: FloatArray,
    bits: IntArray,
    t: FloatArray,
    base: IntArray,
    entry: IntArray,
    drop: int,
    cut: int,
    steps: int,
    out: IntArray,
) -> None:
    if steps == 1:  # by far the most common, and the loop over steps would cost half as much again
        for i in range(x.size):
            cell = _first_cell(bits[i], base, entry, drop, cut)
            out[i] = cell + (x[i] > t[np.uint32(cell)])
        return
    for i in range(x.size):
        cell = _first_cell(bits[i], base, entry, drop, cut)
        for step in range(steps - 1, -1, -1):
            cell += np.int32(x[i] > t[np.uint32(cell + (1 << step) - 1)]) << np.int32(step)
        out[i] = cell


@kernel
def _find_by_bits(
    x: FloatArray,
    bits: IntArray,
    magnitude: int,
    infinity: int,
    t: FloatArray,
    base: IntArray,
    entry: IntArray,
    drop: int,
    cut: int,
    steps: int,
    out: IntArray,
) -> bool:
    for start in range(0, x.size, BLOCK):
        block = slice(start, min(start + BLOCK, x.size))
        if not all_below(bits[block], magnitude, infinity):
            return False
        _bits_block(x[block], bits[block], t, base, entry, drop, cut, steps, out[block])
    return True


@kernel
def gather(table: NDArray[Any], index: IntArray, out: NDArray[Any]) -> bool:
    """Write table[index] to `out`; stop and return False where an index lies outside the table."""
    for start in range(0, index.size, BLOCK):
        block = slice(start, min(start + BLOCK, index.size))
        if not all_below(index[block], index.dtype.type(-1), table.size):
            return False
        _gather_block(table, index[block], out[block])
    return True


@kernel
def _gather_block(table: NDArray[Any], index: IntArray, out: NDArray[Any]) -> None:
    for i in range(index.size):
        out[i] = table[np.uint32(index[i])]


@kernel
def _find_half(
    x: IntArray, bits: IntArray, magnitude: int, infinity: int, table: IntArray, out: IntArray
) -> bool:
    for start in range(0, x.size, BLOCK):
        block = slice(start, min(start + BLOCK, x.size))
        if not all_below(bits[block], magnitude, infinity):
            return False
        _gather_block(table, bits[block], out[block])
    return True
