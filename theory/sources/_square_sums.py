"""The law of a sum of squares of independent copies, for any number of them.

The root R of the sum of n squares is a radius in n dimensions.  Those of n and m squares join to that of n + m
by an integral along a quarter circle,

    k_(n+m)(r) = r * integral over t in (0, pi/2) of k_n(r sin t) k_m(r cos t),

in which everything is positive: no digits are lost in any tail, however heavy, and about 2 log2(n) joins reach
every n.  Each law is tabulated as panels of its logarithm (`_panel_density`).  Radii are in units of the root
mean square of one element.

Laws with atoms only (measured data) are replaced by a density that is log-linear in bins and keeps mass and
mean magnitude of each.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from .._typing import FloatArray
from ._panel_density import TOLERANCE, PanelDensity, fit_density, points_on
from ._panel_series import series_values
from ._radial_kernels import circle_integrals
from .base import Source
from .panels import landmarks
from .quadrature import legendre_rule
from .scale_family import ScaleFamily

__all__ = ["Elements", "SquareSum", "elements_of"]

_FAR = 1e10  # magnitude, in rms, beyond which a power tail is not tabulated
_BINS = 96  # of measured data
_BINNED = 1e-5  # tolerance of sums of these: hundreds of small jumps are not followed
_KINKED = 6  # squares in a sum up to which kinks of the element's density are worth a panel's edge
_TINY = 1e-300


def _log(x: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x))


def _importance(r: FloatArray) -> FloatArray:
    return 1.0 + r * r


@dataclass(frozen=True, eq=False)
class SquareSum:
    """Law of the root of a sum of `count` squares: an atom at 0 (elements taken out) and a density.

    Attributes
    ----------
    count : int
    density : PanelDensity
        Of mass 1 - atom.
    atom : float
        Probability that all squares are zero.
    kinks : tuple of float
        Where the density is not analytic.
    tolerance : float
        Of the tabulation.
    defect : float
        How far the mass was from 1 before it was set to it: the tabulation's error.
    """

    count: int
    density: PanelDensity
    atom: float
    kinks: tuple[float, ...]
    tolerance: float
    defect: float = 0.0

    @cached_property
    def _tails(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mass below and above each edge, and the share of its panel's mass below a point, as series."""
        density = self.density
        points = np.cos(np.pi * (np.arange(24) + 0.5) / 24)
        x, slope = points_on(density.edges[:-1], density.edges[1:], points)
        values = np.exp(self.log_density(x.ravel())).reshape(x.shape) * slope
        chebyshev = np.polynomial.chebyshev
        series = chebyshev.chebint(chebyshev.chebfit(points, values, 23), lbnd=-1.0).T
        mass = series.sum(axis=1)
        below = np.concatenate([[0.0], np.cumsum(mass)]) + self.atom
        above = np.concatenate([np.cumsum(mass[::-1])[::-1], [0.0]])
        return below, above, np.ascontiguousarray(series)

    def log_density(self, r: FloatArray) -> FloatArray:
        """Logarithm of the density of the root, -inf outside its panels."""
        density = self.density
        value = density.logarithm(r)
        if density.power:
            value = value + density.power * _log(r)
        return np.where((r >= density.edges[0]) & (r <= density.edges[-1]), value, -np.inf)

    def between(self, square_low: FloatArray, square_high: FloatArray) -> FloatArray:
        """Probability that the sum of squares lies in (square_low, square_high], negative ends allowed."""
        below, above, series = self._tails
        edges = self.density.edges
        low = np.sqrt(np.maximum(square_low, 0.0)).ravel()
        high = np.sqrt(np.maximum(square_high, 0.0)).ravel()
        parts = []
        for r in (np.clip(low, edges[0], edges[-1]), np.clip(high, edges[0], edges[-1])):
            panel = np.clip(np.searchsorted(edges, r, side="right") - 1, 0, edges.size - 2)
            inner = series_values(edges, series, r)
            under = np.where(r <= edges[0], self.atom, below[panel] + inner)
            over = np.where(r >= edges[-1], 0.0, above[panel] - inner)
            parts.append((under, over))
        (low_under, low_over), (high_under, high_over) = parts
        inside = np.where(high_under < 0.5, high_under - low_under, low_over - high_over)
        jump = self.atom * ((square_low.ravel() < 0.0) & (square_high.ravel() >= 0.0))
        inside = np.where(square_high.ravel() > 0.0, np.maximum(inside, 0.0), 0.0) + jump
        return np.asarray(inside.reshape(square_low.shape))

    @cached_property
    def mean(self) -> float:
        """Mean of the root."""
        x, weights = self.density.nodes
        return float((np.exp(self.log_density(x.ravel())).reshape(x.shape) * weights * x).sum())


def _joined(a: SquareSum, b: SquareSum) -> SquareSum:
    """Law of the root of both sums together."""
    if a.count < b.count:
        a, b = b, a
    da, db = a.density, b.density
    atoms = a.atom > 0.0 or b.atom > 0.0
    low, high = math.hypot(da.edges[0], db.edges[0]), math.hypot(da.edges[-1], db.edges[-1])
    high = min(high, _FAR)  # beyond, the cut of one element would show
    if atoms:
        low = min(da.edges[0], db.edges[0], low)
    power = 1.0 + da.power + db.power
    points, weights = (column[:, 0].copy() for column in legendre_rule(16))

    def log_density(r: FloatArray) -> FloatArray:
        circle = circle_integrals(
            r, da.edges, da.series, da.power, db.edges, db.series, db.power, a is b, points, weights
        )
        value = _log(circle) + _log(r) + (power - 1.0) * _log(np.minimum(r, 1.0))
        if a.atom > 0.0:
            value = np.logaddexp(value, math.log(a.atom) + b.log_density(r))
        if b.atom > 0.0:
            value = np.logaddexp(value, math.log(b.atom) + a.log_density(r))
        return value

    kinks = _joined_kinks(a, b)
    marks = da.edges[::2] * math.sqrt((a.count + b.count) / a.count)
    edges = np.unique(np.clip(np.concatenate([[low, high], marks, kinks]), low, high))
    split = power if low == 0.0 and not atoms else 0.0
    tolerance = max(a.tolerance, b.tolerance)
    density = fit_density(
        log_density, edges, power=split, log_base=_log, weight=_importance, tolerance=tolerance
    )
    return _normalised(a.count + b.count, density, a.atom * b.atom, kinks, tolerance)


def _joined_kinks(a: SquareSum, b: SquareSum) -> tuple[float, ...]:
    if a.count + b.count > _KINKED:
        return ()
    sums = {math.hypot(x, y) for x in a.kinks for y in b.kinks} | set(a.kinks) | set(b.kinks)
    return tuple(sorted(sums))[:200]


def _normalised(
    count: int, density: PanelDensity, atom: float, kinks: tuple[float, ...], tolerance: float
) -> SquareSum:
    law = SquareSum(count, density, atom, kinks, tolerance)
    x, weights = density.nodes
    mass = float((np.exp(law.log_density(x.ravel())).reshape(x.shape) * weights).sum())
    factor = (1.0 - atom) / mass
    return SquareSum(count, density.times(factor), atom, kinks, tolerance, factor - 1.0)


@dataclass(frozen=True, eq=False)
class Elements:
    """One element of a block, in units of its root mean square, and the sums of squares of its copies.

    Attributes
    ----------
    unit : float
        Root mean square, in the units of the source asked about.
    plus, minus : PanelDensity or None
        Densities of the element at x >= 0 and of its negative; the same object for a symmetric law.
    kinks : tuple of float
        Magnitudes where a density is not analytic.
    tolerance : float
        Of the tabulation of sums.
    """

    unit: float
    plus: PanelDensity | None
    minus: PanelDensity | None
    folded: PanelDensity
    kinks: tuple[float, ...]
    tolerance: float = TOLERANCE
    _sums: dict[tuple[int, float], SquareSum] = field(default_factory=dict, repr=False)

    def square_sum(self, count: int, zeros: float = 0.0) -> SquareSum:
        """Law of the root of the sum of `count` squares, each taken out with probability `zeros`."""
        key = (count, zeros)
        if key not in self._sums:
            if count == 1:
                kept = self.folded.times(1.0 - zeros) if zeros else self.folded
                self._sums[key] = _normalised(1, kept, zeros, self.kinks, self.tolerance)
            else:
                rest = count // 2 if count % 2 == 0 else 1
                self._sums[key] = _joined(self.square_sum(count - rest, zeros), self.square_sum(rest, zeros))
        return self._sums[key]


def elements_of(source: Source) -> Elements:
    """Tabulate the element of a source; laws that differ in scale alone share one table."""
    if isinstance(source, ScaleFamily):
        shared = _tabulated(dataclasses.replace(source, std=1.0))  # type: ignore[type-var]
        return dataclasses.replace(shared, unit=shared.unit * source.std)
    try:
        hash(source)
    except TypeError:
        return _tabulated.__wrapped__(source)
    return _tabulated(source)


@lru_cache(maxsize=16)
def _tabulated(source: Source) -> Elements:
    unit = math.sqrt(source.std**2 + source.mean**2)
    reach = min(_FAR, max(-source.support[0], source.support[1]) / unit)
    if source.discrete:
        return _from_atoms(source, unit, reach)
    points = np.abs([*source.breakpoints, *landmarks(source)]) / unit
    steps = 2.0 ** np.arange(-4.0, math.log2(_FAR) + 1.0)
    edges = np.unique(np.concatenate([[0.0, reach], points[points < reach], steps[steps < reach]]))
    edges = edges[np.append(True, np.diff(edges) > 1e-12 * edges[1:])]

    def log_density(sign: float) -> PanelDensity | None:
        def logarithm(x: FloatArray) -> FloatArray:
            return np.asarray(source.logpdf(sign * x * unit)) + math.log(unit)

        inside = source.support[1] > 0.0 if sign > 0 else source.support[0] < 0.0
        return fit_density(logarithm, edges, weight=_importance) if inside else None

    plus = log_density(1.0)
    minus = plus if source.symmetric else log_density(-1.0)

    def both(x: FloatArray) -> FloatArray:
        value = np.logaddexp(source.logpdf(x * unit), source.logpdf(-x * unit))
        return np.asarray(value) + math.log(unit)

    folded = plus.times(2.0) if source.symmetric and plus else fit_density(both, edges, weight=_importance)
    kinks = tuple(sorted({abs(point) / unit for point in source.breakpoints if point}))
    return Elements(unit, plus, minus, folded, kinks)


def _from_atoms(source: Source, unit: float, reach: float) -> Elements:
    """Log-linear densities in bins with the mass and the mean magnitude of the atoms in them."""
    shares = np.linspace(0.0, 1.0, _BINS + 1)[1:-1]
    tails = np.concatenate([shares, 1.0 - 0.5 ** np.arange(1.0, 14.0)])
    quantiles = np.abs(np.concatenate([source.ppf(tails / 2.0), source.isf(tails / 2.0)])) / unit
    inner = np.quantile(np.append(quantiles, reach), np.linspace(0.0, 1.0, _BINS + 1)[1:-1])
    edges = np.unique(np.concatenate([[0.0], inner, [reach * (1.0 + 1e-9)]]))
    while (edges[2:] > 1.4 * edges[1:-1]).any():  # panels must be linear in their coordinate
        wide = np.flatnonzero(edges[2:] > 1.4 * edges[1:-1]) + 1
        edges = np.sort(np.append(edges, 0.5 * (edges[wide] + edges[wide + 1])))
    above = source.partial_moments(edges[:-1] * unit, edges[1:] * unit) / [[1.0], [unit], [unit**2]]
    below = source.partial_moments(-edges[1:] * unit, -edges[:-1] * unit) / [[1.0], [-unit], [unit**2]]
    folded = _log_linear(edges, above + below)
    x, weights = folded.nodes
    second = float((np.exp(folded.logarithm(x.ravel())).reshape(x.shape) * weights * x * x).sum())
    edges = edges / math.sqrt(second)  # the second moment of the bins' law is set right
    plus, minus = (
        _log_linear(edges, part / [[1.0], [math.sqrt(second)], [second]]) if part[0].sum() > 0.0 else None
        for part in (above, below)
    )
    folded = _log_linear(edges, (above + below) / [[1.0], [math.sqrt(second)], [second]])
    return Elements(unit, plus, minus, folded, (), _BINNED)


def _log_linear(edges: FloatArray, moments: FloatArray) -> PanelDensity:
    """Match mass and mean of each bin by exp(c + d t) on t in (-1, 1): coth d - 1/d is the mean of t."""
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[:-1] + edges[1:])
    mass = np.maximum(moments[0], _TINY)
    mean = np.clip((moments[1] / mass - middle) / half, -0.7, 0.7)
    mean = np.where(moments[0] > 0.0, mean, 0.0)
    slope = 3.0 * mean
    for _ in range(50):
        safe = np.where(np.abs(slope) < 1e-3, 1.0, slope)
        value = np.where(np.abs(slope) < 1e-3, slope / 3.0, 1.0 / np.tanh(safe) - 1.0 / safe)
        rate = np.where(np.abs(slope) < 1e-3, 1.0 / 3.0, 1.0 / safe**2 - 1.0 / np.sinh(safe) ** 2)
        slope = slope - (value - mean) / rate
    safe = np.where(np.abs(slope) < 1e-3, 1.0, slope)
    area = half * np.where(np.abs(slope) < 1e-3, 2.0 + slope**2 / 3.0, 2.0 * np.sinh(safe) / safe)
    series = np.zeros((half.size, 16))
    series[:, 0], series[:, 1] = np.log(mass / area), slope
    return PanelDensity(edges, series)
