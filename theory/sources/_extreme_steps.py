"""Blocks divided by their largest magnitude (or signed extreme) when that is stored as one of a list of steps.

Given an element x and the step (low, high] -> v that its block's maximum falls into, U = x / v, and what the
others must do is a difference of powers of G(m) = P(|X| <= m).  For absmax the density of U is

    p(u) = sum over steps of v f(u v) [G(high)^(B - 1) - G(low)^(B - 1) where |u v| <= low],  |u v| <= high,

weighted by v^2.  For signmax the largest of the others is told apart by sign.  Between the places low / v and
high / v, where elements begin to be the maximum themselves and where they end, everything is smooth.

In a group of blocks the steps are in units of the group's largest magnitude T.  For each of the nodes over T
the steps are scaled by it; a block that holds T itself is stored with the step of 1.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from .._typing import FloatArray
from ._block_law import BlockAtoms
from ._extreme_bins import Bins, Rings
from ._extreme_nodes import ExtremeNodes, Magnitude, SignedExtreme
from ._tabulated_law import TabulatedLaw
from .base import Source
from .scale_steps import ScaleSteps

__all__ = ["StepsLaw"]

_RARE = 1e-17  # share of a step in probability and mean square below which it is left out
_SAME = 1e-12  # relative distance of places that are one
_CHUNK = 250_000  # values of the density of X at a time


class StepsLaw(TabulatedLaw):
    """Absmax and signmax scales, stored in steps, of elements with a density."""

    def __init__(
        self,
        source: Source,
        block_size: float,
        signed: bool,
        steps: ScaleSteps,
        zeros: float,
        group: float | None,
    ) -> None:
        self._magnitude = Magnitude(source, zeros)
        self._size, self._signed, self._group = block_size, signed, 1.0 if group is None else group
        self._nodes = ExtremeNodes(self._magnitude, block_size * self._group)
        self._extreme = SignedExtreme(self._magnitude, block_size - 1.0, self._nodes.far)
        edges, values, low = _whole(steps, math.inf if group is None else 1.0)
        if group is None:
            self._bins = self._plain_bins(edges, values)
            self._lose(np.array([low]), np.ones(1))
            atoms = self._far_atoms(values[-1])
        else:
            self._bins, atoms = self._group_bins(edges, values, low)
        if zeros > 0.0:
            atoms.append((0.0, zeros, 0.0))
        reach = float((self._bins.high / self._bins.values).max())
        super().__init__(
            self._densities,
            (-reach, reach),
            cuts=self._cuts(reach),
            symmetric=source.symmetric and not signed,
            atoms=_merged(atoms),
        )

    def _plain_bins(self, edges: FloatArray, values: FloatArray) -> Bins:
        edges = np.minimum(edges, self._nodes.far)
        return self._weighed(values, edges[:-1], edges[1:], np.ones(values.size))

    def _weighed(self, values: FloatArray, low: FloatArray, high: FloatArray, weight: FloatArray) -> Bins:
        """Bins worth keeping; the mean stored scale and its square come with them."""
        share = weight * self._magnitude.power_between(low, high, self._size)
        energy = share * values**2
        self.expected_scale, self.expected_square = float((share * values).sum()), float(energy.sum())
        kept = (share > _RARE * share.sum()) | (energy > _RARE * energy.sum())
        kept &= high > low
        low, high, weight = low[kept], high[kept], weight[kept]
        return Bins(values[kept], low, high, weight, weight * self._extreme.between(low, high))

    def _group_bins(
        self, edges: FloatArray, values: FloatArray, lost: float
    ) -> tuple[Bins, list[tuple[float, float, float]]]:
        nodes, size, group = self._nodes, self._size, self._group
        top, power = float(values[-1]), (group - 1.0) * size
        if not edges[-1] >= 1.0 > edges[-2]:
            raise ValueError("steps must store the largest statistic of a group as their last value")
        log_cdf = self._magnitude.log_cdf(nodes.m)
        own = nodes.own.sum(axis=0)  # an element is the group's largest; group * size of them could be
        elsewhere = power * own * np.exp(-size * log_cdf)  # the rest of the group has its largest at T
        here = nodes.others * ((size - 1.0) / (size * group - 1.0))  # another element of the block is T
        self._lose(lost * nodes.m, elsewhere)
        t = nodes.m[:, None]
        bins = self._weighed(
            (t * values).ravel(),
            (t * edges[:-1]).ravel(),
            (t * np.minimum(edges[1:], 1.0)).ravel(),
            np.repeat(elsewhere, values.size),
        )
        self.expected_scale += size * top * float(own @ nodes.m)
        energy = nodes.own @ nodes.m**2 + nodes.beyond
        self.expected_square += size * top**2 * float(energy.sum())
        held = Bins(top * nodes.m, nodes.m, nodes.m, np.zeros(own.size), here)
        held = held.take(here.sum(axis=0) > 0.0)
        bins = bins.joined(held)
        mass, places = nodes.own.sum(axis=1), (1.0 / top, -1.0 / top)
        energy = energy * top**2
        if self._signed:
            return bins, [(places[0], float(mass.sum()), float(energy.sum()))]
        return bins, [(places[i], float(mass[i]), float(energy[i])) for i in (0, 1)]

    def _far_atoms(self, value: float) -> list[tuple[float, float, float]]:
        """Elements beyond the nodes, at their end, with masses that give their mean square."""
        place, beyond = self._nodes.far / value, self._nodes.beyond
        if not beyond.any():
            return []
        if self._signed:
            return [(place, 0.0, float(beyond.sum()) / place**2)]
        return [(side * place, 0.0, float(beyond[i]) / place**2) for i, side in enumerate((1.0, -1.0))]

    def _lose(self, low: FloatArray, weight: FloatArray) -> None:
        """Elements of blocks that are stored as 0."""
        moments = self._magnitude.kept * self._magnitude.source.partial_moments(-low, low)
        with np.errstate(invalid="ignore"):
            others = np.exp((self._size - 1.0) * self._magnitude.log_cdf(low))
        moments = np.where(low > 0.0, moments * np.nan_to_num(weight * others), 0.0)
        self.lost_probability, self.lost_energy = float(moments[0].sum()), float(moments[2].sum())

    def _cuts(self, reach: float) -> list[float]:
        """Places where steps begin, end, or meet a breakpoint; and doublings, as tails are long."""
        bins = self._bins
        points = [bins.low / bins.values, bins.high / bins.values, 2.0 ** np.arange(0.0, 400.0)]
        for kink in {abs(x) for x in self._nodes.kinks}:
            points.append(kink / bins.values)
        places = np.unique(np.concatenate(points))
        places = places[(places > 0.0) & (places < reach * (1.0 - _SAME))]
        places = places[np.append(True, np.diff(places) > _SAME * places[1:])] if places.size else places
        return [*(-places[::-1]), *places]

    def _densities(self, u: FloatArray) -> FloatArray:
        """Plain and weighted density between the atoms."""
        bins, out = self._bins, np.empty((2, u.size))
        columns = max(_CHUNK // bins.values.size, 1)
        weights = np.stack([bins.values, bins.values**3])
        for i in range(0, u.size, columns):
            x = np.multiply.outer(bins.values, u[i : i + columns])
            terms = self._signed_terms(x) if self._signed else self._absolute_terms(x)
            out[:, i : i + columns] = weights @ terms
        return out

    def _absolute_terms(self, x: FloatArray) -> FloatArray:
        bins, size = self._bins, np.abs(x)
        inside = bins.within.sum(axis=0)
        ring = bins.weight * np.exp((self._size - 1.0) * self._magnitude.log_cdf(bins.high))
        chance = np.where(size <= bins.low[:, None], inside[:, None], ring[:, None])
        chance = np.where(size <= bins.high[:, None], chance, 0.0)
        return np.asarray(self._magnitude.kept * self._magnitude.source.pdf(x) * chance)

    def _signed_terms(self, x: FloatArray) -> FloatArray:
        bins, size, source = self._bins, np.abs(x), self._magnitude.source
        same, turned = source.pdf(x), source.pdf(-x)
        low, high = bins.low[:, None], bins.high[:, None]
        within = same * bins.within[0][:, None] + turned * bins.within[1][:, None]
        out = np.where(size <= low, within, 0.0)
        ring = (size > low) & (size <= high)
        at = np.flatnonzero(ring.any(axis=1))
        ring, size, x, same, turned = ring[at], size[at], x[at], same[at], turned[at]
        plus, minus, own = self._rings.values(at, size, ring)
        terms = same * plus + turned * minus + np.where(x > 0.0, (same + turned) * own, 0.0)
        out[at] += np.where(ring, terms * bins.weight[at, None], 0.0)
        return np.asarray(self._magnitude.kept * out)

    @cached_property
    def _rings(self) -> Rings:
        return Rings(self._bins, self._extreme, lambda m: (self._size - 1.0) * self._magnitude.log_cdf(m))


def _whole(steps: ScaleSteps, end: float) -> tuple[FloatArray, FloatArray, float]:
    """Edges and values up to `end`, with a last step for what saturates, and the edge of what is lost."""
    edges, values = steps.edges, steps.values
    if edges[-1] < end:
        edges, values = np.append(edges, end), np.append(values, values[-1])
    used = edges[:-1] < end
    return np.append(edges[:-1][used], end), values[used], float(edges[0])


def _merged(atoms: list[tuple[float, float, float]]) -> BlockAtoms:
    if not atoms:
        return BlockAtoms()
    places, plain, weighted = np.array(sorted(atoms)).T
    return BlockAtoms(places.copy(), plain.copy(), weighted.copy())
