"""Where nodes, first outputs and places to look at go, for weighted letters and a slope.

Unlike the plain layout it has no bells: the dual function that is flat where a law is smooth does not hold its
condition once the weight varies.  So cells, outputs and places follow the kernel everywhere, and their number
doubles with every bit; for laws of bounded support, such as elements divided by their block's scale, it stays
small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray, IntArray
from ._layout import ORDER, REACH, STEP
from ._letters import Letters
from ._panels import NODES
from ._weighted_kernels import bin_reaches

__all__ = ["Cells", "Places", "weighted_cells"]

_LENGTH = 1.0  # length of a cell in kernel widths
_SPACING = 0.5  # distance of the first outputs in kernel widths; at 1.0 ripples of 1e-8 remain
_MOST_CELLS = 40_000  # some seconds and 1 GB
_EMPTY = 1e-16  # mass of a panel that gets no cell
_FAINT = 1e-12  # mass that a panel would have at a density that tells nothing of its weight
_CERTAIN = 1e-9  # density relative to its largest in a panel from which on a weight is not rounding


@dataclass(frozen=True)
class Places:
    """Places where the dual condition is looked at, no more than half a step from any output.

    Attributes
    ----------
    points : ndarray of float64, shape (n,)
        Ascending.
    bins : ndarray of int, shape (n,)
        Bin of each place.
    units : ndarray of float64, shape (m,)
        Least width of the kernels that reach each bin.
    first, last : ndarray of int, shape (m,)
        Cells that reach each bin.
    """

    points: FloatArray
    bins: IntArray
    units: FloatArray
    first: IntArray
    last: IntArray


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a law for one slope; an atom is a cell without width.

    Attributes
    ----------
    letters : Letters
    slope : float
        Nats per squared unit.
    lower, upper : ndarray of float64, shape (n,)
        Ends, ascending.
    panel : ndarray of int, shape (n,)
        Panel of each cell; for an atom -1 - its index.
    """

    letters: Letters
    slope: float
    lower: FloatArray
    upper: FloatArray
    panel: NDArray[np.int64]

    def nodes(self, order: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Points, probabilities and gains, `order` to a cell, ascending."""
        return _nodes(self, order)

    @property
    def masses(self) -> FloatArray:
        """Probability of each cell."""
        return np.asarray(self.nodes(ORDER)[1].reshape(-1, ORDER).sum(axis=1))

    def reach(self, widths: float) -> FloatArray:
        """As many widths of each cell's widest kernel."""
        gains = self.nodes(ORDER)[2].reshape(-1, ORDER)
        with np.errstate(divide="ignore"):
            return np.asarray(widths / gains.min(axis=1))

    def places(self) -> Places:
        """Places between the outermost letters; the dual function grows towards them from outside."""
        edges, units, first, last = self._bins()
        counts = np.maximum(np.ceil(np.diff(edges) / (STEP * units)), 1).astype(np.int64)
        bins, part = _spread(counts)
        points = edges[bins] + (part + 0.5) * (np.diff(edges) / counts)[bins]
        return Places(points, bins, units, first, last)

    def first_outputs(self) -> FloatArray:
        """Outputs half a width apart, and the atoms."""
        edges, units, _, _ = self._bins()
        count = np.append(0.0, np.cumsum(np.diff(edges) / (_SPACING * units)))
        wanted = np.linspace(0.0, count[-1], max(math.ceil(count[-1]), 1) + 1)
        inside = np.interp(wanted, count, edges)
        return np.unique(np.concatenate([inside, self.letters.points]))

    def _bins(self) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
        edges = np.unique(np.concatenate([self.lower, self.upper]))
        if edges.size == 1:
            edges = np.repeat(edges, 2)
        reach = self.reach(REACH)
        most = self.nodes(ORDER)[2].reshape(-1, ORDER).max(axis=1)
        gains, first, last = bin_reaches(edges, self.lower - reach, self.upper + reach, most)
        span = max(float(edges[-1] - edges[0]), np.finfo(np.float64).tiny)
        return edges, 1 / np.maximum(gains, 1 / span), first, last


@lru_cache(maxsize=8)
def _nodes(cells: Cells, order: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    at, weights = np.polynomial.legendre.leggauss(order)
    half = (cells.upper - cells.lower) / 2
    points = (cells.lower + half)[:, None] + half[:, None] * at
    masses = half[:, None] * weights
    rho = np.empty_like(masses)
    atom = cells.panel < 0
    which = -1 - cells.panel[atom]
    masses[atom] = cells.letters.masses[which, None] * (weights / 2)
    rho[atom] = cells.letters.weights[which, None]
    panel = np.repeat(cells.panel[~atom], order)
    plain, weights = _weights(cells.letters, panel, points[~atom].ravel())
    masses[~atom] *= plain.reshape(-1, order)
    rho[~atom] = weights.reshape(-1, order)
    gains = np.sqrt(2 * cells.slope * rho)
    return points.ravel(), masses.ravel(), gains.ravel()


def weighted_cells(letters: Letters, slope: float) -> Cells:
    """Cells no longer than a kernel's width; ValueError where that takes too many."""
    length = letters.upper - letters.lower
    needed = np.ceil(length * np.sqrt(2 * slope * _largest_weights(letters)) / _LENGTH)
    needed = np.where(np.isnan(needed), 0, np.maximum(needed, 1))
    if needed.sum() > _MOST_CELLS:
        raise ValueError(
            f"the rate is too high, or the tails are too heavy, for weights that vary: {needed.sum():.0f} cells "
            f"of one kernel width would be needed, and at most {_MOST_CELLS} are used"
        )
    panel, part = _spread(needed.astype(np.int64))
    size = length[panel] / needed[panel]
    lower = letters.lower[panel] + part * size
    upper = np.where(
        part + 1 == needed[panel], letters.upper[panel], letters.lower[panel] + (part + 1) * size
    )
    owner = np.concatenate([panel, -1 - np.arange(letters.points.size)])
    lower, upper = (np.concatenate([ends, letters.points]) for ends in (lower, upper))
    order = np.argsort(lower + upper, kind="stable")
    return Cells(letters, slope, lower[order], upper[order], owner[order])


def _largest_weights(letters: Letters) -> FloatArray:
    """Largest weight in each panel; NaN where a panel holds nothing that counts."""
    length = letters.upper - letters.lower
    empty = length * _panel_weights(letters)[0] <= _EMPTY
    return np.where(empty, np.nan, _panel_weights(letters)[3])


@lru_cache(maxsize=64)
def _panel_weights(letters: Letters) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Of each panel: largest density, the density that is no rounding, least and largest weight above it."""
    length = letters.upper - letters.lower
    x = (letters.lower + length / 2)[:, None] + length[:, None] / 2 * NODES
    plain, weighted = letters.densities(np.repeat(np.arange(x.shape[0]), NODES.size), x.ravel())
    plain, weighted = plain.reshape(x.shape), weighted.reshape(x.shape)
    most = plain.max(axis=1, initial=0.0)
    least = np.maximum(_CERTAIN * most, _FAINT / np.maximum(length, np.finfo(np.float64).tiny))
    certain = plain > least[:, None]
    ratio = weighted / np.where(certain, plain, 1.0)
    low = np.where(certain, ratio, np.inf).min(axis=1, initial=np.inf)
    high = np.where(certain, ratio, 0.0).max(axis=1, initial=0.0)
    known = high > 0  # a panel of no certain weight may have that of any other
    low[~known], high[~known] = low.min(initial=np.inf), high.max(initial=0.0)
    return most, least, low, high


def _weights(letters: Letters, panel: NDArray[np.int64], x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Density and weight at points; a density that is rounding has a weight that its panel has elsewhere."""
    _, least, low, high = (values[panel] for values in _panel_weights(letters))
    plain, weighted = letters.densities(panel, x)
    certain = plain > least
    ratio = weighted / np.where(certain, plain, np.maximum(least, np.finfo(np.float64).tiny))
    return plain, np.where(certain, ratio, np.clip(ratio, low, high))


def _spread(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Owner of each of so many parts, and its place among the owner's."""
    owner = np.repeat(np.arange(counts.size), counts)
    return owner, np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
