"""Steps of a stored extreme, and what the other elements of a block must do for each.

Stored scales of eight bits of precision have hundreds of steps, each with its own integrand where an element
may be the largest itself.  A step that is narrow is interpolated there, once, in three functions of the
element's size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray, IntArray
from ._extreme_nodes import SignedExtreme
from ._tabulated_law import chebyshev

__all__ = ["Bins", "Rings"]

# Steps narrower than this ratio are interpolated where so many points agree; wider ones are asked directly.
_RING, _RING_POINTS, _RING_AGREEMENT = 1.2, 14, 1e-14


_ROWS = ("values", "low", "high", "weight", "within")


@dataclass(frozen=True, eq=False)
class Bins:
    """Steps, each with the value stored, its ends, its weight, and the others' extreme in it by sign."""

    values: FloatArray
    low: FloatArray
    high: FloatArray
    weight: FloatArray
    within: FloatArray  # shape (2, n), weight included: the others' extreme lies in the step

    def joined(self, other: Bins) -> Bins:
        """Both lists of bins in one."""
        rows = [np.concatenate([getattr(self, name), getattr(other, name)], axis=-1) for name in _ROWS]
        return Bins(*rows)

    def take(self, kept: FloatArray) -> Bins:
        """Some of the bins."""
        return Bins(
            self.values[kept], self.low[kept], self.high[kept], self.weight[kept], self.within[:, kept]
        )


class Rings:
    """What the others must do when an element lies in a step itself, by polynomials on narrow steps.

    Three functions of the element's size: the others' extreme is larger but in the step, by sign, and none of
    the others is larger.
    """

    def __init__(
        self, bins: Bins, extreme: SignedExtreme, log_power: Callable[[FloatArray], FloatArray]
    ) -> None:
        self._bins, self._extreme, self._log_power = bins, extreme, log_power
        places, matrix = chebyshev(_RING_POINTS)
        self._narrow = bins.high < _RING * bins.low
        self._at = np.cumsum(self._narrow) - 1
        low, high = bins.low[self._narrow], bins.high[self._narrow]
        size = low[:, None] + (high - low)[:, None] * places
        values = self._exactly(size.ravel(), np.repeat(high, _RING_POINTS)).reshape(3, *size.shape)
        self._coefficients = values @ matrix.T
        missed = np.abs(self._coefficients[:, :, -2:]).max(axis=(0, 2))
        fits = missed <= _RING_AGREEMENT * np.abs(values).max(axis=(0, 2))
        self._narrow[self._narrow] = fits
        self._coefficients = np.ascontiguousarray(self._coefficients[:, fits].transpose(2, 0, 1))
        self._at = np.cumsum(self._narrow) - 1

    def _exactly(self, size: FloatArray, high: FloatArray) -> FloatArray:
        own = np.exp(self._log_power(size))
        if self._extreme.even:  # one question about each size, and one about each end
            ends, at = np.unique(high, return_inverse=True)
            half = 0.5 * np.maximum(np.exp(self._log_power(ends))[at] - own, 0.0)
            return np.stack([half, half, own])
        return np.append(self._extreme.between(size, high), own[None], axis=0)

    def values(self, at: IntArray, size: FloatArray, ring: NDArray[np.bool]) -> FloatArray:
        """All three for rows of sizes in the bins `at`, where `ring` says so; shape (3, *size.shape)."""
        out = np.zeros((3, *size.shape))
        narrow = self._narrow[at]
        wide = ring & ~narrow[:, None]
        if wide.any():
            out[:, wide] = self._exactly(size[wide], self._bins.high[at[wide.nonzero()[0]]])
        if narrow.any():
            bins = at[narrow]
            low, high = self._bins.low[bins, None], self._bins.high[bins, None]
            x = np.clip((size[narrow] - low) / (high - low), 0.0, 1.0) * 4.0 - 2.0
            rows = self._coefficients[:, :, self._at[bins], None]
            kinds = (0, 2) if self._extreme.even else (0, 1, 2)
            for kind in kinds:
                out[kind, narrow] = np.maximum(_clenshaw(rows[:, kind], x), 0.0)
            if self._extreme.even:
                out[1, narrow] = out[0, narrow]
        return out


def _clenshaw(rows: FloatArray, x: FloatArray) -> FloatArray:
    """Sum of Chebyshev polynomials at half of x."""
    later, last = rows[-1] + np.zeros_like(x), np.zeros_like(x)
    for row in rows[-2:0:-1]:
        later, last = row + x * later - last, later
    return np.asarray(rows[0] + 0.5 * x * later - last)
