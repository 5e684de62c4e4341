"""Elements from the type of an array to that of the arithmetic, and back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..._compiled import kernel
from ..._typing import IntArray
from ...quantisers._encoders import gather

__all__ = ["BFLOAT16", "LARGEST", "arithmetic", "narrowed", "widened"]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# Largest magnitude of each type.
LARGEST = {
    "float16": 65504.0,
    "bfloat16": float.fromhex("0x1.fep127"),
    "float32": float(np.finfo(np.float32).max),
    "float64": float(np.finfo(np.float64).max),
}


def arithmetic(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Type in which elements of a type are divided and restored."""
    return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)


def widened(x: NDArray[Any]) -> NDArray[Any]:
    """Elements in the type of the arithmetic."""
    if x.dtype == BFLOAT16:
        return (x.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    if x.dtype == np.float16 and x.size > _halves().size:
        out = np.empty(x.shape, np.float32)
        gather(_halves(), x.view(np.uint16), out)
        return out
    with np.errstate(invalid="ignore"):  # a signalling NaN is found and named later
        return x.astype(arithmetic(x.dtype), copy=False)


def narrowed(x: NDArray[Any], dtype: np.dtype[Any], beyond: bool = True) -> NDArray[Any]:
    """Elements in the type of the array, cut to its largest magnitude where any may lie beyond."""
    if beyond:
        limit = x.dtype.type(LARGEST[dtype.name])
        x = np.clip(x, -limit, limit)
    if x.dtype == np.float32 and dtype == np.float16:
        out = np.empty(x.shape, np.uint16)
        small = np.abs(x) + np.float32(0.5)
        _to_halves(x.reshape(-1).view(np.uint32), small.reshape(-1).view(np.uint32), out.reshape(-1))
        return out.view(np.float16)
    return x.astype(dtype, copy=False)


@lru_cache(maxsize=1)
def _halves() -> NDArray[np.float32]:
    """Every float16, by its bits."""
    with np.errstate(invalid="ignore"):
        return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


@kernel
def _to_halves(bits: IntArray, small: IntArray, out: IntArray) -> None:
    """Bits of the nearest float16, ties to even, of finite float32 that do not round beyond its largest.

    `small` holds the bits of |x| + 1/2, a sum that is rounded to the spacing of float16's subnormals.
    """
    for i in range(bits.size):
        magnitude = np.uint32(bits[i] & np.uint32(0x7FFFFFFF))
        odd = (magnitude >> np.uint32(13)) & np.uint32(1)
        # The exponent's bias falls by 112; half of the last place, less one where the place is even, is added.
        normal = np.uint32(magnitude + odd + np.uint32(0xFFF) - np.uint32(112 << 23)) >> np.uint32(13)
        subnormal = np.uint32(small[i] - np.uint32(0x3F000000))
        half = subnormal if magnitude < np.uint32(113 << 23) else normal
        out[i] = half | (np.uint32(bits[i] >> np.uint32(16)) & np.uint32(0x8000))
