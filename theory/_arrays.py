"""What an array of data may be: real numbers of the types tensors are stored in, all finite."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ._typing import ArrayLike

__all__ = ["FLOATS", "as_real", "finite", "raise_not_finite"]

FLOATS = ("float16", "bfloat16", "float32", "float64")


def as_real(data: ArrayLike, name: str) -> NDArray[Any]:
    """Array of float16, bfloat16, float32, float64 or integers, in native byte order; TypeError otherwise."""
    array = np.asarray(data)
    if array.dtype.name not in FLOATS and array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be an array of {', '.join(FLOATS)} or integers, but its type is {array.dtype}"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def finite(array: NDArray[Any]) -> NDArray[np.bool]:
    """Where an array is finite, without the warning that a signalling NaN brings."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(array))


def raise_not_finite(array: NDArray[Any], name: str) -> NoReturn:
    """Name the first value, in C order, that is NaN or infinite."""
    position = np.unravel_index(int(np.argmin(finite(array))), array.shape)
    place = ", ".join(map(str, map(int, position)))
    raise ValueError(f"{name} must be finite, but {name}[{place or '()'}] is {float(array[position])}")
