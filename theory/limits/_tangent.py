"""A straight line below a rate-distortion function, and test channels close to the point where it touches.

For a slope s the line is R + s D = V(s), V(s) = min over output laws of -E log E_Y exp(-s (X - Y)^2).  Any
output law gives an upper bound on V by its test channel.  For a lower bound let lambda be its kernel mixture
and v = f / lambda, or any other function: if c(y), the integral of v(x) exp(-s (x - y)^2), is at most 1 for
every real y, then V >= E log(v / f) (Csiszar 1974; Gallager 1968, theorem 9.4.1; it is Jensen's inequality).

Two choices of v make the bound tight without effort.  Far from every rough point v is the constant of the
Shannon lower bound.  And where c exceeds 1 by a little, v is divided by the largest c within the kernel's
reach: this costs the logarithm of that excess times the mass near by, not the largest excess anywhere, so
that tails of no mass need no precision.  All values are in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ._certificate import Scan, scan_dual
from ._layout import ORDER, Layout, Nodes
from ._reproduction import Reproduction

__all__ = [
    "ENVELOPE",
    "FINE",
    "FIT",
    "GOAL",
    "MISSED",
    "ROUNDS",
    "SMALLEST",
    "SPLIT",
    "Channel",
    "Tangent",
    "tangent",
]

ROUNDS = 12  # times that points may be added; four or five are usual
FIT = 1e-9  # likelihood gap asked of the interior-point method, nats
GOAL = 5e-8  # gap that ends the rounds, nats: 7e-8 bit; tenfold less costs another round
FINE = 14  # Gauss nodes of the second rule; its difference from the first is taken as the error of both
ENVELOPE = 7.5  # kernel widths over which the envelope of c is taken; less than 1e-12 of a kernel lies beyond
SPLIT = np.arange(1, 5) / 5.0  # new points between two neighbours around a peak; fewer need more rounds
SMALLEST = 1e-5  # distance of neighbours, in kernel widths, that is not split any more
MISSED = 1e-13  # what the tails outside the nodes may hold, see `density_panels`


@dataclass(frozen=True)
class Channel:
    """Rate in nats and distortion of a test channel, and what quadrature may have missed of each."""

    rate: float
    distortion: float
    rate_error: float
    distortion_error: float


@dataclass(frozen=True)
class Tangent:
    """A slope, the bound it proves, and the output law that nearly attains it.

    Attributes
    ----------
    slope : float
        s, nats per squared unit.
    lower : float
        R(D) + s D >= lower for every D.
    reproduction : Reproduction
        Output law.
    """

    layout: Layout
    slope: float
    lower: float
    reproduction: Reproduction

    def channel(self, slope: float) -> Channel:
        """Test channel of the same output law at another slope."""
        (rough_rate, rough), (rate, distortion) = (
            _channel(self.layout.nodes(order), self.reproduction, slope) for order in (ORDER, FINE)
        )
        error = abs(rate - rough_rate) + MISSED
        return Channel(rate, distortion, error, abs(distortion - rough) + MISSED * distortion)


def tangent(layout: Layout, rounds: int = ROUNDS) -> Tangent:
    """Best output law for the kernel of a layout, found in at most so many rounds, and the line it proves."""
    nodes = layout.nodes(ORDER)
    mass = np.add.reduceat(
        nodes.masses, np.arange(0, nodes.masses.size, nodes.masses.size // layout.lower.size)
    )
    reproduction = best = layout.start
    lower, least = -np.inf, np.inf
    for count in range(rounds):
        reproduction = reproduction.fitted(nodes.points, nodes.masses, layout.width, FIT, warm=count > 0)
        scan = scan_dual(layout.scan_points(), *layout.scan_nodes(reproduction), layout.width)
        excess = scan.envelope(layout.lower, layout.upper, ENVELOPE * layout.width)
        lower = max(lower, _dual_value(layout, reproduction) - float(mass @ np.log(excess)))
        attained = -float(nodes.masses @ np.log(reproduction.at_nodes(nodes.points, layout.width)[0]))
        if attained < least:
            least, best = attained, reproduction
        points = _refinement(layout, mass, reproduction, scan)
        if least - lower <= GOAL or not points.size:
            break
        reproduction = reproduction.with_points(points)
    return Tangent(layout, 0.5 / layout.width**2, lower, best)


def _dual_value(layout: Layout, reproduction: Reproduction) -> float:
    """E log(v / f) for v = f / lambda in the zone and flat outside, less its quadrature error."""
    values = []
    for order in (ORDER, FINE):
        nodes = layout.nodes(order)
        mixture = reproduction.at_nodes(nodes.points, layout.width)[0]
        flat = -np.log(layout.width * np.sqrt(2 * np.pi)) - nodes.log_density
        values.append(float(nodes.masses @ np.where(nodes.in_zone, -np.log(mixture), flat)))
    return values[1] - abs(values[1] - values[0]) - MISSED


def _refinement(layout: Layout, mass: FloatArray, reproduction: Reproduction, scan: Scan) -> FloatArray:
    """Points around the peaks whose excess, times the mass near by, is worth it."""
    reach = ENVELOPE * layout.width
    total = np.append(0.0, np.cumsum(mass))
    start = np.searchsorted(layout.upper, scan.peaks - reach)
    stop = np.searchsorted(layout.lower, scan.peaks + reach, side="right")
    costly = scan.peaks[(scan.heights - 1) * (total[stop] - total[start]) > 0.1 * GOAL]
    right = np.searchsorted(reproduction.centres, costly)
    right = np.unique(right[(right > 0) & (right < reproduction.centres.size)])
    low, high = reproduction.centres[right - 1], reproduction.centres[right]
    wide = high - low > SMALLEST * layout.width
    return np.asarray((low[wide, None] + (high - low)[wide, None] * SPLIT).ravel())


def _channel(nodes: Nodes, reproduction: Reproduction, slope: float) -> tuple[float, float]:
    mixture, error = reproduction.at_nodes(nodes.points, float(np.sqrt(0.5 / slope)))
    distortion = float(nodes.masses @ error)
    return -float(nodes.masses @ np.log(mixture)) - slope * distortion, distortion
