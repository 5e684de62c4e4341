"""Densities that are tabulated once, as piecewise Chebyshev series of their logarithm.

The logarithm keeps the relative accuracy of tails of any kind: a power is as easy as an exponential.  A panel
is cut until the last coefficients of its series are negligible in proportion to the mass it holds, and until
the density varies so little over it that products of two such densities are integrated by sixteen nodes.  A
factor that is singular at an end (a power of the distance) is split off and never tabulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import FloatArray
from ._panel_series import DEGREE, panel_points, series_values
from .quadrature import legendre_rule

__all__ = ["TOLERANCE", "PanelDensity", "fit_density", "points_on"]

Logarithm = Callable[[FloatArray], FloatArray]

_FLOOR = -690.0  # logarithm that stands for a density of zero: its exponential is still a normal number
TOLERANCE = 2e-14  # error of a panel's logarithm times its share of the mass
_LOOSE = 1e-6  # error of a panel's logarithm that no small share excuses
_VARIATION = 6.0  # nats over a panel: 16 nodes integrate a product of two such densities to rounding
_NEGLIGIBLE = 1e-18  # share of the mass below which panels at the ends are dropped
_ROUNDS = 80
_MOST_PANELS = 500  # more cost minutes

_POINTS = np.cos(np.pi * (np.arange(DEGREE) + 0.5) / DEGREE)
_TO_SERIES = np.cos(np.arange(DEGREE) * np.arccos(_POINTS)[:, None]) * (2.0 / DEGREE)
_TO_SERIES[:, 0] /= 2.0
# Integrals over (-1, 1) of the Chebyshev polynomials, through the nodes: Fejer's first rule.
_FEJER = _TO_SERIES[:, ::2] @ (2.0 / (1.0 - np.arange(0.0, DEGREE, 2.0) ** 2))


@dataclass(frozen=True, eq=False)
class PanelDensity:
    """A density: exp(series) on panels between ascending edges, times a known factor; 0 outside.

    Attributes
    ----------
    edges : ndarray, shape (n + 1,)
    series : ndarray, shape (n, 16)
        Chebyshev coefficients on each panel.
    power : float
        Power of the factor: of the coordinate for radii, of its cosine for angles.
    """

    edges: FloatArray
    series: FloatArray
    power: float = 0.0

    def logarithm(self, x: FloatArray) -> FloatArray:
        """Logarithm of the density without its factor at points within the edges."""
        return np.asarray(series_values(self.edges, self.series, np.ascontiguousarray(x)))

    def times(self, factor: float) -> PanelDensity:
        """Return the density times a number."""
        series = self.series.copy()
        series[:, 0] += math.log(factor)
        return PanelDensity(self.edges, series, self.power)

    def until(self, reach: float) -> PanelDensity:
        """Return the density without the panels that begin at `reach` or beyond."""
        count = max(1, int(np.searchsorted(self.edges[:-1], reach)))
        return PanelDensity(self.edges[: count + 1], self.series[:count], self.power)

    @cached_property
    def nodes(self) -> tuple[FloatArray, FloatArray]:
        """Points and weights, each (nodes, panels), of a quadrature over the panels."""
        points, weights = legendre_rule(24)
        width = np.diff(self.edges)
        return self.edges[:-1] + points * width, weights * width


def fit_density(
    log_density: Logarithm,
    edges: FloatArray,
    *,
    power: float = 0.0,
    log_base: Logarithm | None = None,
    singular: float = 0.0,
    weight: Logarithm | None = None,
    tolerance: float = TOLERANCE,
    most: int = _MOST_PANELS,
) -> PanelDensity:
    """Tabulate a density, given its logarithm (-inf where it is 0), on panels that start from `edges`.

    The factor split off is exp(power log_base(x)), singular at one end; `weight` says how much a place counts
    beside its mass.

    Raises
    ------
    ValueError
        If hundreds of panels do not resolve it.
    """
    start, stop = edges[:-1], edges[1:]
    before, found, total, rounds = np.full(start.size, np.inf), [], 0.0, 0
    while start.size:
        rounds += 1
        x, slope = points_on(start, stop, _POINTS)
        value = np.nan_to_num(log_density(x.ravel()), nan=_FLOOR, posinf=_FLOOR, neginf=_FLOOR)
        value = np.maximum(value, _FLOOR).reshape(x.shape)
        smooth = value - power * log_base(x) if power and log_base else value
        series = smooth.T @ _TO_SERIES
        mass = _FEJER @ (np.exp(value) * slope * (weight(x) if weight else 1.0))
        share = mass / max(total + float(mass.sum()), 1e-300)
        error = np.abs(series[:, -3:]).sum(axis=1)
        at_end = (power != 0.0) & ((start == singular) | (stop == singular))
        wide = np.where(at_end, np.ptp(smooth, axis=0), np.ptp(value, axis=0)) > _VARIATION
        wide &= share > _NEGLIGIBLE
        # What a cut did not reduce is the density's own noise.
        noise = (error < 1e-9) & (error > before / 2.0) & (start > edges[0]) & (stop < edges[-1])
        loose = _LOOSE * (tolerance / TOLERANCE) ** 0.5
        rough = (error > np.minimum(tolerance / np.maximum(share, 1e-300), loose)) & ~noise
        rough &= (error > 4e-15 * np.abs(series).sum(axis=1)) & (share > _NEGLIGIBLE)
        cut = (wide | rough) & (stop - start > 1e-14 * stop) & (rounds < _ROUNDS)
        found.append((start[~cut], stop[~cut], series[~cut], mass[~cut]))
        total += float(mass[~cut].sum())
        if sum(part[0].size for part in found) + cut.sum() > most:
            raise ValueError(f"the density must be piecewise smooth; {most} panels do not resolve it")
        start, stop, before = start[cut], stop[cut], np.repeat(error[cut], 2)
        middle = _middle(start, stop)
        start, stop = np.stack([start, middle], 1).ravel(), np.stack([middle, stop], 1).ravel()
    return _assembled(found, power)


def points_on(start: FloatArray, stop: FloatArray, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of panels by their coordinates in (-1, 1), (points, panels), and how fast they move with it."""
    x = np.empty((points.size, start.size))
    for k in range(start.size):
        x[:, k] = panel_points(np.array([start[k], stop[k]]), points)[:, 0]
    wide = (start > 0.0) & (stop > 1.5 * start)
    ratio = np.log(np.where(wide, stop, 1.0) / np.where(wide, start, 1.0))
    return x, np.where(wide, 0.5 * ratio * x, 0.5 * (stop - start))


def _middle(start: FloatArray, stop: FloatArray) -> FloatArray:
    """Return where to cut panels: in ratio where they span decades, in halves elsewhere."""
    with np.errstate(all="ignore"):
        ratio = np.sqrt(start) * np.sqrt(stop)
    middle = np.where((start > 0.0) & (stop > 6.0 * start), ratio, 0.5 * (start + stop))
    return np.where(start == 0.0, 0.2 * stop, middle)


def _assembled(
    found: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]], power: float
) -> PanelDensity:
    start, stop, series, mass = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(start)
    start, stop, series, mass = start[order], stop[order], series[order], mass[order]
    kept = np.flatnonzero(mass > _NEGLIGIBLE * mass.sum())
    first, last = int(kept[0]), int(kept[-1]) + 1
    edges = np.append(start[first:last], stop[last - 1])
    return PanelDensity(edges, np.ascontiguousarray(series[first:last]), power)
