"""Nodes over the law of the largest magnitude of a block, shared by its exact and its stored scale.

Everything about the largest of B elements is an integral over log m.  The integrand is analytic between the
logarithms of the breakpoints of |X|, and is integrated by 24-point Gauss-Legendre panels, cut until they agree
with their parts for every use that is made of them: the element as the largest, and the density of another
element at many fractions of it.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from .._typing import FloatArray
from ._tabulated_law import DensityTable
from .base import Source
from .panels import moments_over
from .quadrature import legendre_rule

__all__ = ["ExtremeNodes", "Magnitude", "SignedExtreme"]

_SPAN = (-100.0, 105.0)  # of log m from the source's quartile: beyond e^105 = 4e45 closed forms take over
_GRID = 0.25  # of the search for where the integrand lives; the search must not miss a peak
_NEGLIGIBLE = 1e-19  # share of an integral that a step of the grid at either end may hold
_AGREEMENT = 2e-15  # of a panel with its halves, relative to the whole integral; its halves are better by far
_ROUNDING = 4.5e-16
_PANEL = 3.0  # length of a panel before it is cut
_ROUNDS = 12  # of cutting: panels of 3 become as short as 7e-4
# Places at which the quadrature is tried: the rest of (0, 1) lies between them.
_TESTS = np.concatenate([10.0 ** -np.arange(45.0, 1.0, -2.0), np.arange(1.0, 11.0) / 10.0])
_NOWHERE = 1e-16  # part of E[X^2] beyond the span that is not worth closed forms


class Magnitude:
    """The law of |X|, elements taken out included, as functions of m >= 0."""

    def __init__(self, source: Source, zeros: float) -> None:
        self.source, self.zeros, self.kept = source, zeros, 1.0 - zeros
        low, high = source.support
        self.end = max(-low, high)
        points = {abs(point) for point in (*source.breakpoints, low, high)}
        self.breakpoints = sorted(point for point in points if 0.0 < point < math.inf)
        quartiles = np.abs([*source.ppf([0.25, 0.75])])
        self.unit = float(quartiles.max())

    def log_cdf(self, m: FloatArray) -> FloatArray:
        """Log of P(|X| <= m)."""
        above = self.source.sf(m)
        outside = self.kept * (2.0 * above if self.source.symmetric else above + self.source.cdf(-m))
        out = np.log1p(-np.minimum(outside, 0.9))
        middle = outside > 0.9
        if middle.any():  # where the small probability is that of the inside
            inside = self.zeros + self.kept * self.source.probability(-m[middle], m[middle])
            with np.errstate(divide="ignore"):
                out[middle] = np.log(inside)
        return out

    def power_between(self, low: FloatArray, high: FloatArray, power: float) -> FloatArray:
        """Difference of P(|X| <= m)^power between low and high, without cancellation."""
        below, upto = power * self.log_cdf(low), power * self.log_cdf(high)
        with np.errstate(invalid="ignore"):
            return np.where(upto > below, -np.exp(upto) * np.expm1(below - upto), 0.0)


class SignedExtreme:
    """Probability that the extreme of so many elements has its magnitude in an interval, by sign."""

    def __init__(self, magnitude: Magnitude, count: float, far: float) -> None:
        self._magnitude, self._count, self._far = magnitude, count, far
        self.even = magnitude.source.symmetric

    def between(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Probabilities of (low, high] for positive and negative extremes, shape (2, n)."""
        both = self._magnitude.power_between(low, high, self._count)
        if self.even:
            return np.stack([0.5 * both, 0.5 * both])
        return self._shares(low, high) * both

    def _shares(self, low: FloatArray, high: FloatArray) -> FloatArray:
        table, zeros = self._table, np.zeros_like(low)
        parts = np.stack(
            [moments_over(f, table.edges, low, high, zeros)[0] for f in (table.plain, table.weighted)]
        )
        total = parts.sum(axis=0)
        return np.asarray(parts / np.where(total > 0.0, total, 1.0))

    @cached_property
    def _table(self) -> DensityTable:
        magnitude = self._magnitude

        def densities(m: FloatArray) -> FloatArray:
            f = np.stack([magnitude.source.pdf(m), magnitude.source.pdf(-m)])
            return np.asarray(f * np.exp((self._count - 1.0) * magnitude.log_cdf(m)))

        edges = self._far * np.append(0.0, 0.5 ** np.arange(200.0, -1.0, -1.0))
        inner = [point for point in magnitude.breakpoints if point < self._far]
        return DensityTable(densities, np.unique([*edges, *inner]))


class ExtremeNodes:
    """Nodes for the largest magnitude of `size` elements.

    Attributes
    ----------
    edges : ndarray, shape (panels + 1,)
        Panels in log m.
    m : ndarray, shape (n,)
        Nodes.
    others, own : ndarray, shape (2, n)
        With the quadrature's weights, for positive and negative extremes: the largest of size - 1 other
        elements is m; an element is m and larger than size - 1 others.
    far : float
        Where the nodes end.
    beyond : ndarray, shape (2,)
        What elements above and below the far ends add to E[X^2], where that is worth counting.
    """

    def __init__(self, magnitude: Magnitude, size: float) -> None:
        self.magnitude, self.size = magnitude, size
        source = magnitude.source
        self.kinks = np.array([x for x in source.breakpoints if 0.0 < abs(x) < magnitude.end])
        edges = self.edges = self._refined(self._first_edges())
        nodes, weights = legendre_rule(24)
        t = (edges[:-1] + nodes * np.diff(edges)).ravel()
        width = (weights * np.diff(edges)).ravel()
        self.m = np.exp(t)
        others, own = self.measures(self.m)
        self.others, self.own = others * width, own * width
        self.far = math.exp(edges[-1])
        ends = ((self.far, math.inf), (-math.inf, -self.far))
        beyond = np.array([float(source.partial_moments(*end)[2]) for end in ends])
        beyond *= magnitude.kept
        self.beyond = beyond if beyond.sum() > _NOWHERE * source.std**2 else np.zeros(2)

    def measures(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Per unit of log m and for each sign of it: the largest other element, and the element as largest."""
        magnitude, size = self.magnitude, self.size
        with np.errstate(all="ignore"):
            log_cdf = magnitude.log_cdf(m)
            f = magnitude.kept * np.stack([magnitude.source.pdf(m), magnitude.source.pdf(-m)]) * m
            others = f * ((size - 1.0) * np.exp((size - 2.0) * log_cdf))
            own = f * np.exp((size - 1.0) * log_cdf)
        return np.where(others > 0.0, others, 0.0), np.where(own > 0.0, own, 0.0)

    def _rows(self, t: FloatArray) -> FloatArray:
        """Every kind of integrand that matters at log m = t, shape (n, kinds): densities at many u, atoms."""
        m = np.exp(t)
        others, own = self.measures(m)
        total, signs = others.sum(axis=0), [1.0] if self.magnitude.source.symmetric else [1.0, -1.0]
        with np.errstate(all="ignore"):
            tests = _TESTS[-1:] if self.kinks.size else _TESTS
            f = [self.magnitude.source.pdf(np.multiply.outer(m, sign * tests)) for sign in signs]
        plain = [total[:, None] * m[:, None] * part for part in f]
        columns = [*plain, *(part * (m * m)[:, None] for part in plain), own.T, (own * m * m).T]
        return np.asarray(np.nan_to_num(np.concatenate(columns, axis=1), posinf=0.0))

    def _first_edges(self) -> FloatArray:
        """Panels over all of log m where some integrand lives, cut at the breakpoints."""
        magnitude = self.magnitude
        centre = math.log(magnitude.unit)
        stop = min(centre + _SPAN[1], math.log(magnitude.end) if magnitude.end < math.inf else math.inf)
        grid = np.arange(centre + _SPAN[0], stop, _GRID)
        if magnitude.end < math.inf:  # the largest of many elements of a bounded law is close to its end
            grid = np.unique(np.concatenate([grid, stop - 0.5 ** np.arange(2.0, 48.0), [stop]]))
        rows = self._rows(grid) * np.gradient(grid)[:, None]
        alive = np.flatnonzero((rows > _NEGLIGIBLE * rows.sum(axis=0)).any(axis=1))
        low, high = grid[max(alive[0] - 1, 0)], grid[min(alive[-1] + 1, grid.size - 1)]
        count = max(math.ceil((high - low) / _PANEL), 1)
        inner = [math.log(point) for point in magnitude.breakpoints if low < math.log(point) < high]
        return np.unique(np.concatenate([np.linspace(low, high, count + 1), inner]))

    def _refined(self, edges: FloatArray) -> FloatArray:
        """Cut panels until they agree with their halves in every integrand."""
        start, stop, found = edges[:-1], edges[1:], [edges]
        total = self._panel_sums(start, stop).sum(axis=0)
        # Close to the end of a bounded law the rounding of m itself moves P(|X| > m), which `size` multiplies.
        agreement = _AGREEMENT + (self.size * _ROUNDING if self.magnitude.end < math.inf else 0.0)
        for _ in range(_ROUNDS):
            middle = start + (stop - start) / 2
            halves = self._panel_sums(start, middle) + self._panel_sums(middle, stop)
            gap = np.abs(self._panel_sums(start, stop) - halves)
            rough = (gap > agreement * total).any(axis=1)
            if not rough.any():
                break
            found.append(middle[rough])
            start = np.concatenate([start[rough], middle[rough]])
            stop = np.concatenate([middle[rough], stop[rough]])
        return np.unique(np.concatenate(found))

    def _panel_sums(self, start: FloatArray, stop: FloatArray) -> FloatArray:
        nodes, weights = legendre_rule(24)
        t = start + nodes * (stop - start)
        rows = self._rows(t.ravel()).reshape(*t.shape, -1)
        return np.asarray((rows * weights[:, :, None]).sum(axis=0) * (stop - start)[:, None])
