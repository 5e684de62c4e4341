"""Root-mean-square scales that are stored as one of a list of steps.

Given the step v, the element is x = u v and the others' squares must bring the block's rms into the step's
interval; so the densities of U are sums over steps of the element's density times a probability of the others.
Everything here is in units of the element's root mean square.
"""

from __future__ import annotations

import math

import numpy as np

from .._typing import FloatArray
from ._panel_density import PanelDensity, fit_density
from ._square_sums import Elements
from .scale_steps import ScaleSteps

__all__ = ["StepTable"]

_RARE = 1e-17  # share of a step, in probability and in mean square, below which it is left out
_ALONE = 1e-15  # probability that all others are taken out, from which its jumps are followed
_ROUGH = 4  # block sizes up to which the ends of the steps show in the densities
_TOLERANCE = 1e-12
_ROUGH_TOLERANCE = 1e-8  # where every step has ends like square roots
_MANY_TOLERANCE = 1e-6  # the same where the steps are too many to follow each end
_MANY = 200
_MOST = 8000  # panels
_CHUNK = 400_000  # values of the element's density at a time


class StepTable:
    """The stepped law of one element of a block.

    Attributes
    ----------
    reach : float
        Largest |u| that a block can have.
    breakpoints : tuple of float
        Places u > 0 where the densities are not analytic.
    lost_energy, lost_probability : float
        Of elements in blocks below the first step, those taken out not counted.
    """

    def __init__(self, elements: Elements, size: int, steps: ScaleSteps, zeros: float) -> None:
        self._elements, self._size, self._kept = elements, size, 1.0 - zeros
        self._others = elements.square_sum(size - 1, zeros)
        self._total = elements.square_sum(size, zeros)
        edges = np.append(steps.edges / elements.unit, np.inf)
        values = np.append(steps.values, steps.values[-1]) / elements.unit
        low, high = size * edges[:-1] ** 2, size * edges[1:] ** 2
        self._first = float(low[0])
        share = self._total.between(low, high)
        energy = share * values**2
        kept = (share > _RARE) | (energy > _RARE * max(float(energy.sum()), 1e-300))
        kept &= share > 0.0
        self._low, self._high, self._values = low[kept], high[kept], values[kept]
        self._share = share[kept]
        below = np.array([-1.0]), np.array([max(self._first, 0.0)])
        lost = self._total.between(*below)[0] - zeros * self._others.between(*below)[0]
        self.lost_probability = max(float(lost), 0.0)
        self.lost_energy = self._kept * self._lost()
        far = min(elements.folded.edges[-1], math.inf)
        ends = np.minimum(np.sqrt(self._high), far) / self._values if kept.any() else np.ones(1)
        self.reach = float(ends.max())
        kinks = np.outer(1.0 / self._values, elements.kinks).ravel()
        if (size <= _ROUGH or self._others.atom > _ALONE) and self._values.size <= _MANY:
            ends = np.sqrt(np.append(self._high, self._low)) / np.tile(self._values, 2)
            kinks = np.append(kinks, ends[np.isfinite(ends)])
        kinks = kinks[(kinks > 0.0) & (kinks < self.reach)]
        self.breakpoints = tuple(float(kink) for kink in np.unique(np.append(kinks, self.reach)))

    def expected(self, order: int) -> float:
        """Mean of the stored scale to a power."""
        return float((self._share * self._values**order).sum())

    def _lost(self) -> float:
        x, weights = self._elements.folded.nodes
        mass = np.exp(self._elements.folded.logarithm(x.ravel())).reshape(x.shape) * weights
        below = self._others.between(np.full_like(x, -1.0), self._first - x * x)
        return float((mass * x * x * below).sum())

    def tables(self, unit: float) -> dict[tuple[int, bool], PanelDensity | None]:
        """Tables in u by side and whether weighted."""
        elements = self._elements
        out: dict[tuple[int, bool], PanelDensity | None] = {}
        for weighted in (False, True):
            for side, density in ((1, elements.plus), (-1, elements.minus)):
                if side < 0 and density is elements.plus:
                    out[side, weighted] = out[1, weighted]
                elif density is None or not self._values.size:
                    out[side, weighted] = None
                else:
                    table = self._table(density, 2 if weighted else 0)
                    out[side, weighted] = table.times(self._kept * (unit**2 if weighted else 1.0))
        return out

    def _table(self, density: PanelDensity, order: int) -> PanelDensity:
        body = 2.0 ** np.arange(-4.0, math.log2(self.reach) + 1.0)
        edges = np.concatenate([[0.0, self.reach], body[body < self.reach], self.breakpoints])
        edges = np.unique(edges)
        edges = edges[np.append(True, np.diff(edges) > 1e-12 * edges[1:])]
        tolerance = _TOLERANCE
        if self._size <= _ROUGH:
            tolerance = _ROUGH_TOLERANCE if self._values.size <= _MANY else _MANY_TOLERANCE
        tolerance = max(tolerance, self._others.tolerance)
        return fit_density(
            lambda u: self._logarithm(u, density, order), edges, tolerance=tolerance, most=_MOST
        )

    def _logarithm(self, u: FloatArray, density: PanelDensity, order: int) -> FloatArray:
        out = np.empty(u.size)
        many = max(1, _CHUNK // self._values.size)
        for i in range(0, u.size, many):
            x = u[i : i + many, None] * self._values
            within = (x >= density.edges[0]) & (x <= density.edges[-1]) & (x * x <= self._high)
            square = x[within] ** 2
            low = np.broadcast_to(self._low, x.shape)[within] - square
            high = np.broadcast_to(self._high, x.shape)[within] - square
            values = np.zeros(x.shape)
            values[within] = np.exp(density.logarithm(x[within])) * self._others.between(low, high)
            out[i : i + many] = values @ self._values ** (1 + order)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(out))
