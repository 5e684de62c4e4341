"""A straight line below a weighted rate-distortion function, and test channels near the point where it touches.

As in `_tangent`, with a kernel exp(-s rho(x) (x - y)^2) of its own width at each letter.  The dual function is
f over the mixture everywhere, divided by the largest c within the kernel's reach.  A kernel is a positive
mixture of all narrower ones, so the bound over the continuum holds with the least width that reaches a place.
All values are in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray, IntArray
from ._certificate import Scan, bounded
from ._interior_point import LocalLikelihood, fit_masses
from ._layout import ORDER
from ._letters import Letters
from ._tangent import ENVELOPE, FINE, FIT, GOAL, MISSED, SMALLEST, SPLIT, Channel
from ._weighted_cells import Cells, Places, weighted_cells
from ._weighted_kernels import weighted_mixture, weighted_rows, weighted_scan

__all__ = ["WeightedTangent", "weighted_tangent"]

_MOST_WORK = 3e8  # products for one Hessian: a few tenths of a second, and some hundred Hessians are usual
_SIGHT = 8.0  # kernel widths beyond which an output is left out: exp(-32) of its height


@dataclass(frozen=True, eq=False)
class WeightedTangent:
    """A slope, the bound it proves, and the output law that nearly attains it.

    Attributes
    ----------
    slope : float
        s, nats per squared unit.
    lower : float
        R(D) + s D >= lower for every D.
    points, masses : ndarray of float64, shape (n,)
        Output law.
    """

    cells: Cells
    slope: float
    lower: float
    points: FloatArray
    masses: FloatArray

    def channel(self, slope: float) -> Channel:
        """Test channel of the same output law at another slope."""
        (rough_rate, rough), (rate, distortion) = (self._channel(order, slope) for order in (ORDER, FINE))
        lost = self.cells.letters.lost + MISSED * distortion
        return Channel(rate, distortion, abs(rate - rough_rate) + MISSED, abs(distortion - rough) + lost)

    def _channel(self, order: int, slope: float) -> tuple[float, float]:
        x, p, gains = self.cells.nodes(order)
        scaled = gains * np.sqrt(slope / self.slope)
        mixture, error = weighted_mixture(x, scaled, *_seen(x, scaled, self.points), self.points, self.masses)
        distortion = float(p @ error) / (2 * slope)
        return -float(p @ np.log(mixture)) - slope * distortion, distortion


def weighted_tangent(letters: Letters, slope: float, rounds: int) -> WeightedTangent:
    """Best output law for a slope, found in at most so many rounds, and the line it proves."""
    cells = weighted_cells(letters, slope)
    places, mass = cells.places(), cells.masses
    points = best_points = cells.first_outputs()
    q = best = np.full(points.size, 1.0 / points.size)
    lower, least = -np.inf, np.inf
    for count in range(rounds):
        q = _fitted(cells, points, q if count else None)
        scan, attained, dual = _judged(cells, places, points, q)
        excess = scan.envelope(cells.lower, cells.upper, cells.reach(ENVELOPE))
        lower = max(lower, dual - float(mass @ np.log(excess)))
        if attained < least:
            least, best_points, best = attained, points, q
        fresh = _refinement(cells, mass, points, scan)
        if least - lower <= GOAL or not fresh.size:
            break
        points, q = _merged(points, q, fresh)
    return WeightedTangent(cells, slope, lower, best_points, best)


def _fitted(cells: Cells, points: FloatArray, start: FloatArray | None) -> FloatArray:
    x, p, gains = cells.nodes(ORDER)
    first, counts = _seen(x, gains, points)
    if float(np.square(counts, dtype=np.float64).sum()) > _MOST_WORK:
        raise ValueError(
            "the rate is too high for weights that vary so much: some letter sees "
            f"{counts.max()} of {points.size} outputs"
        )
    rows = weighted_rows(x, gains, first, counts, points)
    return fit_masses(LocalLikelihood(rows, first, counts, p, points.size), FIT, start).masses


def _seen(x: FloatArray, gains: FloatArray, points: FloatArray) -> tuple[IntArray, IntArray]:
    """First output that each letter sees, and how many."""
    with np.errstate(divide="ignore"):
        reach = _SIGHT / gains
    first = np.minimum(np.searchsorted(points, x - reach), points.size - 1)
    last = np.maximum(np.searchsorted(points, x + reach, side="right"), first + 1)
    return first, last - first


def _judged(cells: Cells, places: Places, points: FloatArray, q: FloatArray) -> tuple[Scan, float, float]:
    """Scan of c for v = f over the mixture, the upper value, and the dual value less its quadrature error."""
    values = []
    for order in (FINE, ORDER):
        x, p, gains = cells.nodes(order)
        mixture = weighted_mixture(x, gains, *_seen(x, gains, points), points, q)[0]
        values.append(-float(p @ np.log(mixture)))
    taylor = weighted_scan(
        places.points, places.bins, places.units, places.first, places.last, ORDER, x, gains, p / mixture
    )
    scan = bounded(places.points, taylor, places.units[places.bins])
    return scan, values[1], values[0] - abs(values[0] - values[1]) - MISSED


def _refinement(cells: Cells, mass: FloatArray, points: FloatArray, scan: Scan) -> FloatArray:
    """Outputs around the peaks whose excess, times the mass near by, is worth it."""
    reach = cells.reach(ENVELOPE)
    start = np.searchsorted(np.maximum.accumulate(cells.upper + reach), scan.peaks)
    low = np.minimum.accumulate((cells.lower - reach)[::-1])[::-1]
    stop = np.searchsorted(low, scan.peaks, side="right")
    total = np.append(0.0, np.cumsum(mass))
    costly = scan.peaks[(scan.heights - 1) * (total[stop] - total[start]) > 0.1 * GOAL]
    right = np.searchsorted(points, costly)
    right = np.unique(right[(right > 0) & (right < points.size)])
    left_end, right_end = points[right - 1], points[right]
    wide = (right_end - left_end) * cells.nodes(ORDER)[2].max() > SMALLEST
    return np.asarray((left_end[wide, None] + (right_end - left_end)[wide, None] * SPLIT).ravel())


def _merged(points: FloatArray, q: FloatArray, fresh: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put new outputs, without mass, among the others."""
    joined = np.concatenate([points, fresh])
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate([q, np.zeros(fresh.size)])[order]
