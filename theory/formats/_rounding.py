"""Rounding many scales: `NumberType.round` compiled, for the types whose numbers float32 can hold."""

from __future__ import annotations

import numpy as np

from .._typing import FloatArray
from ._block_kernels import round_numbers
from .number_types import NumberType
from .scaling import Rounding

__all__ = ["rounded_scales"]

_MODES = {"nearest": 0, "up": 1, "down": 2}
# All powers of two that spacings of such types need; 2^-300 to 2^300.
_POWERS = np.ldexp(1.0, np.arange(-300, 301))


def rounded_scales(x: FloatArray, number: NumberType, mode: Rounding) -> FloatArray:
    """`number.round(x, mode)` of contiguous float64, any infinities saturated."""
    smallest = 0.0 if number.has_zero else number.smallest
    least = 1 - number.bias - number.mantissa_bits - (not number.has_zero)
    # Below 2^-280 lie no spacings of a type of up to eight exponent bits with its usual bias.
    if not -280 < least < 280 or not 2.0**-280 < number.largest < 2.0**280:
        return number.round(x, mode)
    if not number.signed and x.size and x.min() < 0:
        raise ValueError(
            f"scale must not be negative to be stored as the unsigned {number}, but is {x.min()}"
        )
    out = np.empty(x.size)
    fixed = number.exponent_bits == 0
    round_numbers(
        x,
        x.view(np.int64),
        number.mantissa_bits,
        least,
        fixed,
        smallest,
        number.largest,
        _MODES[mode],
        _POWERS,
        out,
    )
    return out
