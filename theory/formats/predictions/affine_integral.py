"""The double integral over the range and the minimum of an affine block."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._compiled import kernel
from ..._typing import FloatArray
from ...sources.base import Source
from ..number_types import NumberType
from .affine_panels import Extremes, Nodes, is_fine, nodes_between, rounding_spread, slices

__all__ = ["AffineIntegral"]

_MOST_CELLS = 1 << 18  # evaluated together: some tens of megabytes
# With a stored offset the grid moves through the law, and its peak makes the error ripple with the period of a
# step.  Up to here every ripple is cut; finer grids ripple less, and cutting would take seconds.
_FEW_LEVELS = 32
_WIDE_STEPS = 64  # a step of offsets wider than this share of their range is integrated by itself
_LIGHT = 1e-9  # share of the weight that the lightest nodes may have together to be left out


class AffineIntegral:
    """The double integral over range and minimum of a block."""

    def __init__(
        self,
        source: Source,
        size: float,
        levels: int,
        per_range: float,
        number: NumberType | None,
        rounding: str,
        *,
        integer: bool,
    ) -> None:
        self.source, self.size, self.levels = source, size, levels
        self.extremes = Extremes.of(source, size)
        self.approximations: list[str] = []
        ranges = self.extremes.ranges()
        if number is not None and is_fine(number, per_range * float(ranges[ranges.size // 2])):
            self.approximations.append(f"Steps are taken to lie evenly between two numbers of {number}.")
        self.points = 8 if integer or levels <= _FEW_LEVELS else 5
        self.spread = 2 if size > 2 else 4  # a pair has no error but that of its rounded step and offset
        self.slices = slices(ranges, per_range, number, rounding, self.points, self.spread)
        self.breakpoints = np.array(source.breakpoints, dtype=np.float64)

    def pair_weight(self, nodes: Nodes, mass: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weights of one extreme element and of the density of the others, both per element of the block."""
        b = nodes.least + self.slices.range[nodes.slice]
        pair = nodes.weight * self.source.pdf(nodes.least) * self.source.pdf(b) * (self.size - 1)
        with np.errstate(all="ignore"):
            logs = np.log(mass)
            extreme = pair * np.exp((self.size - 2) * logs) if self.size > 2 else pair
            if self.size == 2:
                return extreme, np.zeros_like(pair)
            return extreme, pair * (self.size - 2) * np.exp((self.size - 3) * logs)

    def integer(self) -> tuple[float, FloatArray]:
        """Distortion and probabilities with an integer zero point."""
        top = self.levels - 1
        half: FloatArray = np.arange(-self.levels, self.levels, dtype=np.float64) + 0.5
        nodes = nodes_between(self.extremes, self.slices, self.breakpoints, half)
        a, b = nodes.least, nodes.least + self.slices.range[nodes.slice]
        step = self.slices.step[nodes.slice]
        unit = np.where(step > 0, step, np.inf)
        zero = np.clip(np.rint(-a / unit), 0, top)
        first = np.clip(np.rint(a / unit), -zero, top - zero)
        last = np.clip(np.rint(b / unit), -zero, top - zero)
        mass, error = self.cells()
        same = first == last
        left = self.source.partial_moments(a, np.where(same, b, (first + 0.5) * step), first * step)
        right = self.source.partial_moments(np.where(same, b, (last - 0.5) * step), b, last * step)
        row, low, high = nodes.slice, first.astype(int) + top, last.astype(int) + top
        between = [
            np.where(same, 0.0, table[row, high] - table[row, low + 1])
            for table in map(_cumulated, (mass, error))
        ]
        extreme, others = self.pair_weight(nodes, left[0] + right[0] + between[0])
        inner = left[2] + right[2] + between[1]
        outer = (a - first * step) ** 2 + (b - last * step) ** 2
        shift = (zero - top).astype(int)
        counts: FloatArray = np.zeros(self.levels)
        counts += np.bincount(low + shift, extreme + others * left[0], minlength=self.levels)
        counts += np.bincount(high + shift, extreme + others * right[0], minlength=self.levels)
        _spread(mass, row, low, high, shift, others, counts)
        return float(extreme @ outer + others @ inner), counts

    def cells(self) -> tuple[FloatArray, FloatArray]:
        """Mass and squared error of the cells of the multiples of each slice's step, from -top to top."""
        grid = np.arange(1 - self.levels, self.levels)
        step = self.slices.step[:, None]
        mass, _, error = self.source.partial_moments((grid - 0.5) * step, (grid + 0.5) * step, grid * step)
        return mass, error

    def offset(self, zero: NumberType | str) -> tuple[float, FloatArray]:
        """Distortion and probabilities with a stored offset."""
        cuts, coarse = self.breakpoints, isinstance(zero, NumberType)
        if isinstance(zero, NumberType):
            typical = float(np.abs(self.extremes.least).max() + np.abs(self.extremes.least).min()) / 2
            coarse = not is_fine(zero, typical)
            if coarse:
                cuts = np.concatenate([cuts, self._rounding_boundaries(zero)])
        few = self.levels <= _FEW_LEVELS
        strips: FloatArray = np.arange(1 - self.levels, 0 if few else 1 - self.levels, dtype=np.float64) + 0.5
        centre = float(self.source.ppf(0.5))
        nodes = nodes_between(self.extremes, self.slices, cuts, strips, centre=centre, points=self.points)
        nodes = self._heavy(nodes)
        offset = nodes.least
        if isinstance(zero, NumberType):
            if coarse:
                offset = zero.round(nodes.least)
            else:
                self.approximations.append(f"Offsets are taken to lie evenly between two numbers of {zero}.")
                spread, share = rounding_spread(zero, nodes.least, "nearest", self.spread)
                offset = (nodes.least + spread).ravel()
                nodes = Nodes(
                    np.tile(nodes.slice, self.spread),
                    np.tile(nodes.least, self.spread),
                    (share * nodes.weight).ravel(),
                )
        return self._on_offsets(nodes, offset)

    def _rounding_boundaries(self, zero: NumberType) -> FloatArray:
        """Return the boundaries between wide steps; what lies in narrow ones is rounded node by node."""
        least = self.extremes.least
        edges, _ = zero.steps(0.0, min(float(np.abs(least).max()), zero.largest))
        wide = np.append(np.diff(edges) > (np.ptp(least) / _WIDE_STEPS if self.size > 2 else 0.0), True)
        return np.concatenate([-edges[wide], edges[wide]])

    def _heavy(self, nodes: Nodes) -> Nodes:
        b = nodes.least + self.slices.range[nodes.slice]
        mass = self.source.probability(nodes.least, b)
        extreme, others = self.pair_weight(nodes, mass)
        weight = extreme + others * mass
        order = np.argsort(weight)
        keep = order[np.searchsorted(np.cumsum(weight[order]), _LIGHT * weight.sum()) :]
        return Nodes(nodes.slice[keep], nodes.least[keep], nodes.weight[keep])

    def _on_offsets(self, nodes: Nodes, offset: FloatArray) -> tuple[float, FloatArray]:
        error, counts = 0.0, np.zeros(self.levels)
        stride = max(1, _MOST_CELLS // self.levels)
        for start in range(0, offset.size, stride):
            part = slice(start, start + stride)
            piece = Nodes(nodes.slice[part], nodes.least[part], nodes.weight[part])
            more, hits = self._piece(piece, offset[part])
            error, counts = error + more, counts + hits
        return error, counts

    def _piece(self, nodes: Nodes, offset: FloatArray) -> tuple[float, FloatArray]:
        top = self.levels - 1
        a, b = nodes.least, nodes.least + self.slices.range[nodes.slice]
        step = self.slices.step[nodes.slice]
        if self.size > 2:
            mass, inner = self._between(a, b, offset, step)
            extreme, others = self.pair_weight(nodes, mass.sum(axis=1))
            counts, error = others @ mass, float(others @ inner.sum(axis=1))
        else:
            extreme, _ = self.pair_weight(nodes, np.ones_like(a))
            counts, error = np.zeros(self.levels), 0.0
        unit = np.where(step > 0, step, np.inf)
        for end in (a, b):
            code = np.clip(np.rint((end - offset) / unit), 0, top)
            error += float(extreme @ (end - offset - code * step) ** 2)
            counts += np.bincount(code.astype(int), extreme, minlength=self.levels)
        return error, counts

    def _between(
        self, a: FloatArray, b: FloatArray, offset: FloatArray, step: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Mass and squared error of every code, between a and b, shape (nodes, levels)."""
        points = offset[:, None] + step[:, None] * np.arange(self.levels)
        edges = np.empty((a.size, self.levels + 1))
        edges[:, 1:-1] = np.clip(points[:, 1:] - step[:, None] / 2, a[:, None], b[:, None])
        edges[:, 0], edges[:, -1] = a, b
        mass, _, error = self.source.partial_moments(edges[:, :-1], edges[:, 1:], points)
        return mass, error


def _cumulated(cells: FloatArray) -> FloatArray:
    """Sums of the cells before each one, shape (n, cells + 1)."""
    return np.concatenate([np.zeros((len(cells), 1)), np.cumsum(cells, axis=1)], axis=1)


@kernel
def _spread(mass: Any, row: Any, low: Any, high: Any, shift: Any, weight: Any, counts: Any) -> None:
    """Add the full cells between the first and the last of every node to its codes."""
    for n in range(row.shape[0]):
        for cell in range(low[n] + 1, high[n]):
            counts[cell + shift[n]] += weight[n] * mass[row[n], cell]
