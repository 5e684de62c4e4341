"""Rounding many scales: `NumberType.round` compiled, for the types whose numbers float32 can hold."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._typing import FloatArray
from ..number_types import NumberType
from ..scaling import Rounding
from .statistic_kernels import round_numbers

__all__ = ["as_float32", "rounded_scales"]

_MODES = {"nearest": 0, "up": 1, "down": 2}
# All powers of two that spacings of such types need; 2^-300 to 2^300.
_POWERS = np.ldexp(1.0, np.arange(-300, 301))
_LIMIT = float(np.finfo(np.float32).max)


def rounded_scales(x: FloatArray, number: NumberType, mode: Rounding) -> NDArray[np.float32]:
    """The float32 nearest to `number.round(x, mode)`, for contiguous x; infinities saturate."""
    if not number.signed and x.size and x.min() < 0:
        raise ValueError(
            f"scale must not be negative to be stored as the unsigned {number}, but is {x.min()}"
        )
    constants = _constants(number)
    if constants is None:
        return as_float32(number.round(x, mode))
    out = np.empty(x.size, np.float32)
    given = (*constants, _MODES[mode], _POWERS, out)
    round_numbers(x, x.view(np.int64), *given)
    return out


def as_float32(x: FloatArray) -> NDArray[np.float32]:
    """Nearest float32, the largest one where x lies beyond."""
    return np.clip(x, -_LIMIT, _LIMIT).astype(np.float32)


@lru_cache(maxsize=64)
def _constants(number: NumberType) -> tuple[Any, ...] | None:
    """What the kernel knows of a type: None where float32 or the table of powers does not reach."""
    smallest = 0.0 if number.has_zero else number.smallest
    least = 1 - number.bias - number.mantissa_bits - (not number.has_zero)
    if not -280 < least < 280 or not 2.0**-280 < number.largest <= _LIMIT:
        return None
    return number.mantissa_bits, least, number.exponent_bits == 0, smallest, number.largest
