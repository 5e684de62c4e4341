"""Blocks of measured data divided by their largest magnitude, kept exactly or in steps.

The data are atoms, and so is the largest magnitude of a block.  Each distinct magnitude is a bin of its own;
where there are more than two thousand, bins of equal ratio cover all that the maximum of a block can be.  What
the other elements do is known exactly at the edges of bins: for an element below the bin the others' maximum is
in it, for an element in the bin they are not above it.  In a bin of several atoms the exact scale is replaced
by their root mean square there, which moves a quotient by at most half the bin's width; absmax steps need no
bins but their own and are exact.

With signmax, the first element of largest magnitude in the block gives the sign.  All elements are equally
likely to be first, so an element of the bin is it with a probability of (G(high)^B - G(low)^B) / (B r), r the
bin's own probability, and otherwise the sign is that of a random element of the bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ._block_law import BlockAtoms, BlockLaw
from .empirical import Empirical
from .scale_steps import ScaleSteps

__all__ = ["DataLaw"]

_MOST = 2_000  # bins; quotients are moved by the logarithmic width of what the maximum can be over twice this
_RARE = 1e-12  # probability that the maximum of a block lies below all but the first bin


@dataclass(frozen=True)
class _Bins:
    """Intervals (low, high] of the maximum of a block.

    `upto` and `below` are logarithms of the probability that an element is not above `high` and `low`, `share` is
    the probability of the bin; `plus` and `minus` are moments of the elements in it, above and below 0.
    """

    low: FloatArray
    high: FloatArray
    upto: FloatArray
    below: FloatArray
    share: FloatArray
    plus: FloatArray
    minus: FloatArray

    @property
    def positive(self) -> FloatArray:
        """Probability that an element of the bin is positive."""
        return np.asarray(self.plus[0] / (self.plus[0] + self.minus[0]))


# Interval of elements, its probability beside each scale, and whether the scale is negative.
_Piece = tuple[FloatArray, FloatArray, FloatArray, bool]


class DataLaw(BlockLaw):
    """Absmax and signmax scales of elements that are drawn from measured data."""

    discrete = True

    def __init__(
        self, source: Empirical, block_size: float, signed: bool, steps: ScaleSteps | None, zeros: float
    ) -> None:
        self._source, self._size, self._zeros, self._kept = source, block_size, zeros, 1.0 - zeros
        bins = self._bins(steps, signed)
        plus, minus = bins.plus, bins.minus
        if steps is None:
            self._values = np.sqrt((plus[2] + minus[2]) / (plus[0] + minus[0]))
        else:
            self._values = steps(np.where(np.isinf(bins.high), bins.low * (1.0 + 1e-15) + 1e-300, bins.high))
        self.expected_scale = float(bins.share @ self._values)
        self.expected_square = float(bins.share @ self._values**2)
        reach = np.exp((block_size - 1.0) * bins.upto)
        turned = self._turned(bins, reach) if signed else np.zeros((2, reach.size))
        self._pieces = _inner_pieces(bins, reach - np.exp((block_size - 1.0) * bins.below), signed)
        places = [(0.0, zeros, 0.0)] if zeros > 0.0 else []
        if steps is None:
            straight = np.stack([reach - turned[0], reach - turned[1]])
            places += self._ends(plus, minus, straight, turned, signed)
        else:
            self._pieces += _end_pieces(bins, reach, turned, signed)
        columns = np.array(sorted(places)).reshape(-1, 3).T
        self.atoms = BlockAtoms(columns[0].copy(), columns[1].copy(), columns[2].copy())
        self._lose(float(steps.edges[0]) if steps is not None else 0.0)
        extreme = max(abs(end) for end in source.support)
        top = 1.0 if steps is None else float(np.max(np.minimum(bins.high, extreme) / self._values))
        self.support, self.breakpoints = (-top, top), (-top, top)

    def _bins(self, steps: ScaleSteps | None, signed: bool) -> _Bins:
        """Bins that the maximum of a block can be in."""
        source, size = self._source, self._size
        edges = _edges(source, size) if steps is None or signed else np.empty(0)
        if steps is not None:
            edges = np.unique(np.concatenate([edges[edges > steps.edges[0]], steps.edges, [math.inf]]))
        low, high = edges[:-1], edges[1:]
        upto, below = self._log_cdf(high), self._log_cdf(low)
        share = np.exp(size * upto) - np.exp(size * below)
        used = share > 0.0
        low, high = low[used], high[used]
        plus = source.partial_moments(low, high)
        minus = source.partial_moments(_before(-high), _before(-low))
        return _Bins(low, high, upto[used], below[used], share[used], plus, minus)

    def _turned(self, bins: _Bins, reach: FloatArray) -> FloatArray:
        """Probability that an element of a bin is divided by a scale of the other sign, for both signs of it."""
        mass = bins.plus[0] + bins.minus[0]
        first = bins.share / (self._size * self._kept * mass)
        return np.asarray((reach - first) * np.stack([1.0 - bins.positive, bins.positive]))

    def _lose(self, low: float) -> None:
        """Elements of blocks that are stored as 0, or are 0 altogether."""
        others = math.exp((self._size - 1.0) * float(self._log_cdf(np.array([low]))[0]))
        gone = self._kept * others * self._source.partial_moments(_before(-low), low)
        self.lost_probability, self.lost_energy = float(gone[0]), float(gone[2])

    def _log_cdf(self, m: FloatArray) -> FloatArray:
        inside = self._source.partial_moments(_before(-m), m)[0]
        with np.errstate(divide="ignore"):
            return np.asarray(np.maximum(np.log(self._zeros + self._kept * inside), -1e300))

    def _ends(
        self, plus: FloatArray, minus: FloatArray, straight: FloatArray, turned: FloatArray, signed: bool
    ) -> list[tuple[float, float, float]]:
        """Elements that set an exact scale, at +-1, and those that tie with it in the other sign."""
        # A row for each sign of the element: plain and weighted mass that stays, and that changes sides.
        kept = self._kept * np.stack([straight[0] @ plus[[0, 2]].T, straight[1] @ minus[[0, 2]].T])
        moved = self._kept * np.stack([turned[0] @ plus[[0, 2]].T, turned[1] @ minus[[0, 2]].T])
        above, below = (kept.sum(axis=0), moved.sum(axis=0)) if signed else (kept[0], kept[1])
        return [(-1.0, float(below[0]), float(below[1])), (1.0, float(above[0]), float(above[1]))]

    def density(self, u: FloatArray) -> FloatArray:
        """Raise TypeError: atoms have no density."""
        raise TypeError("elements of measured data have no density; fit a family to the data for one")

    def distortion_density(self, u: FloatArray) -> FloatArray:
        """Raise TypeError: atoms have no density."""
        return self.density(u)

    def smooth_moments(self, lower: FloatArray, upper: FloatArray, about: FloatArray) -> FloatArray:
        """Weighted moments of all but the ends and what was taken out."""
        return self._summed(lower, upper, about, self._values**2)

    def smooth_probability(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Plain mass of all but the ends and what was taken out."""
        mass: FloatArray = self._summed(lower, upper, np.zeros(lower.size), np.ones(self._values.size))[0]
        return mass

    def _summed(self, a: FloatArray, b: FloatArray, c: FloatArray, weight: FloatArray) -> FloatArray:
        out, values = np.zeros((3, a.size)), self._values
        for start, stop, share, flipped in self._pieces:
            for i in range(a.size):
                low, high, point = a[i] * values, b[i] * values, c[i] * values
                if flipped:
                    low, high, point = _before(-high), _before(-low), -point
                low, high = np.clip(low, start, stop), np.clip(high, start, stop)
                some = (low < high) & (share > 0.0)
                moments = self._source.partial_moments(low[some], high[some], point[some])
                parts = moments * (share * weight)[some] / values[some] ** np.arange(3.0)[:, None]
                parts[1] *= -1.0 if flipped else 1.0
                out[:, i] += self._kept * parts.sum(axis=1)
        return out


def _before(x: FloatArray | float) -> FloatArray:
    """Return the double just below, which turns a closed lower end of an interval into an open one."""
    return np.asarray(np.nextafter(x, -np.inf))


def _inner_pieces(bins: _Bins, within: FloatArray, signed: bool) -> list[_Piece]:
    """Elements below the bin that the others' maximum is in."""
    start = _before(-bins.low)
    if not signed:
        return [(start, bins.low, within, False)]
    positive = bins.positive
    return [(start, bins.low, within * positive, False), (start, bins.low, within * (1.0 - positive), True)]


def _end_pieces(bins: _Bins, reach: FloatArray, turned: FloatArray, signed: bool) -> list[_Piece]:
    """Elements in the bin, above and below 0, that none of the others is above."""
    pieces: list[_Piece] = []
    for start, stop, side in ((bins.low, bins.high, 0), (_before(-bins.high), _before(-bins.low), 1)):
        pieces.append((start, stop, reach - turned[side], signed and side == 1))
        if signed:
            pieces.append((start, stop, turned[side], side == 0))
    return pieces


def _edges(source: Empirical, size: float) -> FloatArray:
    """Edges of bins: all distinct magnitudes, or a grid of equal ratios up from what a maximum can be."""
    extreme = max(abs(end) for end in source.support)
    if source.distinct <= 2 * _MOST:
        magnitudes = np.unique(np.abs(source.atoms()[0]))
        if magnitudes.size <= _MOST:
            return np.append(0.0, magnitudes[magnitudes > 0.0])
    places = extreme * 2.0 ** -np.arange(200.0)
    inside = source.partial_moments(_before(-places), places)[0]
    rare = places[inside**size < _RARE]
    least = rare[0] if rare.size else places[-1]
    return np.append(0.0, extreme * (least / extreme) ** np.linspace(1.0, 0.0, _MOST))
