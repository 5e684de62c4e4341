"""Blocks divided by their largest magnitude, kept exactly (absmax), or by that element itself (signmax).

Of an element x and the largest magnitude m of the B - 1 others, the larger one is the scale.  With
G(m) = P(|X| <= m) and f the density of X

    p(u) = integral over m of m f(m u) d G(m)^(B - 1),  |u| < 1,  plain;  with m^3 in place of m weighted,

and what is left is the atom of the element that is the maximum itself.  Signmax turns u with the sign of m.

The catch is heavy tails: Student's t of 2.1 degrees of freedom has a tenth of E[M^2] beyond 1e10 standard
deviations.  What lies beyond 1e45 is added in closed form: there all other elements of the block divide to 0.
"""

from __future__ import annotations

import numpy as np

from .._typing import FloatArray
from ._block_law import BlockAtoms, BlockLaw
from ._extreme_data import DataLaw
from ._extreme_nodes import ExtremeNodes, Magnitude
from ._extreme_steps import StepsLaw
from ._tabulated_law import TabulatedLaw
from .base import Source
from .empirical import Empirical
from .quadrature import legendre_rule
from .scale_steps import ScaleSteps

__all__ = ["ExtremeLaw", "extreme_law"]

_CHUNK = 250_000  # values of f(m u) at a time


def extreme_law(
    source: Source,
    block_size: float,
    signed: bool,
    steps: ScaleSteps | None,
    zeros: float,
    group: float | None,
) -> BlockLaw:
    """Choose the law that answers for absmax and signmax."""
    if source.discrete:
        if not isinstance(source, Empirical) or group is not None:
            raise ValueError(f"source must have a density where scales are grouped, got {source!r}")
        return DataLaw(source, block_size, signed, steps, zeros)
    if steps is None:
        return ExtremeLaw(source, block_size, signed, zeros)
    return StepsLaw(source, block_size, signed, steps, zeros, group)


class ExtremeLaw(TabulatedLaw):
    """Absmax and signmax scales, kept exactly, of elements with a density."""

    def __init__(self, source: Source, block_size: float, signed: bool, zeros: float) -> None:
        self._magnitude = Magnitude(source, zeros)
        self._size, self._signed = block_size, signed
        self._nodes = ExtremeNodes(self._magnitude, block_size)
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

    def _densities(self, u: FloatArray) -> FloatArray:
        """Plain and weighted density at |u| < 1."""
        summed = self._cut_sums if self._nodes.kinks.size else self._sums
        if not self._signed or self._magnitude.source.symmetric:
            return summed(u, slice(0, 2))
        return summed(u, slice(0, 1)) + summed(-u, slice(1, 2))

    def _sums(self, u: FloatArray, signs: slice) -> FloatArray:
        """Densities from the blocks whose largest other element has one of the signs."""
        others = self._nodes.others[signs].sum(axis=0)
        used = others > 0.0
        m, out = self._nodes.m[used], np.zeros((2, u.size))
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
        edges, out = self._nodes.edges, np.zeros((2, u.size))
        rows = max(_CHUNK // (24 * (edges.size + self._nodes.kinks.size)), 1)
        for i in range(0, u.size, rows):
            some = u[i : i + rows]
            with np.errstate(all="ignore"):
                cuts = np.log(self._nodes.kinks[:, None] / some)  # NaN where u is on the other side of 0
            cuts = np.where(np.isnan(cuts), edges[0], np.clip(cuts, edges[0], edges[-1]))
            ends = np.sort(np.concatenate([np.tile(edges[:, None], some.size), cuts]), axis=0)
            width = np.diff(ends, axis=0)
            m = np.exp(ends[:-1] + nodes[:, :, None] * width)
            others = self._nodes.measures(m)[0][signs].sum(axis=0) * m * weights[:, :, None] * width
            terms = self._magnitude.kept * others * self._magnitude.source.pdf(m * some)
            out[0, i : i + rows] = terms.sum(axis=(0, 1))
            out[1, i : i + rows] = (terms * m * m).sum(axis=(0, 1))
        return out

    def _atoms(self) -> BlockAtoms:
        """The element as its own maximum, elements taken out, and what lies beyond the nodes."""
        m, zeros = self._nodes.m, self._magnitude.zeros
        plain, weighted = self._nodes.own.sum(axis=1), self._nodes.own @ (m * m) + self._nodes.beyond
        energy = self._size * float(weighted.sum())
        self.expected_scale = self._size * float(self._nodes.own.sum(axis=0) @ m)
        self.expected_square = energy
        if self._signed:
            places, own = [1.0], [(float(plain.sum()), float(weighted.sum()))]
        else:
            places, own = [-1.0, 1.0], [(plain[1], weighted[1]), (plain[0], weighted[0])]
        if zeros > 0.0:
            places, own = [*places, 0.0], [*own, (zeros, 0.0)]
        if self._nodes.beyond.any():  # there all the other elements divide to nothing
            rest = (self._size - 1.0) * self._magnitude.kept * float(self._nodes.beyond.sum())
            places = [*places, -1.0 / self._nodes.far, 1.0 / self._nodes.far]
            own = [*own, (0.0, rest / 2.0), (0.0, rest / 2.0)]
        order = np.argsort(places)
        masses = np.array(own)[order]
        return BlockAtoms(np.array(places)[order], masses[:, 0].copy(), masses[:, 1].copy())
