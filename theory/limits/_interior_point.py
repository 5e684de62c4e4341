"""Masses of a mixture that maximise its mean log-likelihood, by a primal-dual interior-point method.

The output law of the best test channel at a slope minimises the convex function -sum_i p_i log (K q)_i over
the masses q.  Blahut's iteration is the EM algorithm of this problem, and as slow; Newton's method on the
barrier problem takes some twenty steps whatever the rate, and with local bells each is a banded Cholesky
factorisation.

The catch is that neighbouring bells overlap so much that the Hessian is singular to rounding.  Only the
masses suffer: the likelihood, and with it the gap that is returned, does not feel the lost directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy

from .._typing import FloatArray, IntArray
from ._banded import banded_cholesky, solve_banded
from ._kernels import hessian_band, row_products, row_sums

__all__ = ["DenseLikelihood", "Likelihood", "LocalLikelihood", "Masses", "fit_masses"]

Solver = Callable[[FloatArray], FloatArray]

_STEPS = 60
_STALLED = 8  # steps without a better gap after which rounding has the last word
_CLOSE = 1e-7  # gap below which it falls at every step but for rounding; at 1e-4 fits are given up too early
_COLD, _WARM = 0.1, 1e-3  # least slack at the start; a start of 1e-3 without masses near the answer diverges
_EVEN = 0.01  # mass spread evenly over given masses, without which new points could not enter
_BOUNDARY = 0.995  # part of the way to the boundary a step may go; customary, 0.9 costs a few steps more
_RIDGE = 1e-16  # relative to the mean diagonal of the Hessian; 1e-13 keeps the gap from falling below 1e-9
_CENTRING = 0.1  # least barrier by mass-weighted residual; 0 lets the barrier run away from the residual


class Likelihood(Protocol):
    """A concave function sum_i p_i log (K q)_i of masses q, by what Newton's method needs of it."""

    @property
    def size(self) -> int:
        """Number of masses."""

    def mixture(self, masses: FloatArray) -> FloatArray:
        """K q at each node."""

    def ratios(self, mixture: FloatArray) -> FloatArray:
        """Differentiate by each mass: at most 1 at the optimum, and 1 where mass is."""

    def solver(self, mixture: FloatArray, diagonal: FloatArray) -> Solver:
        """Solver for the negative Hessian with a diagonal added."""


@dataclass(frozen=True)
class LocalLikelihood:
    """Padded rows of bells that each node sees, `counts[i]` of them from `first[i]` on."""

    rows: FloatArray
    first: IntArray
    counts: IntArray
    weights: FloatArray
    size: int

    def mixture(self, masses: FloatArray) -> FloatArray:
        """K q at each node."""
        return np.asarray(row_sums(self.rows, self.first, self.counts, masses))

    def ratios(self, mixture: FloatArray) -> FloatArray:
        """Differentiate by each mass."""
        weights = self.weights / mixture
        return np.asarray(row_products(self.rows, self.first, self.counts, weights, self.size))

    def solver(self, mixture: FloatArray, diagonal: FloatArray) -> Solver:
        """Banded Cholesky factorisation."""
        weights = self.weights / mixture**2
        band = hessian_band(self.rows, self.first, self.counts, weights, self.size)
        band[:, 0] += diagonal + _RIDGE * float(band[:, 0].mean())
        if not banded_cholesky(band):
            raise np.linalg.LinAlgError("the Hessian is not positive definite")
        return lambda right: np.asarray(solve_banded(band, right))


@dataclass(frozen=True)
class DenseLikelihood:
    """A full kernel matrix of shape (nodes, masses)."""

    kernel: FloatArray
    weights: FloatArray

    @property
    def size(self) -> int:
        """Number of masses."""
        return int(self.kernel.shape[1])

    def mixture(self, masses: FloatArray) -> FloatArray:
        """K q at each node."""
        return np.asarray(self.kernel @ masses)

    def ratios(self, mixture: FloatArray) -> FloatArray:
        """Differentiate by each mass."""
        return np.asarray((self.weights / mixture) @ self.kernel)

    def solver(self, mixture: FloatArray, diagonal: FloatArray) -> Solver:
        """Cholesky factorisation."""
        scaled = self.kernel * (np.sqrt(self.weights) / mixture)[:, None]
        hessian = scaled.T @ scaled
        np.fill_diagonal(hessian, hessian.diagonal() * (1 + _RIDGE) + diagonal)
        factor = scipy.linalg.cho_factor(hessian, overwrite_a=True, check_finite=False)
        return lambda right: scipy.linalg.cho_solve(factor, right, check_finite=False)


@dataclass(frozen=True)
class Masses:
    """Masses, and how far the largest ratio lies above 1 (its logarithm bounds the loss of likelihood)."""

    masses: FloatArray
    gap: float
    iterations: int


def fit_masses(problem: Likelihood, tolerance: float, start: FloatArray | None = None) -> Masses:
    """Maximise sum_i p_i log (K q)_i over masses q >= 0 of sum one, from masses near the answer if given."""
    even = np.full(problem.size, 1.0 / problem.size)
    q = even if start is None else (1 - _EVEN) * start + _EVEN * even
    z = np.maximum(1.0 - problem.ratios(problem.mixture(q)), _COLD if start is None else _WARM)
    floor = 0.01 * tolerance / problem.size
    best, stalled = Masses(q, np.inf, 0), 0
    for step in range(_STEPS):
        mixture = problem.mixture(q)
        slack = 1.0 - problem.ratios(mixture)
        gap = max(float(np.log1p(-slack.min()) + np.log(q.sum())), 0.0)
        stalled = stalled + 1 if gap >= best.gap and best.gap < _CLOSE else 0
        if gap < best.gap:
            best = Masses(q / q.sum(), gap, step)
        if gap < tolerance or stalled >= _STALLED:
            break
        barrier = max(floor, _CENTRING * float(q @ np.abs(z - slack)) / q.size)
        q, z = _newton_step(problem.solver(mixture, z / q), slack, q, z, barrier)
    return best


def _newton_step(
    solve: Solver, slack: FloatArray, q: FloatArray, z: FloatArray, floor: float
) -> tuple[FloatArray, FloatArray]:
    """Mehrotra's predictor and corrector towards slack = z, q z = mu."""

    def direction(target: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        dq = solve(target / q - slack)
        return dq, target / q - z - z / q * dq

    dq, dz = direction(0.0)
    along, above = _longest(q, dq), _longest(z, dz)
    mu = float(q @ z) / q.size
    ahead = float((q + along * dq) @ (z + above * dz)) / q.size
    target = max(mu * (ahead / mu) ** 3, floor)
    dq, dz = direction(target - dq * dz if min(along, above) > 0.1 else target)
    return q + _longest(q, dq) * dq, z + _longest(z, dz) * dz


def _longest(values: FloatArray, change: FloatArray) -> float:
    falling = change < 0
    if not falling.any():
        return 1.0
    return float(min(1.0, _BOUNDARY * np.min(-values[falling] / change[falling])))
