"""The output law of a test channel: a mixture of points and of Gaussian bells.

Under squared error at slope s the test channel sends x to y with probability proportional to
q(y) exp(-s (x - y)^2).  A bell of spread t in q acts on x as a wider and lower kernel in closed form, so that
where the law is smooth a few wide bells do the work of thousands of points, at any rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .._typing import FloatArray, IntArray
from ._interior_point import LocalLikelihood, fit_masses
from ._kernels import bell_rows, mixture_at_nodes

__all__ = ["Reproduction"]

_REACH = 8.0  # widths beyond which a bell is left out: exp(-32) of its height; 6 costs digits, 10 only time


@dataclass(frozen=True)
class Reproduction:
    """Bells with ascending centres.

    Attributes
    ----------
    centres, spreads, masses : ndarray of float64, shape (n,)
        Mean, standard deviation (0 for a point) and mass of each bell.
    folded : bool
        Each bell stands for itself and its mirror image, half the mass each.
    """

    centres: FloatArray
    spreads: FloatArray
    masses: FloatArray
    folded: bool

    def windows(self, nodes: FloatArray, width: float) -> tuple[IntArray, IntArray]:
        """First bell seen by each node, and how many."""
        reach = _REACH * np.hypot(self.spreads, width)
        right = np.maximum.accumulate(self.centres + reach)
        left = np.minimum.accumulate((self.centres - reach)[::-1])[::-1]
        first = np.minimum(np.searchsorted(right, nodes), self.centres.size - 1)
        last = np.maximum(np.searchsorted(left, nodes, side="right"), first + 1)
        return first, last - first

    def fitted(
        self, nodes: FloatArray, weights: FloatArray, width: float, tolerance: float, *, warm: bool
    ) -> Reproduction:
        """Give the bells the masses that make the mixture fit the weighted nodes best."""
        first, counts = self.windows(nodes, width)
        widths = np.hypot(self.spreads, width)
        rows = bell_rows(nodes, first, counts, self.centres, widths, width, self.folded)
        problem = LocalLikelihood(rows, first, counts, weights, self.centres.size)
        return replace(self, masses=fit_masses(problem, tolerance, self.masses if warm else None).masses)

    def at_nodes(self, nodes: FloatArray, width: float) -> tuple[FloatArray, FloatArray]:
        """Kernel mixture at the nodes, and the mean squared error of the test channel from each."""
        first, counts = self.windows(nodes, width)
        mixture, error = mixture_at_nodes(
            nodes, first, counts, self.centres, self.spreads, self.masses, width, self.folded
        )
        return mixture, error

    def with_points(self, points: FloatArray) -> Reproduction:
        """Put new points, without mass, among the bells."""
        centres = np.concatenate([self.centres, points])
        order = np.argsort(centres, kind="stable")
        zeros = np.zeros(points.size)
        spreads = np.concatenate([self.spreads, zeros])[order]
        masses = np.concatenate([self.masses, zeros])[order]
        return Reproduction(centres[order], spreads, masses, self.folded)
