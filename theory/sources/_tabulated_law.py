"""Block laws with densities, tabulated once.

The densities of a divided element are integrals over the law of the scale: smooth, and dear to evaluate.  On
each side of 0 both are interpolated by polynomials of degree 19 on panels that are cut until the last
coefficients vanish beside the *smallest* value on the panel, so that the table keeps relative digits
everywhere.  Moments are then Gauss-Legendre sums over panels, which integrate a polynomial exactly, about any
point and for cells however narrow.

The catch is u = 0: elements of heavy-tailed laws have a density there that is not smooth, or has a pole.
Panels close in on 0 by powers of two until what is left holds no mass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray
from ._block_law import BlockAtoms, BlockLaw
from .panels import moments_over

__all__ = ["DensityTable", "TabulatedLaw", "chebyshev", "polynomials_at"]

Densities = Callable[[FloatArray], FloatArray]  # (n,) places to (2, n): plain and weighted

_POINTS = 20  # of a panel.  With 12 there are three times as many panels, with 32 evaluation costs more
_AGREEMENT = 1e-13  # last coefficients of a panel, relative to its smallest value
_NOISE = 1e-9  # below this, coefficients that a cut did not shrink are rounding of the density itself
# Of narrow panels, relative to their end, few points are tried first, and the fit is relative to the mean:
# no cell resolves them, and a density that vanishes inside one cannot be followed by relative digits.
_NARROW, _FEW = 0.02, 6
_NOTHING = 1e-18  # share of the mass below which a panel at 0 is not followed further
_UNSEEN = 1e-18  # share of the mass that a narrow panel may miss
_FAINT = 1e-60  # the same for a panel anywhere: remote tails keep their digits down to this
_ROUNDS = 200
_MOST_PANELS = 20_000
_TOWARDS_ZERO = np.array([0.0, 0.0625, 0.125, 0.25, 0.5, 1.0])


@lru_cache
def chebyshev(points: int) -> tuple[FloatArray, FloatArray]:
    """Nodes in (0, 1) of a panel, and the matrix from values there to coefficients."""
    angle = (np.arange(points) + 0.5) * np.pi / points
    matrix = np.cos(np.arange(points)[:, None] * angle) * (2.0 / points)
    matrix[0] *= 0.5
    return 0.5 + 0.5 * np.cos(angle), matrix


class DensityTable:
    """Both densities on one side of 0, as functions of the distance u >= 0 from it."""

    def __init__(self, densities: Densities, edges: FloatArray) -> None:
        self.edges, coefficients = _tabulate(densities, edges)
        self._plain, self._weighted = np.ascontiguousarray(coefficients.transpose(1, 0, 2))

    def plain(self, u: FloatArray) -> FloatArray:
        return self._value(self._plain, u)

    def weighted(self, u: FloatArray) -> FloatArray:
        return self._value(self._weighted, u)

    def _value(self, coefficients: FloatArray, u: FloatArray) -> FloatArray:
        out = np.empty(u.shape)
        polynomials_at(self.edges, coefficients, np.ascontiguousarray(u).reshape(-1), out.reshape(-1))
        return out


@kernel
def polynomials_at(edges: Any, coefficients: Any, places: Any, out: Any) -> None:
    """Value at each place of its panel's Chebyshev polynomial, at least 0; 0 outside the panels."""
    panels, points = coefficients.shape
    for i in range(places.size):
        u = places[i]
        if not edges[0] <= u <= edges[-1]:
            out[i] = 0.0
            continue
        at = min(np.searchsorted(edges, u, side="right"), panels) - 1
        x = (u - edges[at]) / (edges[at + 1] - edges[at])
        x = 4.0 * min(max(x, 0.0), 1.0) - 2.0  # twice the coordinate in (-1, 1): Clenshaw's recurrence
        later, last = coefficients[at, points - 1], 0.0
        for k in range(points - 2, 0, -1):
            later, last = coefficients[at, k] + x * later - last, later
        out[i] = max(coefficients[at, 0] + 0.5 * x * later - last, 0.0)


@dataclass
class _Fit:
    """Panels with the coefficients of both densities, and what each misses by."""

    start: FloatArray
    stop: FloatArray
    coefficients: FloatArray  # (panels, 2, points)
    share: FloatArray  # (panels, 2): mass of each density
    gap: FloatArray
    missed: FloatArray  # (panels, 2): mass that narrow panels may miss


def _fit(densities: Densities, start: FloatArray, stop: FloatArray, points: int) -> _Fit:
    places, matrix = chebyshev(points)
    width = stop - start
    u = start[:, None] + width[:, None] * places
    values = densities(u.ravel()).reshape(2, start.size, points).transpose(1, 0, 2)
    coefficients = np.zeros((start.size, 2, _POINTS))
    coefficients[:, :, :points] = values @ matrix.T
    tail = np.abs(coefficients[:, :, points - 2 : points]).max(axis=2)
    mean = values.mean(axis=2)
    narrow = (width < _NARROW * stop)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(tail > 0.0, tail / np.where(narrow, mean, np.abs(values).min(axis=2)), 0.0)
    return _Fit(
        start,
        stop,
        coefficients,
        mean * width[:, None],
        gap.max(axis=1),
        np.where(narrow, tail * width[:, None], np.inf),
    )


def _first_fit(densities: Densities, edges: FloatArray) -> _Fit:
    """Fit the given panels, the narrow ones with few points where these do."""
    start, stop = edges[:-1], edges[1:]
    narrow = stop - start < _NARROW * stop
    few = _fit(densities, start[narrow], stop[narrow], _FEW)
    narrow[narrow] = few.gap <= _AGREEMENT
    done = few.gap <= _AGREEMENT
    many = _fit(densities, start[~narrow], stop[~narrow], _POINTS)
    return _Fit(*(np.concatenate([getattr(few, n)[done], getattr(many, n)]) for n in _FIELDS))


_FIELDS = ("start", "stop", "coefficients", "share", "gap", "missed")


def _tabulate(densities: Densities, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut panels until polynomials fit; edges of the panels and coefficients, shape (panels, 2, points)."""
    fit = _first_fit(densities, edges)
    before = np.full(fit.start.size, np.inf)
    done: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    mass, count = np.zeros(2), 0
    for _ in range(_ROUNDS):
        total = mass + fit.share.sum(axis=0)
        part = np.max(fit.share / np.where(total > 0.0, total, 1.0), axis=1)
        gap = fit.gap
        rough = (gap > _AGREEMENT) & ((gap > _NOISE) | (gap < before / 1.5)) & (part > _FAINT)
        rough &= (fit.start > 0.0) | (part > _NOTHING)
        rough &= np.max(fit.missed / np.where(total > 0.0, total, 1.0), axis=1) > _UNSEEN
        rough &= fit.stop - fit.start > 8.0 * np.spacing(fit.stop)
        done.append((fit.start[~rough], fit.stop[~rough], fit.coefficients[~rough]))
        mass, count = mass + fit.share[~rough].sum(axis=0), count + gap.size
        if not rough.any():
            break
        if count > _MOST_PANELS:
            raise ValueError(f"the law must be piecewise smooth; {_MOST_PANELS} panels do not resolve it")
        start, stop, before = _cut(fit.start[rough], fit.stop[rough], gap[rough])
        fit = _fit(densities, start, stop, _POINTS)
    order = np.argsort(np.concatenate([a for a, _, _ in done]), kind="stable")
    ends = np.concatenate([b for _, b, _ in done])[order]
    return np.append(edges[0], ends), np.concatenate([c for _, _, c in done])[order]


def _cut(start: FloatArray, stop: FloatArray, gap: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Halves of panels; of one that begins at 0, parts that close in on it."""
    inner = start == 0.0
    halves, middle = ~inner, start + (stop - start) / 2
    graded = [_TOWARDS_ZERO[:-1] * end for end in stop[inner]]
    ends = [_TOWARDS_ZERO[1:] * end for end in stop[inner]]
    left = np.concatenate([start[halves], middle[halves], *graded])
    right = np.concatenate([middle[halves], stop[halves], *ends])
    return (
        left,
        right,
        np.concatenate([gap[halves], gap[halves], np.full(left.size - 2 * halves.sum(), np.inf)]),
    )


class TabulatedLaw(BlockLaw):
    """A block law from its two densities.

    Parameters
    ----------
    densities : callable
        Maps places, shape (n,), to the plain and the weighted density there, shape (2, n), to about 1e-14.
    support : tuple of float
        Finite ends low < 0 < high of the densities.
    cuts : sequence of float
        Places inside the support, 0 apart, where a density is not analytic.
    symmetric : bool
        Whether both densities are even: then only u >= 0 is asked, and mirrored answers agree to the last bit.
    atoms : BlockAtoms, optional
        Points with mass.
    """

    def __init__(
        self,
        densities: Densities,
        support: tuple[float, float],
        *,
        cuts: Sequence[float] = (),
        symmetric: bool = False,
        atoms: BlockAtoms | None = None,
    ) -> None:
        low, high = support
        self.support, self.atoms = support, atoms if atoms is not None else BlockAtoms()
        self.breakpoints = tuple(sorted({low, high, 0.0, *cuts}))
        self._upper = DensityTable(densities, _side(cuts, high))
        self._lower = self._upper
        if not symmetric:
            self._lower = DensityTable(lambda u: densities(-u), _side([-cut for cut in cuts], -low))

    def density(self, u: FloatArray) -> FloatArray:
        """Density of the plain law between the atoms."""
        return np.where(u < 0.0, self._lower.plain(-u), self._upper.plain(u))

    def distortion_density(self, u: FloatArray) -> FloatArray:
        """Density of the weighted measure between the atoms."""
        return np.where(u < 0.0, self._lower.weighted(-u), self._upper.weighted(u))

    def smooth_moments(self, lower: FloatArray, upper: FloatArray, about: FloatArray) -> FloatArray:
        """Weighted moments about points without the atoms."""
        return self._moments(lower, upper, about, weighted=True)

    def smooth_probability(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Plain mass without the atoms."""
        mass: FloatArray = self._moments(lower, upper, np.zeros_like(lower), weighted=False)[0]
        return mass

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray, *, weighted: bool) -> FloatArray:
        out = np.zeros((3, a.size))
        above, below = (b > 0.0).nonzero()[0], (a < 0.0).nonzero()[0]
        if above.size:
            ends = np.maximum(a[above], 0.0), b[above]
            out[:, above] += _over(self._upper, *ends, c[above], weighted)
        if below.size:
            ends = np.maximum(-b[below], 0.0), -a[below]
            part = _over(self._lower, *ends, -c[below], weighted)
            part[1] *= -1.0
            out[:, below] += part
        return out


def _side(cuts: Sequence[float], end: float) -> FloatArray:
    return np.unique([0.0, *(cut for cut in cuts if 0.0 < cut < end), end])


def _over(table: DensityTable, a: FloatArray, b: FloatArray, c: FloatArray, weighted: bool) -> FloatArray:
    """Moments of cells with 0 <= a <= b; a panel's rule does not depend on the cells beside it."""
    density = table.weighted if weighted else table.plain
    return moments_over(density, table.edges, a, b, c)
