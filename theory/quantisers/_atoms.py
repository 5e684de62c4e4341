"""A law cut into atoms, and what replacing it by them can cost: see `globally_optimal` for the proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray, IntArray
from ..sources.base import Source

__all__ = ["Atoms", "atoms_of"]

# Quantiles between which atoms have one width: the density changes little between two of them.  Doubling
# either narrows the bracket by a few per cent.
_CORE, _TAIL = 512, 1024
# Probability left out in each tail: what it adds to the second moment must vanish beside any distortion, even
# for tails as heavy as those of a Student-t law with 2.1 degrees of freedom, of whose variance it is 1e-7.
_LEFT_OUT = 1e-150
# Probability beyond which the groups of atoms begin whose distance from the centre doubles.
_SHOULDER = 1e-4
# What the moments of a source may be wrong by, relatively (`Source.partial_moments`), ten times over.
_MOMENT_ERROR = 1e-11


@dataclass(frozen=True)
class Atoms:
    """Cells of a law with their masses and centroids.

    Attributes
    ----------
    centroids, masses : ndarray, shape (n,)
    within : float
        Sum of the second moments of the cells about their centroids.
    slack : float
        Largest amount by which the distortion of an optimal quantiser with two or more codepoints can lie
        below that of the atoms plus `within`.
    """

    centroids: FloatArray
    masses: FloatArray
    within: float
    slack: float


def atoms_of(source: Source, count: int) -> Atoms:
    """Cut a law into about so many atoms, placed to make the slack small."""
    base = _base_edges(source)
    group = _groups(base, source)
    edges, group = _refined(source, base, group, count)
    lower, upper = edges[:-1].copy(), edges[1:]
    if np.isfinite(source.support[0]):
        lower[0] = -np.inf  # a mass at the very end of the support belongs to the first atom
    middle = edges[:-1] + np.diff(edges) / 2
    moments = source.partial_moments(lower, upper, about=middle)
    filled = moments[0] > 0
    mass, first, second = moments[:, filled]
    centroid = np.clip(middle[filled] + first / mass, edges[:-1][filled], upper[filled])
    within = np.maximum(second - first * first / mass, 0.0)
    deviation = 2 * source.partial_moments(centroid, upper[filled], about=centroid)[1]
    slack = _spans(source, edges, group) @ _group_maxima(deviation, group[filled], group[-1] + 1)
    total = float(within.sum())
    return Atoms(centroid, mass, total * (1 - _MOMENT_ERROR), float(slack) * (1 + _MOMENT_ERROR))


def _base_edges(source: Source) -> FloatArray:
    """Quantiles, evenly spaced in probability in the core and in its logarithm towards the ends."""
    tail = 0.5 * (2 * _LEFT_OUT) ** np.linspace(0, 1, _TAIL)
    core = np.linspace(0, 1, _CORE + 1)[1:-1]
    edges = np.concatenate([source.ppf(tail), source.ppf(core), source.isf(tail), source.support])
    return np.unique(edges[np.isfinite(edges)])


def _groups(base: FloatArray, source: Source) -> IntArray:
    """Group of each interval: the core, and on both sides intervals whose distance from it doubles."""
    centre = float(source.ppf(0.5))
    middle = base[:-1] + np.diff(base) / 2 - centre
    reach = float(np.maximum(source.isf(_SHOULDER) - centre, centre - source.ppf(_SHOULDER)))
    doublings = np.ceil(np.log2(np.maximum(np.abs(middle) / reach, 1.0))) * np.sign(middle)
    return np.asarray(np.unique(doublings, return_inverse=True)[1])


def _refined(source: Source, base: FloatArray, group: IntArray, count: int) -> tuple[FloatArray, IntArray]:
    """Edges of the atoms and the group of each.

    An atom of mass p and width h costs about span * p h / 4 of slack, span that of its group.  The least
    slack for a number of atoms has p h constant in a group, and so many atoms in a group as the cube root of
    span * (sum of sqrt(p h))^2 says.
    """
    width = np.diff(base)
    root = np.sqrt(source.partial_moments(base[:-1], base[1:])[0] * width)
    total = np.bincount(group, root)
    wanted = np.cbrt(_spans(source, base, group) * total**2)
    share = root * np.divide(wanted, total, out=np.zeros_like(total), where=total > 0)[group]
    parts = 1 + (share * (max(count - width.size, 0) / share.sum())).astype(np.int64)
    step = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
    left = np.repeat(base[:-1], parts) + np.repeat(width, parts) * (step / np.repeat(parts, parts))
    edges, kept = np.unique(left, return_index=True)
    return np.append(edges, base[-1]), np.repeat(group, parts)[kept]


def _spans(source: Source, edges: FloatArray, group: IntArray) -> FloatArray:
    """Bound the sum of the gaps of an optimal quantiser whose thresholds lie in each group."""
    first = np.flatnonzero(np.append(True, np.diff(group) > 0))
    a = edges[first]
    b = edges[np.append(first[1:], group.size)]
    above = source.partial_moments(b, np.inf, about=b)
    below = source.partial_moments(-np.inf, a, about=a)
    excess = np.divide(above[1], above[0], out=np.zeros_like(b), where=above[0] > 0)
    deficit = np.divide(below[1], below[0], out=np.zeros_like(a), where=below[0] > 0)
    return np.asarray((b + excess) - (a + deficit))


def _group_maxima(values: FloatArray, group: IntArray, groups: int) -> FloatArray:
    maxima = np.zeros(groups)
    np.maximum.at(maxima, group, values)
    return maxima
