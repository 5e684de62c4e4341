"""The law of an element divided by its stored scale, for one kind of block.

The scale s = k M of a statistic M is rounded to a number type; in units of M the stored scale is round(k M) / k.
A type of few numbers is described number by number (`ScaleSteps`), which is exact.  A type of fine mantissa
moves the scale by a relative error d that is small and independent of the rest for all that can be told (the
mantissa of M is spread over very many steps), so that what is predicted is averaged over d instead: two nodes
with the mean and the variance of d, exact up to d^3, or more where it has a direction.  Outer scales are
treated in the second way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..._typing import FloatArray
from ...sources import BlockScaled, ScaleSteps

if TYPE_CHECKING:
    from ...sources import Source
    from ..number_types import NumberType
    from ..scaling import GroupedScale, Rounding, Scale

__all__ = [
    "FINE_MANTISSA",
    "LARGEST",
    "BlockData",
    "Nodes",
    "alone_nodes",
    "error_nodes",
    "scale_steps",
    "scaled_laws",
]

# Stored numbers that are told apart, where the statistic usually lies, before a type counts as fine: there are
# so many then that its mantissa is spread over an octave or more, and each of them costs time.  The largest
# element of a block lies near a threshold as soon as scales move, which few nodes do not see: absmax has more.
_MOST_STEPS = {"absmax": 1500, "signmax": 1500, "rms": 300}
# Below this a relative error of the scale is not told from none: its effect is of second order, or 1e-7 and
# less where rounding has a direction.
_NEGLIGIBLE = 2.0**-21
# Probability, and part of E[X^2], that lie outside the interval a statistic is sought in, outside the one where
# its steps are told apart (further out they are at least a factor of `_COARSE` wide), and outside the one in
# which it usually lies.
_OUTER, _INNER, _USUAL = (1e-12, 1e-13), (1e-5, 1e-10), (1e-3, 1e-8)
_COARSE = 1.03
# Steps told apart at most, where a type that is not fine (float16 beyond its normal numbers) has more: of each
# few one is made, which costs 1e-4 of R at eight bits and next to nothing at four.
_MOST_KEPT = 3000
_WIDE = 16  # mantissa bits from which rounding is not told from none
LARGEST = 1 << 32  # elements of a block that have a law
_MARGIN = 1e-9  # relative error of an outer scale of the finest types: only its sign tells
# Standard deviations that a mean of squares strays from its mean, at most, for the probabilities above.
_DEVIATIONS = 8.0
# Mantissa bits from which the two nodes serve, and nodes for each mantissa step of a coarser type.
FINE_MANTISSA = 5
_NODES = 4
# Nodes for rounding in one direction, which moves the largest element across its neighbours' thresholds.
_DIRECTED = 8


@dataclass(frozen=True)
class BlockData:
    """What is in a block: the law of its elements, and the probability that one was set to zero."""

    source: Source
    zeros: float
    size: int
    group: float


Nodes = tuple[tuple[float, float], ...]


def scaled_laws(
    data: BlockData, scale: Scale, group: GroupedScale | None, ratio: float
) -> list[tuple[float, float, Source]]:
    """Laws of the divided element: weight, factor on codepoints in units of the statistic, and law.

    `ratio` is k in s = k M.  There is no law where all scales are stored as zero.
    """
    if group is not None and data.group == 1:
        return _moved(data, scale, alone_nodes(scale, group))
    if group is None:
        steps = scale_steps(data, scale, ratio)
        if steps is None:
            return _moved(data, scale, error_nodes(scale.number, scale.rounding))
        if steps.edges[0] >= statistic_range(data, scale.statistic, *_OUTER)[1]:
            return []
        return [(1.0, 1.0, _law(data.source, data.zeros, data.size, scale.statistic, steps, None))]
    if _is_fine(scale.number, *_group_range(data, scale), _MOST_STEPS[scale.statistic]):
        return _moved(data, scale, error_nodes(scale.number, scale.rounding))
    laws = []
    nodes = _outer_nodes(group) if scale.rounding == "down" else error_nodes(group.number, group.rounding)
    for weight, factor in nodes:
        steps = _group_steps(data, scale, factor)
        law = _law(data.source, data.zeros, data.size, scale.statistic, steps, data.group)
        laws.append((weight, 1.0, law))
    return laws


def _moved(data: BlockData, scale: Scale, nodes: Nodes) -> list[tuple[float, float, Source]]:
    """The exact law, with the codepoints moved by each relative error of the scale."""
    law = _law(data.source, data.zeros, data.size, scale.statistic, None, None)
    return [(weight, factor, law) for weight, factor in nodes]


@lru_cache(maxsize=512)
def _law(
    source: Source, zeros: float, size: int, statistic: str, steps: ScaleSteps | None, group: float | None
) -> Source:
    """Remembered: formats with one way of scaling share the integrals that a law prepares."""
    return BlockScaled(source, size, statistic, steps=steps, zeros=zeros, group=group)


def scale_steps(data: BlockData, scale: Scale, ratio: float) -> ScaleSteps | None:
    """Staircase of the stored scale in units of the data, or None where the type is fine there."""
    number, (low, high) = scale.number, statistic_range(data, scale.statistic, *_OUTER)
    if number.mantissa_bits >= _WIDE:
        return _wide_steps(number, low, high, ratio)
    usual = statistic_range(data, scale.statistic, *_USUAL)
    if _is_fine(number, usual[0] * ratio, usual[1] * ratio, _MOST_STEPS[scale.statistic]):
        return None
    edges, values = number.steps(low * ratio, high * ratio, scale.rounding)
    inner = statistic_range(data, scale.statistic, *_INNER)
    return _staircase(*_thinned(edges, values, inner[0] * ratio, inner[1] * ratio), number, ratio)


def _wide_steps(number: NumberType, low: float, high: float, ratio: float) -> ScaleSteps | None:
    """None for a type that is as good as exact, unless all scales lie below or above its numbers."""
    if high * ratio < number.smallest / 2.0:
        return ScaleSteps(np.array([2.0, 3.0]) * high, np.array([2.0]) * high)
    if low * ratio > number.largest:
        return ScaleSteps(np.array([0.0, np.inf]), np.array([number.largest / ratio]))
    return None


def _thinned(edges: FloatArray, values: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """Steps of at least `_COARSE` outside an interval, where next to nothing happens, and not too many inside."""
    inside = (edges[1:] >= low) & (edges[:-1] <= high)
    stride = -(-np.count_nonzero(inside) // _MOST_KEPT)
    kept = [0]
    for j in range(1, values.size):
        wide = values[j] >= _COARSE * values[kept[-1]]
        if wide or (inside[j] and j - kept[-1] >= stride):
            kept.append(j)
    # Several steps made one take their mean: rounding keeps its direction, and gains a little variance.
    means = np.add.reduceat(values, kept) / np.diff(kept, append=values.size)
    return np.append(edges[kept], edges[-1]), means


def _group_steps(data: BlockData, scale: Scale, factor: float) -> ScaleSteps:
    """Staircase of the stored scale in units of the largest statistic of the group."""
    low, high = _group_range(data, scale)
    edges, values = scale.number.steps(low, high, scale.rounding)
    return _staircase(edges, values, scale.number, high / factor)


def alone_nodes(scale: Scale, group: GroupedScale) -> Nodes:
    """Relative errors of the scale of a block that is alone in its group.

    It is stored as the largest number, or what the outer scale makes of that.
    """
    largest, number = scale.number.largest, scale.number
    return tuple(
        (weight, factor * float(number.round(largest / factor, scale.rounding)) / largest)
        for weight, factor in _outer_nodes(group)
    )


def _outer_nodes(group: GroupedScale) -> Nodes:
    """Relative errors of an outer scale, which is never exact.

    The largest scale of a group would be the type's largest number if it were: rounded down, it depends on
    which side of that the outer scale puts it.
    """
    nodes = error_nodes(group.number, group.rounding)
    if len(nodes) > 1:
        return nodes
    sides = {"nearest": (-1.0, 1.0), "up": (1.0,), "down": (-1.0,)}[group.rounding]
    return tuple((1.0 / len(sides), 1.0 + side * _MARGIN) for side in sides)


def _group_range(data: BlockData, scale: Scale) -> tuple[float, float]:
    """Scales of a group in units of the outer scale: the largest of them is the type's largest number."""
    low, high = statistic_range(data, scale.statistic, *_OUTER)
    return scale.number.largest * low / high, scale.number.largest


def _staircase(edges: FloatArray, values: FloatArray, number: NumberType, ratio: float) -> ScaleSteps:
    if values[0] > number.smallest:
        edges[0] = 0.0  # what is smaller than anything that occurs
    if edges[-1] == edges[-2]:
        edges[-1] = np.inf  # rounding down to the largest number
    return ScaleSteps(edges / ratio, values / ratio)


@lru_cache(maxsize=256)
def statistic_range(data: BlockData, statistic: str, rare: float, faint: float) -> tuple[float, float]:
    """Interval that holds the statistic of a block, but for a rare event and a faint part of E[X^2]."""
    source, size = data.source, float(data.size)
    square = source.std**2 + source.mean**2
    places = math.sqrt(square) * np.exp2(np.arange(-800, 801) / 8.0)
    beyond = source.partial_moments(places, np.inf)[2] + source.partial_moments(-np.inf, -places)[2]
    few = beyond <= faint * square
    largest = min(
        float(places[few][0]) if few.any() else float(places[-1]), max(abs(end) for end in source.support)
    )
    if statistic == "rms":
        # Beyond the central limit a sum of squares is large because one of them is.
        bulk = square * (1.0 + _DEVIATIONS * math.sqrt(2.0 / size))
        return _least_rms(data, places, rare), min(largest, math.sqrt(bulk + largest**2 / size))
    inside = data.zeros + (1.0 - data.zeros) * np.minimum(source.probability(-places, places), 1.0)
    with np.errstate(divide="ignore"):
        never = np.exp(size * np.log(inside)) < rare + data.zeros**size
    return float(places[never][-1]) if never.any() else float(places[0]), largest


def _least_rms(data: BlockData, places: FloatArray, rare: float) -> float:
    """Chernoff's bound: P(S < s) <= (e^(t s^2) E e^(-t X^2))^B for all t > 0; where that is rare."""
    edges = np.concatenate([[0.0], places, [np.inf]])
    mass = data.source.probability(edges[:-1], edges[1:]) + data.source.probability(-edges[1:], -edges[:-1])
    t = np.exp2(np.arange(-8.0, 60.0)) / (data.source.std**2 + data.source.mean**2)
    transform = data.zeros + (1.0 - data.zeros) * np.exp(-np.outer(t, edges[:-1] ** 2)) @ mass
    # The bound is met at t s^2 = log(rare) / B - log transform, for the t that gives the largest s.
    log_rare = math.log(rare + data.zeros**data.size)
    squares = (log_rare / data.size - np.log(np.clip(transform, 1e-300, 1.0))) / t
    return math.sqrt(max(float(squares.max()), float(places[0]) ** 2))


def _is_fine(number: NumberType, low: float, high: float, most: int) -> bool:
    """Whether a type is taken as fine between two numbers: normal there, and of too many numbers to count."""
    smallest_normal = number.smallest * 2.0**number.mantissa_bits
    if low < smallest_normal or high > number.largest or number.mantissa_bits < FINE_MANTISSA:
        return False
    return math.log2(high / low) * 2.0**number.mantissa_bits > most


@lru_cache(maxsize=64)
def error_nodes(number: NumberType, rounding: Rounding) -> Nodes:
    """Weights and factors 1 + d of the relative error that rounding gives a number of spread mantissa.

    The logarithm of the number is taken as uniform over an octave.
    """
    step = 2.0**-number.mantissa_bits
    if step < _NEGLIGIBLE:
        return ((1.0, 1.0),)
    if number.mantissa_bits < FINE_MANTISSA:
        return _coarse_nodes(number, rounding)
    # With mantissa f in [1, 2): d = step e / f, e uniform over an interval of length 1.
    if rounding == "nearest":
        spread = step * math.sqrt(0.375 / math.log(2.0) / 12.0)
        return ((0.5, 1.0 - spread), (0.5, 1.0 + spread))
    direction = 1.0 if rounding == "up" else -1.0
    places, weights = np.polynomial.legendre.leggauss(_DIRECTED)
    octave, shares = np.polynomial.legendre.leggauss(_NODES)
    return tuple(
        (weight * share / 4.0, 1.0 + direction * step * (place + 1.0) / 2.0 / 2.0 ** ((exponent + 1.0) / 2.0))
        for place, weight in zip(places.tolist(), weights.tolist(), strict=True)
        for exponent, share in zip(octave.tolist(), shares.tolist(), strict=True)
    )


def _coarse_nodes(number: NumberType, rounding: Rounding) -> Nodes:
    """Gauss nodes in the logarithm on each interval of numbers that are stored as one."""
    places, weights = np.polynomial.legendre.leggauss(_NODES)
    values = 1.0 + np.arange(2**number.mantissa_bits + 1) / 2.0**number.mantissa_bits
    nodes: list[tuple[float, float]] = []
    for low, high in pairwise(values):
        middle = (low + high) / 2.0
        pieces = {
            "nearest": ((low, middle, low), (middle, high, high)),
            "up": ((low, high, high),),
            "down": ((low, high, low),),
        }[rounding]
        for start, end, stored in pieces:
            width = math.log2(end / start)
            at = start * np.exp2(width * (places + 1.0) / 2.0)
            nodes += [(float(w), float(f)) for w, f in zip(weights / 2.0 * width, stored / at, strict=True)]
    return tuple(nodes)
