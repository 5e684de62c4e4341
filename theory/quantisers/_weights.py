"""Whether a law's errors are weighted, and where it carries atoms: what designers ask beyond the moments.

A law whose errors are weighted answers `std` and `mean` in the units of what is restored, not of the values
that are quantised; steps and scales are measured by `spread_of` instead.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._typing import FloatArray
from ..sources.base import Source

__all__ = [
    "end_atoms",
    "holds_atom",
    "mean_of",
    "one_measure",
    "scales_at_atoms",
    "spread_of",
    "weighs_errors",
]

# Probabilities whose quantiles are probed; a weight that is constant between all of them is none.
_PROBED = np.linspace(0.02, 0.98, 25)
# Two densities are one where their ratio varies less than this; both are good to about 1e-12.
_SAME = 1e-9


def weighs_errors(source: Source) -> bool:
    """Whether the measure of errors is no multiple of the plain law, judged by the densities."""
    return type(source).distortion_density is not Source.distortion_density and _weight_varies(source)


@lru_cache(maxsize=256)
def _weight_varies(source: Source) -> bool:
    points = source.ppf(_PROBED)
    plain, weighted = source.pdf(points), source.distortion_density(points)
    live = plain > 0
    ratio = weighted[live] / plain[live]
    return bool(ratio.size and np.ptp(ratio) > _SAME * np.max(ratio))


def one_measure(source: Source) -> bool:
    """Whether errors are counted by the plain law itself, judged by the masses of intervals."""
    law = type(source)
    if law.probability is Source.probability and law.distortion_density is Source.distortion_density:
        return True
    return _same_masses(source)


@lru_cache(maxsize=256)
def _same_masses(source: Source) -> bool:
    edges = np.unique(np.concatenate([[-np.inf], source.ppf(_PROBED), [np.inf]]))
    plain = source.probability(edges[:-1], edges[1:])
    weighted = source.partial_moments(edges[:-1], edges[1:])[0]
    return bool(np.max(np.abs(plain - weighted)) <= _SAME)


def spread_of(source: Source) -> float:
    """Root mean square deviation of what is quantised, in its own units, as errors weigh it."""
    if source.discrete or one_measure(source):
        return source.std
    mass, first, second = source.partial_moments(-np.inf, np.inf)
    return float(np.sqrt(second / mass - (first / mass) ** 2))


def mean_of(source: Source) -> float:
    """Mean of what is quantised, in its own units, as errors weigh it."""
    if source.discrete or one_measure(source):
        return source.mean
    mass, first, _ = source.partial_moments(-np.inf, np.inf)
    return float(first / mass)


def end_atoms(source: Source) -> tuple[bool, bool]:
    """Whether the lower and the upper end of the support have probability of their own."""
    low, high = source.support
    return (
        bool(np.isfinite(low) and holds_atom(source, low)),
        bool(np.isfinite(high) and holds_atom(source, high)),
    )


def scales_at_atoms(source: Source, points: FloatArray, near: float) -> list[tuple[float, float, float]]:
    """Intervals of the factor of a codebook within which an end atom keeps its cell, and where it is met exactly.

    Between two of them the distortion has a kink, within each it may have a minimum of its own.  Those nearest to
    a factor are given, at most 32 for each end.
    """
    found = []
    for place, heavy in zip(source.support, end_atoms(source), strict=True):
        own = np.sort(points[points * place > 0] * np.sign(place)) if heavy and place != 0 else np.empty(0)
        middle = (own[:-1] + own[1:]) / 2
        inner, outer = np.append(own[:1] / 2, middle), np.append(middle, 2 * own[-1:])
        size = abs(place)
        order = np.argsort(np.abs(np.log(size / own / near)))[:32]
        found += [(size / outer[k], size / own[k], size / inner[k]) for k in order]
    return found


def holds_atom(source: Source, place: float) -> bool:
    """Whether a place has probability of its own."""
    below = np.nextafter(place, -np.inf)
    mass = float(source.probability(below, place))
    return mass > 1e-280 and mass > 16 * float(source.pdf(np.array(place))) * float(place - below)
