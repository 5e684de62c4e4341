"""Blocks divided by their largest magnitude, kept exactly (absmax), or by that element itself (signmax).

Of an element x and the largest magnitude m of the B - 1 others, the larger one is the scale.  With
G(m) = P(|X| <= m) and f the density of X

    p(u) = integral over m of m f(m u) d G(m)^(B - 1),  |u| < 1,  plain;  with m^3 in place of m weighted,

and what is left is the atom of the element that is the maximum itself.  Signmax turns u with the sign of m.
Everything is one integral over log m: the integrand is analytic between the logarithms of the breakpoints of
|X|, and is integrated by 24-point Gauss-Legendre panels, cut until they agree with their parts for all u.

The catch is heavy tails: Student's t of 2.1 degrees of freedom has a tenth of E[M^2] beyond 1e10 standard
deviations.  What lies beyond 1e45 is added in closed form: there all other elements of the block divide to 0.
"""

from __future__ import annotations

import math

import numpy as np

from .._typing import FloatArray
from ._block_law import BlockAtoms, BlockLaw
from ._tabulated_law import TabulatedLaw
from .base import Source
from .quadrature import legendre_rule
from .scale_steps import ScaleSteps

__all__ = ["ExtremeLaw", "extreme_law"]

_SPAN = (-100.0, 105.0)  # of log m from the source's quartile: beyond e^105 = 4e45 closed forms take over
_GRID = 0.25  # of the search for where the integrand lives; the search must not miss a peak
_NEGLIGIBLE = 1e-19  # share of an integral that a step of the grid at either end may hold
_AGREEMENT = 2e-15  # of a panel with its halves, relative to the whole integral; its halves are better by far
_PANEL = 3.0  # length of a panel before it is cut
_ROUNDS = 12  # of cutting: panels of 3 become as short as 7e-4
_CHUNK = 250_000  # values of f(m u) at a time
# Places at which the quadrature is tried: the rest of (0, 1) lies between them.
_TESTS = np.concatenate([10.0 ** -np.arange(45.0, 1.0, -2.0), np.arange(1.0, 11.0) / 10.0])
_NOWHERE = 1e-16  # part of E[X^2] beyond the span that is not worth closed forms


def extreme_law(
    source: Source,
    block_size: float,
    signed: bool,
    steps: ScaleSteps | None,
    zeros: float,
    group: float | None,
) -> BlockLaw:
    """Choose the law that answers for absmax and signmax."""
    return ExtremeLaw(source, block_size, signed, zeros)


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
        outside = self.kept * (self.source.sf(m) + self.source.cdf(-m))
        inside = self.zeros + self.kept * self.source.probability(-m, m)
        with np.errstate(divide="ignore"):
            return np.where(outside < 0.5, np.log1p(-np.minimum(outside, 0.5)), np.log(inside))


class ExtremeLaw(TabulatedLaw):
    """Absmax and signmax scales, kept exactly, of elements with a density."""

    def __init__(self, source: Source, block_size: float, signed: bool, zeros: float) -> None:
        self._magnitude = Magnitude(source, zeros)
        self._size, self._signed = block_size, signed
        self._kinks = np.array([x for x in source.breakpoints if 0.0 < abs(x) < self._magnitude.end])
        self._place_nodes()
        super().__init__(
            self._densities,
            (-1.0, 1.0),
            cuts=self._cuts(),
            symmetric=source.symmetric,
            atoms=self._atoms(),
        )

    def _cuts(self) -> list[float]:
        """Ratios of breakpoints: where the end of one piece of the law meets that of another."""
        points = self._magnitude.breakpoints
        ratios = {a / b for a in points for b in points if a < b}
        return sorted({sign * ratio for ratio in ratios for sign in (-1.0, 1.0)})

    def _place_nodes(self) -> None:
        magnitude = self._magnitude
        edges = self._edges = self._refined(self._first_edges())
        nodes, weights = legendre_rule(24)
        t = (edges[:-1] + nodes * np.diff(edges)).ravel()
        width = (weights * np.diff(edges)).ravel()
        self._m = np.exp(t)
        others, own = self._measures(self._m)
        self._others, self._own = others * width, own * width
        self._far = math.exp(edges[-1])
        ends = ((self._far, math.inf), (-math.inf, -self._far))
        beyond = np.array([float(magnitude.source.partial_moments(*end)[2]) for end in ends])
        beyond *= magnitude.kept
        self._beyond = beyond if beyond.sum() > _NOWHERE * magnitude.source.std**2 else np.zeros(2)

    def _measures(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Per unit of log m and for each sign of it: the largest other element, and the element as largest."""
        magnitude, size = self._magnitude, self._size
        with np.errstate(all="ignore"):
            log_cdf = magnitude.log_cdf(m)
            f = magnitude.kept * np.stack([magnitude.source.pdf(m), magnitude.source.pdf(-m)]) * m
            others = f * ((size - 1.0) * np.exp((size - 2.0) * log_cdf))
            own = f * np.exp((size - 1.0) * log_cdf)
        return np.where(others > 0.0, others, 0.0), np.where(own > 0.0, own, 0.0)

    def _rows(self, t: FloatArray) -> FloatArray:
        """Every kind of integrand that matters at log m = t, shape (n, kinds): densities at many u, atoms."""
        m = np.exp(t)
        others, own = self._measures(m)
        total, signs = others.sum(axis=0), [1.0] if self._magnitude.source.symmetric else [1.0, -1.0]
        with np.errstate(all="ignore"):
            tests = _TESTS[-1:] if self._kinks.size else _TESTS
            f = [self._magnitude.source.pdf(np.multiply.outer(m, sign * tests)) for sign in signs]
        plain = [total[:, None] * m[:, None] * part for part in f]
        columns = [*plain, *(part * (m * m)[:, None] for part in plain), own.T, (own * m * m).T]
        return np.nan_to_num(np.concatenate(columns, axis=1), posinf=0.0)

    def _first_edges(self) -> FloatArray:
        """Panels over all of log m where some integrand lives, cut at the breakpoints."""
        magnitude = self._magnitude
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
        for _ in range(_ROUNDS):
            middle = start + (stop - start) / 2
            halves = self._panel_sums(start, middle) + self._panel_sums(middle, stop)
            gap = np.abs(self._panel_sums(start, stop) - halves)
            rough = (gap > _AGREEMENT * total).any(axis=1)
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

    def _densities(self, u: FloatArray) -> FloatArray:
        """Plain and weighted density at |u| < 1."""
        summed = self._cut_sums if self._kinks.size else self._sums
        if not self._signed or self._magnitude.source.symmetric:
            return summed(u, slice(0, 2))
        return summed(u, slice(0, 1)) + summed(-u, slice(1, 2))

    def _sums(self, u: FloatArray, signs: slice) -> FloatArray:
        """Densities from the blocks whose largest other element has one of the signs."""
        others = self._others[signs].sum(axis=0)
        used = others > 0.0
        m, out = self._m[used], np.zeros((2, u.size))
        kernel = self._magnitude.kept * others[used] * np.stack([m, m**3])
        rows = max(_CHUNK // max(m.size, 1), 1)
        with np.errstate(all="ignore"):
            for i in range(0, u.size, rows):
                out[:, i : i + rows] = kernel @ self._magnitude.source.pdf(
                    np.multiply.outer(m, u[i : i + rows])
                )
        return out

    def _cut_sums(self, u: FloatArray, signs: slice) -> FloatArray:
        """Do the same where f is not smooth inside its support: the panels are cut there for each u."""
        nodes, weights = legendre_rule(24)
        edges, out = self._edges, np.zeros((2, u.size))
        rows = max(_CHUNK // (24 * (edges.size + self._kinks.size)), 1)
        for i in range(0, u.size, rows):
            some = u[i : i + rows]
            with np.errstate(all="ignore"):
                cuts = np.log(self._kinks[:, None] / some)  # NaN where u is on the other side of 0
            cuts = np.where(np.isnan(cuts), edges[0], np.clip(cuts, edges[0], edges[-1]))
            ends = np.sort(np.concatenate([np.tile(edges[:, None], some.size), cuts]), axis=0)
            width = np.diff(ends, axis=0)
            m = np.exp(ends[:-1] + nodes[:, :, None] * width)
            others = self._measures(m)[0][signs].sum(axis=0) * m * weights[:, :, None] * width
            terms = self._magnitude.kept * others * self._magnitude.source.pdf(m * some)
            out[0, i : i + rows] = terms.sum(axis=(0, 1))
            out[1, i : i + rows] = (terms * m * m).sum(axis=(0, 1))
        return out

    def _atoms(self) -> BlockAtoms:
        """The element as its own maximum, elements taken out, and what lies beyond the nodes."""
        m, zeros = self._m, self._magnitude.zeros
        plain, weighted = self._own.sum(axis=1), self._own @ (m * m) + self._beyond
        energy = self._size * float(weighted.sum())
        self.expected_scale = self._size * float(self._own.sum(axis=0) @ m)
        self.expected_square = energy
        if self._signed:
            places, own = [1.0], [(float(plain.sum()), float(weighted.sum()))]
        else:
            places, own = [-1.0, 1.0], [(plain[1], weighted[1]), (plain[0], weighted[0])]
        if zeros > 0.0:
            places, own = [*places, 0.0], [*own, (zeros, 0.0)]
        if self._beyond.any():  # there all the other elements divide to nothing
            rest = (self._size - 1.0) * self._magnitude.kept * float(self._beyond.sum())
            places = [*places, -1.0 / self._far, 1.0 / self._far]
            own = [*own, (0.0, rest / 2.0), (0.0, rest / 2.0)]
        order = np.argsort(places)
        masses = np.array(own)[order]
        return BlockAtoms(np.array(places)[order], masses[:, 0].copy(), masses[:, 1].copy())
