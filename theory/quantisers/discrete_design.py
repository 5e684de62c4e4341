"""Lloyd-Max codepoints of laws that are atoms without being plain data, such as measured data in scaled blocks.

Their atoms may be thousands of millions (every value over every scale), but their partial moments are exact.  The
law is condensed to the centroids of narrow bins, whose best codebook is found exactly; Lloyd's iteration with the
exact moments finishes from there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._typing import FloatArray
from ..sources import Empirical, Source
from .kmeans import kmeans
from .pinned import pinned_kmeans
from .scalar import Design, ScalarQuantiser, midpoints

__all__ = ["discrete_lloyd_max"]

# Bins over the support: the best codebook of 16 levels moves by less than 1e-3 of a step when there are twice as
# many, and the iteration that follows removes that.
_BINS = 1024
_TOLERANCE = 1e-12


def discrete_lloyd_max(
    source: Source,
    levels: int,
    held: Mapping[int, float],
    start: FloatArray | None,
    max_iterations: int,
) -> ScalarQuantiser:
    """Codepoints of a law of atoms on a bounded support; see `lloyd_max`."""
    free = np.ones(levels, dtype=np.bool_)
    free[list(held)] = False
    q = _start(source, levels, held) if start is None else start
    residual, steps, status = np.inf, 0, "iteration limit"
    while steps < max_iterations:
        mass, first, second = _moments(source, q)
        size = np.sqrt(mass * second)
        off = np.divide(np.abs(first), size, out=np.zeros_like(first), where=size > 0)
        residual = float(off[free].max(initial=0.0))
        if residual <= _TOLERANCE:
            status = "converged"
            break
        moved = q + np.where(
            free & (mass > 0), np.divide(first, mass, out=np.zeros_like(first), where=mass > 0), 0.0
        )
        if np.array_equal(moved, q):
            status = "converged"
            break
        q, steps = np.maximum.accumulate(moved), steps + 1
    design = Design(method="lloyd_max", status=status, iterations=steps, residual=residual)
    return ScalarQuantiser(q, design=design)


def _start(source: Source, levels: int, held: Mapping[int, float]) -> FloatArray:
    """The best codebook of the law in bins."""
    law = _condensed(source)
    if law.distinct < levels:
        raise ValueError(
            f"levels must be at most the {law.distinct} distinct values of the source, got {levels}"
        )
    return (pinned_kmeans(law, levels, held) if held else kmeans(law, levels, exact=True)).codepoints


def _moments(source: Source, q: FloatArray) -> FloatArray:
    edges = np.concatenate([[-np.inf], midpoints(q), [np.inf]])
    return source.partial_moments(edges[:-1], edges[1:], q)


def _condensed(source: Source) -> Empirical:
    """Centroids of narrow bins with their weights; atoms at the ends of the support keep bins of their own."""
    low, high = source.support
    inner = np.linspace(low, high, _BINS + 1)[1:-1]
    edges = np.concatenate([[-np.inf, low], inner, [np.nextafter(high, low), np.inf]])
    middle = np.clip(edges[:-1] / 2 + edges[1:] / 2, low, high)
    mass, first, _ = source.partial_moments(edges[:-1], edges[1:], middle)
    live = mass > 0
    return Empirical(middle[live] + first[live] / mass[live], weights=mass[live])
