"""Whether a law's errors are weighted, and where it carries atoms: what designers ask beyond the moments."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..sources.base import Source

__all__ = ["holds_atom", "weighs_errors"]

# Probabilities whose quantiles are probed; a weight that is constant between all of them is none.
_PROBED = np.linspace(0.02, 0.98, 25)
# Two densities are one where their ratio varies less than this; both are good to about 1e-12.
_SAME = 1e-9


@lru_cache(maxsize=256)
def weighs_errors(source: Source) -> bool:
    """Whether the measure of errors is no multiple of the plain law, judged by the densities."""
    if type(source).distortion_density is Source.distortion_density:
        return False
    points = source.ppf(_PROBED)
    plain, weighted = source.pdf(points), source.distortion_density(points)
    live = plain > 0
    ratio = weighted[live] / plain[live]
    return bool(ratio.size and np.ptp(ratio) > _SAME * np.max(ratio))


def holds_atom(source: Source, place: float) -> bool:
    """Whether a place has probability of its own."""
    below = np.nextafter(place, -np.inf)
    mass = float(source.probability(below, place))
    return mass > 16 * float(source.pdf(np.array(place))) * (place - below) and mass > 1e-280
