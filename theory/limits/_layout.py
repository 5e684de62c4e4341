"""Where the nodes and the first bells go, for a law and a kernel width.

Bells may be as wide as the law is smooth, and no narrower than the kernel: their width grows in proportion to
the distance from the nearest rough point, so their number grows only with the logarithm of the range and of
the resolution.  Where bells have about the kernel's width the optimum may consist of separate points, which
are found later; this is the zone in which the certificate has to look at every place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ..sources import Source
from ._kernels import local_widths, place_bells, subdivide
from ._panels import density_panels
from ._reproduction import Reproduction

__all__ = ["ORDER", "REACH", "STEP", "DensityLayout", "Layout", "Nodes", "cover", "density_layout"]

_GROWTH = 0.06  # bell width by distance; stays below 1 / reach of a bell, which keeps bells local
_RESOLVED = 0.2  # bell width by panel length; 0.3 loses digits at smooth laws, 0.1 only costs time
_CLOSE, _SPACING = 0.5, 0.8  # distance of neighbours in widths: points, bells; at 1.0 ripples of 1e-8 remain
_LENGTH = 1.0  # length of a quadrature panel in widths
_ZONE = 2.0  # kernel widths up to which a bell counts as close to a point
_FINE = 3.5  # kernel widths up to which panels are as short as the kernel: twice its reach beyond the zone
REACH = 9.0  # kernel widths the certificate looks beyond the zone: exp(-40) of the kernel is left out
STEP = 0.125  # kernel widths between the places the certificate looks at
ORDER = 10  # Gauss nodes in a panel one kernel width long


class Nodes(NamedTuple):
    """Weighted points, `order` to a cell: where, mass, logarithm of the density, whether in the zone."""

    points: FloatArray
    masses: FloatArray
    log_density: FloatArray
    in_zone: NDArray[np.bool_]


class Layout(Protocol):
    """What the solver and the certificate ask of a law.

    Attributes
    ----------
    width : float
        Kernel width w = 1 / sqrt(2 s).
    lower, upper : ndarray of float64, shape (n,)
        Ends of the cells, ascending.
    start : Reproduction
        First bells, of equal masses.
    """

    @property
    def width(self) -> float: ...
    @property
    def lower(self) -> FloatArray: ...
    @property
    def upper(self) -> FloatArray: ...
    @property
    def start(self) -> Reproduction: ...

    def nodes(self, order: int) -> Nodes:
        """Nodes that stand for the law, or for the right half of a folded one with twice its masses."""

    def scan_nodes(self, reproduction: Reproduction) -> tuple[FloatArray, FloatArray]:
        """Nodes of the dual function and its masses there."""

    def scan_points(self) -> FloatArray:
        """Ascending places, no more than a step apart, where the dual condition is to be looked at."""


@dataclass(frozen=True)
class DensityLayout:
    """Sub-panels of a density for one kernel width, the first bells, and the zone to be scanned.

    Attributes
    ----------
    source : Source
    width, lower, upper, start
        See `Layout`; cells are sub-panels.
    in_zone : ndarray of bool, shape (n,)
        Sub-panels where bells are close to points.
    """

    source: Source
    width: float
    lower: FloatArray
    upper: FloatArray
    in_zone: NDArray[np.bool_]
    start: Reproduction

    def nodes(self, order: int) -> Nodes:
        """Gauss nodes of all sub-panels."""
        points, weights = _gauss(self.lower, self.upper, order)
        density = self.source.pdf(points)
        masses = density * weights * (2.0 if self.start.folded else 1.0)
        return Nodes(points, masses, np.log(np.maximum(density, 1e-300)), np.repeat(self.in_zone, order))

    def scan_nodes(self, reproduction: Reproduction) -> tuple[FloatArray, FloatArray]:
        """Return the nodes, fine enough in and around the zone; the dual function is flat outside it."""
        points, weights = _gauss(self.lower, self.upper, ORDER)
        flat = weights / (self.width * np.sqrt(2 * np.pi))
        inside = np.repeat(self.in_zone, ORDER)
        mixture = reproduction.at_nodes(points[inside], self.width)[0]
        flat[inside] = weights[inside] * self.source.pdf(points[inside]) / mixture
        if not self.start.folded:
            return points, flat
        mirrored = points < 2 * REACH * self.width
        return (
            np.concatenate([-points[mirrored][::-1], points]),
            np.concatenate([flat[mirrored][::-1], flat]),
        )

    def scan_points(self) -> FloatArray:
        """Places in and around the zone."""
        reach = REACH * self.width
        lower, upper = self.lower[self.in_zone] - reach, self.upper[self.in_zone] + reach
        if self.start.folded:
            lower = np.maximum(lower, 0.0)
        return cover(lower, upper, STEP * self.width)


def density_layout(source: Source, width: float) -> DensityLayout:
    """Sub-panels and first bells of a law with a density."""
    panels = density_panels(source)
    lower = np.concatenate([panels.lower, panels.rough])
    upper = np.concatenate([panels.upper, panels.rough])
    scale = _RESOLVED * (upper - lower)
    features = (lower, upper, scale, _GROWTH, width)
    folded = source.symmetric
    starts, stops = panels.lower, panels.upper
    if folded:
        starts, stops = np.maximum(starts[stops > 0], 0.0), stops[stops > 0]
    centres = np.array(place_bells(starts[0], stops[-1], *features, _CLOSE, _SPACING))
    spreads = np.sqrt(np.maximum(local_widths(centres, *features) ** 2 - width**2, 0.0))
    edges = np.array(subdivide(starts, stops, *features, _LENGTH, _FINE))
    start = Reproduction(centres, spreads, np.full(centres.size, 1.0 / centres.size), folded)
    widest = np.maximum(local_widths(edges[:-1], *features), local_widths(edges[1:], *features))
    return DensityLayout(source, width, edges[:-1], edges[1:], widest < _ZONE * width, start)


def _gauss(lower: FloatArray, upper: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half = (upper - lower) / 2
    points = (lower + half)[:, None] + half[:, None] * nodes
    return points.ravel(), (half[:, None] * weights).ravel()


def cover(lower: FloatArray, upper: FloatArray, step: float) -> FloatArray:
    """Ascending points no more than a step apart that cover a union of intervals."""
    if not lower.size:
        return np.empty(0)
    reached = np.maximum.accumulate(upper)
    fresh = np.append(True, lower[1:] > reached[:-1])
    starts = lower[fresh]
    stops = reached[np.append(np.flatnonzero(fresh)[1:] - 1, lower.size - 1)]
    counts = np.ceil((stops - starts) / step).astype(np.int64) + 1
    owner = np.repeat(np.arange(counts.size), counts)
    part = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(starts[owner] + part * step)
