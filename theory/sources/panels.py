"""Integration of laws that are known by their density and quantiles alone.

The line is cut where the tail probability falls by powers of ten, at the points where the density is not
smooth, and evenly in probability in the bulk.  Between two cuts the density of a practical law varies by a
few powers of ten at most, exponentially or as a power of x, which 24 Gauss-Legendre nodes integrate to
rounding; moments are taken directly about the asked point, so that all terms are positive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .._typing import FloatArray
from .quadrature import legendre_rule

__all__ = ["entropy_over", "moments_over", "panel_edges"]

# Tail probabilities of the cuts: the density is lost to underflow where the last of them lie.
_TAILS = 10.0 ** -np.arange(1, 301)
_BULK = np.linspace(0.1, 0.9, 33)
# Panels beyond the last cut, each twice as wide as the one before: for laws whose quantiles give up early.
_BEYOND = 2.0 ** np.arange(60)


def panel_edges(
    ppf: Callable[[FloatArray], FloatArray],
    isf: Callable[[FloatArray], FloatArray],
    support: tuple[float, float],
    breakpoints: Sequence[float] = (),
) -> FloatArray:
    """Ascending cuts of the line, from one end of the support (or of double precision) to the other."""
    with np.errstate(all="ignore"):
        cuts = np.concatenate([ppf(_TAILS[::-1]), ppf(_BULK), isf(_TAILS), [*breakpoints], [*support]])
    cuts = np.unique(cuts[np.isfinite(cuts)])
    cuts = cuts[(cuts >= support[0]) & (cuts <= support[1])]
    width = cuts[-1] - cuts[0]
    below = cuts[0] - width * _BEYOND[::-1] if np.isinf(support[0]) else []
    above = cuts[-1] + width * _BEYOND if np.isinf(support[1]) else []
    return np.concatenate([below, cuts, above])


def moments_over(
    pdf: Callable[[FloatArray], FloatArray], edges: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray
) -> FloatArray:
    """Moments of the cells (a, b) about c, shape (3, n); cells are cut at the edges."""
    a, b = np.clip(a, edges[0], edges[-1]), np.clip(b, edges[0], edges[-1])
    first = np.searchsorted(edges, a, side="right")  # the first edge above a
    inner = np.maximum(np.searchsorted(edges, b, side="left") - first, 0)  # edges inside the cell
    starts = np.concatenate([[0], np.cumsum(inner + 1)[:-1]])
    cell = np.repeat(np.arange(a.size), inner + 1)
    place = np.arange(cell.size) - starts[cell]
    left = np.where(place == 0, a[cell], edges[np.clip(first[cell] + place - 1, 0, edges.size - 1)])
    last = place == inner[cell]
    right = np.where(last, b[cell], edges[np.clip(first[cell] + place, 0, edges.size - 1)])
    nodes, weights = legendre_rule(24)
    offset = nodes * (right - left)
    with np.errstate(all="ignore"):
        mass = np.nan_to_num(pdf(left + offset), nan=0.0, posinf=0.0) * (weights * (right - left))
        distance = (left - c[cell]) + offset
        pieces = np.stack([mass.sum(0), (mass * distance).sum(0), (mass * distance * distance).sum(0)])
    return np.asarray(np.add.reduceat(np.nan_to_num(pieces), starts, axis=1)) if a.size else pieces


def entropy_over(logpdf: Callable[[FloatArray], FloatArray], edges: FloatArray) -> float:
    """Differential entropy in bits of a law cut at the edges."""
    nodes, weights = legendre_rule(24)
    width = np.diff(edges)
    with np.errstate(all="ignore"):
        log_density = logpdf(edges[:-1] + nodes * width)
        density = np.exp(log_density)
        terms = np.where(density > 0, density * log_density, 0.0) * weights * width
    return float(-np.nansum(terms) / np.log(2))
