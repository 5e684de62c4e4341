"""Arrays to indices and back, at the speed of memory.

Large arrays are cut into one piece per core and handled by Python threads around kernels that release the
interpreter's lock: unlike numba's own threads these can be used from several threads and after a fork.  Small
arrays go through numpy: preparing tables, and compiling at the first use, would take longer than the work.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._arrays import FLOATS, as_real, finite, raise_not_finite
from .._typing import ArrayLike, FloatArray, IntArray
from ._encoders import Finder, finder, gather

__all__ = ["MAX_LEVELS", "Codec"]

MAX_LEVELS = 65536
SMALL = 4096  # values; below, numpy's own search is faster than preparing tables (a few hundred microseconds)
PIECE = 1 << 17  # values worth a thread of their own (starting one takes about 50 microseconds)


class Codec:
    """Encoder and decoder of one scalar quantiser; tables are prepared once for each type of data.

    Parameters
    ----------
    codepoints : ndarray of float64, shape (N,), 1 <= N <= 65,536
    thresholds : ndarray of float64, shape (N - 1,), ascending

    Raises
    ------
    ValueError
        If there are more than 65,536 codepoints.
    """

    def __init__(self, codepoints: FloatArray, thresholds: FloatArray) -> None:
        if codepoints.size > MAX_LEVELS:
            raise ValueError(f"indices have at most 16 bits, but there are {codepoints.size} codepoints")
        self._codepoints = codepoints
        self._thresholds = thresholds
        self._index_type = np.dtype(np.uint8 if codepoints.size <= 256 else np.uint16)
        self._finders: dict[np.dtype[Any], Finder] = {}

    def encode(self, x: ArrayLike) -> IntArray:
        """Count the thresholds below each value; see `ScalarQuantiser.encode`."""
        values = as_real(x, "x")
        if values.dtype.kind in "iu":
            values = values.astype(np.float64)
        if values.size < SMALL:
            return self._encode_small(values)
        if values.dtype not in self._finders:
            self._finders[values.dtype] = finder(self._thresholds, values.dtype)
        cells = _map(self._finders[values.dtype], values, self._index_type)
        if cells is None:
            raise_not_finite(values, "x")
        return cells

    def _encode_small(self, values: NDArray[Any]) -> IntArray:
        if not finite(values).all():
            raise_not_finite(values, "x")
        cells = np.searchsorted(self._thresholds, values.astype(np.float64), side="left")
        return np.asarray(cells).astype(self._index_type)

    def decode(self, index: ArrayLike, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Codepoint of each index; see `ScalarQuantiser.decode`."""
        cells = np.asarray(index)
        if cells.size == 0:
            cells = cells.astype(self._index_type)  # an empty list has no type of its own
        if cells.dtype.kind not in "iu":
            raise TypeError(f"index must be an array of integers, but its type is {cells.dtype}")
        table = _rounded(self._codepoints, np.dtype(dtype))
        narrow = cells.dtype in (np.uint8, np.uint16)
        if not (narrow and cells.size >= SMALL):
            if self._outside(cells).any():
                self._raise_outside(cells)
            if cells.size < SMALL:
                return np.asarray(table[cells])
            cells = cells.astype(self._index_type)
        # Kernels know no 16-bit floats: their bits are moved as integers.
        plain = table.view(np.uint16) if table.dtype.itemsize == 2 else table
        values = _map(lambda piece, out: gather(plain, piece, out), cells, plain.dtype)
        if values is None:
            self._raise_outside(cells)
        return values.view(table.dtype)

    def _outside(self, cells: IntArray) -> NDArray[np.bool]:
        return np.asarray((cells < 0) | (cells >= self._codepoints.size))

    def _raise_outside(self, cells: IntArray) -> NoReturn:
        position = np.unravel_index(int(np.argmax(self._outside(cells))), cells.shape)
        place = ", ".join(map(str, map(int, position)))
        highest = self._codepoints.size - 1
        raise ValueError(f"index must lie in 0 to {highest}, but index[{place or '()'}] is {cells[position]}")


def _rounded(codepoints: FloatArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Codepoints in another type, each the nearest value of it; ValueError where one is beyond its range."""
    if dtype.name not in FLOATS:
        raise TypeError(f"dtype must be one of {', '.join(FLOATS)}, but is {dtype}")
    with np.errstate(over="ignore", under="ignore"):
        if dtype.name == "bfloat16":
            table = _odd_float32(codepoints).astype(dtype)
        else:
            table = codepoints.astype(dtype)
    if not np.isfinite(table).all():
        raise ValueError(f"{dtype} cannot hold all codepoints, {codepoints[0]} to {codepoints[-1]}")
    return table


def _odd_float32(x: FloatArray) -> NDArray[np.float32]:
    """Cut x to float32 with the last bit set where anything was lost: rounding the result rounds x."""
    nearest = x.astype(np.float32)
    cut = np.where(np.abs(nearest) > np.abs(x), np.nextafter(nearest, np.float32(0)), nearest)
    odd: NDArray[np.float32] = (cut.view(np.uint32) | (cut != x)).view(np.float32)
    return odd


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _map(
    work: Callable[[NDArray[Any], NDArray[Any]], bool], array: NDArray[Any], dtype: np.dtype[Any]
) -> NDArray[Any] | None:
    """Apply work(piece, out) to all pieces of an array, in the order of its memory; None where one failed."""
    order: Literal["F", "C"] = "F" if array.flags.fnc else "C"
    flat = array.reshape(-1, order=order)
    out = np.empty(array.shape, dtype, order=order)
    flat_out = out.reshape(-1, order=order)
    pieces = max(1, min(_cores(), flat.size // PIECE))
    ends = [flat.size * k // pieces for k in range(pieces + 1)]
    slices = [slice(*pair) for pair in itertools.pairwise(ends)]
    if pieces == 1:
        return out if work(flat, flat_out) else None
    with ThreadPoolExecutor(pieces) as pool:
        succeeded = list(pool.map(lambda piece: work(flat[piece], flat_out[piece]), slices))
    return out if all(succeeded) else None
