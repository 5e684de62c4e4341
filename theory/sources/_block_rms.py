"""Elements divided by the root mean square of their block, kept exactly or as one of a list of steps.

An element X and the root R of the sum of the other B - 1 squares are independent, and so are a point of the
half plane in polar coordinates: its distance from the origin is sqrt(B) times the scale S, and its angle t
gives U = X / S = sqrt(B) sin t.  With f the density of X and k that of R, in the angle

    p(t) = integral of rho f(rho sin t) k(rho cos t) d rho,   weighted by S^2: rho^3 / B in place of rho.

Both are tabulated once, as series of their logarithm without the factor cos(t)^(B - 2) that k brings in; a
cell is then a few panels.  For the normal law, whose angle and distance are independent, p is proportional to
cos(t)^(B - 2).  With steps the law is a sum over them, in the restored value's own coordinate u = x / step,

    p(u) = sum over steps v of v f(u v) P(B low^2 - (u v)^2 < R^2 <= B high^2 - (u v)^2),  weighted by v^2.

Accuracy, of the whole measure: 1e-11 for laws with a density (2e-14 is asked of every panel), but 5e-8 for power
tails of at most three degrees of freedom; for measured data, whose atoms are replaced by bins, about 3e-4.
Steps: 1e-9, but 1e-6 for blocks of two to four elements, where every step has ends like square roots.

Elements beyond 1e6 sqrt(B) rms, where heavy tails keep part of their second moment, are known in closed form
but for a relative error of 1e-12 of their place: such an element is at |U| = sqrt(B), and the others of its
block close to 0, where two atoms hold their mass and mean magnitude.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from .._typing import FloatArray
from ._block_law import BlockAtoms, BlockLaw
from ._block_steps import StepTable
from ._panel_density import PanelDensity, fit_density
from ._radial_kernels import curve_moments, ray_integrals
from ._square_sums import Elements, SquareSum, elements_of
from .base import Source
from .gaussian import Normal
from .quadrature import legendre_rule
from .scale_steps import ScaleSteps

__all__ = ["RmsLaw"]

_SIMPLE = 64  # block sizes up to which the power of the cosine is split off for the normal law
_FEW = 8  # squares up to which the power is split off in general: beyond, the angle's rounding would show
_REACH = 1e6  # magnitude in units of sqrt(B) rms beyond which an element is alone in its block
_FARTHEST = 9e9  # no table goes further than 1e10
_LEAST_FAR = 1e-16  # share of E[X^2] beyond that is worth atoms


class RmsLaw(BlockLaw):
    """Law of an element over its block's root mean square.

    Parameters
    ----------
    source : Source
        Law of the elements; one with atoms only is replaced by a density that resembles it.
    block_size : float, 2 to 2^32
        A whole number.
    steps : ScaleSteps, optional
        How the scale is stored.
    zeros : float
        Probability that an element was taken out; it counts in the block size and adds nothing.
    exact_normal : bool
        Use the closed form for a normal source; off, its general route is taken (a check of both).
    """

    def __init__(
        self,
        source: Source,
        block_size: float,
        steps: ScaleSteps | None = None,
        zeros: float = 0.0,
        *,
        exact_normal: bool = True,
    ) -> None:
        if not (2 <= block_size <= 2**32 and block_size == int(block_size)):
            raise ValueError(f"block_size must be a whole number from 2 to 2^32, got {block_size}")
        size = int(block_size)
        self._size, self._zeros, self._kept, self._steps = size, zeros, 1.0 - zeros, steps
        self._source, self._elements = source, elements_of(source)
        self._unit = self._elements.unit
        self._normal = exact_normal and isinstance(source, Normal) and zeros == 0.0 and steps is None
        low, high = source.support
        root = math.sqrt(size)
        if steps is not None:
            self._stepped = StepTable(self._elements, size, steps, zeros)
            self.lost_energy = self._stepped.lost_energy * self._unit**2
            self.lost_probability = self._stepped.lost_probability
            root = self._stepped.reach
            ends = self._stepped.breakpoints
        else:
            ends = tuple({root / math.sqrt(1.0 + k) for k in range(4) if size <= 4 or k == 0})
        self.support = (-root if low < 0.0 else 0.0, root if high > 0.0 else 0.0)
        places = {0.0, *self.support, *ends, *(-end for end in ends)}
        self.breakpoints = tuple(sorted(p for p in places if self.support[0] <= p <= self.support[1]))
        self.atoms = self._atoms()

    @cached_property
    def _others(self) -> SquareSum:
        return self._elements.square_sum(self._size - 1, self._zeros)

    @cached_property
    def _all(self) -> SquareSum:
        return self._elements.square_sum(self._size, self._zeros)

    @cached_property
    def expected_scale(self) -> float:  # type: ignore[override]
        """Mean of the (stored) scale."""
        if self._steps is not None:
            return self._stepped.expected(1) * self._unit
        return self._all.mean * self._unit / math.sqrt(self._size)

    @cached_property
    def expected_square(self) -> float:  # type: ignore[override]
        """Mean square of the (stored) scale."""
        if self._steps is not None:
            return self._stepped.expected(2) * self._unit**2
        return self._kept * self._unit**2

    @property
    def _reach(self) -> float:
        return _reach(self._size)

    def _far(self, panels: PanelDensity, order: int) -> tuple[float, float]:
        """Moments of |X| above and below the last edge that is tabulated, in units of the rms."""
        end = panels.until(self._reach).edges[-1] * self._unit
        if self._source.discrete or panels.edges[-1] < self._reach:  # nothing was left out
            return 0.0, 0.0
        above = self._source.partial_moments(end, math.inf)[order]
        below = self._source.partial_moments(-math.inf, -end)[order]
        return float(above) / self._unit**order, abs(float(below)) / self._unit**order

    @cached_property
    def _tables(self) -> dict[tuple[int, bool], PanelDensity | None]:
        """Tables by side (1 or -1) and whether weighted, in the angle, or in u where there are steps."""
        if self._steps is not None:
            return self._stepped.tables(self._unit)
        elements = self._elements
        out: dict[tuple[int, bool], PanelDensity | None] = {}
        for weighted in (False, True):
            for side, density in ((1, elements.plus), (-1, elements.minus)):
                if side < 0 and density is elements.plus:
                    out[side, weighted] = out[1, weighted]
                elif density is None:
                    out[side, weighted] = None
                elif self._normal:
                    out[side, weighted] = _normal_table(self._size - 1, self._unit**2 if weighted else 1.0)
                else:
                    factor = self._kept * (self._unit**2 / self._size if weighted else 1.0)
                    order = 2 if weighted else 0
                    table = _angle_table(density.until(self._reach), self._others, elements, order)
                    out[side, weighted] = table.times(factor)
        return out

    def density(self, u: FloatArray) -> FloatArray:
        """Density of the plain law between the atoms."""
        return self._density(u, weighted=False)

    def distortion_density(self, u: FloatArray) -> FloatArray:
        """Density of the weighted measure between the atoms."""
        return self._density(u, weighted=True)

    def _density(self, u: FloatArray, *, weighted: bool) -> FloatArray:
        out = np.zeros(u.size)
        root = math.sqrt(self._size)
        for side, chosen in ((1, u >= 0.0), (-1, u < 0.0)):
            table = self._tables[side, weighted]
            if table is None:
                continue
            x = np.abs(u[chosen])
            with np.errstate(divide="ignore", invalid="ignore"):
                if self._steps is not None:
                    place, log_slope = x, np.zeros(x.size)
                else:
                    v = np.minimum(x / root, 1.0)
                    place = np.arcsin(v)
                    log_cosine = 0.5 * np.log((1.0 - v) * (1.0 + v))
                    log_slope = -math.log(root) + (table.power - 1.0) * log_cosine
                    if table.power == 1.0:
                        log_slope = np.full(x.size, -math.log(root))
                inside = (place >= table.edges[0]) & (place <= table.edges[-1])
                inside &= x <= self.support[1] if side > 0 else x <= -self.support[0]
                out[chosen] = np.where(inside, np.exp(table.logarithm(place) + log_slope), 0.0)
        return out

    def smooth_moments(self, lower: FloatArray, upper: FloatArray, about: FloatArray) -> FloatArray:
        """Weighted moments of order 0, 1 and 2 about points without the atoms, shape (3, n)."""
        return self._moments(lower, upper, about, weighted=True)

    def smooth_probability(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Plain mass of the cells without the atoms, shape (n,)."""
        mass: FloatArray = self._moments(lower, upper, np.zeros(lower.size), weighted=False)[0]
        return mass

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray, *, weighted: bool) -> FloatArray:
        out = self._side(1, np.maximum(a, 0.0), np.maximum(b, 0.0), c, weighted)
        mirrored = self._side(-1, np.maximum(-b, 0.0), np.maximum(-a, 0.0), -c, weighted)
        mirrored[1] *= -1.0
        return out + mirrored

    def _side(self, side: int, a: FloatArray, b: FloatArray, c: FloatArray, weighted: bool) -> FloatArray:
        """Moments of cells with 0 <= a <= b on one side of 0."""
        table = self._tables[side, weighted]
        if table is None:
            return np.zeros((3, a.size))
        points, weights = (column[:, 0].copy() for column in legendre_rule(16))
        if self._steps is not None:
            a = np.minimum(a, table.edges[-1])
            width = np.minimum(b, table.edges[-1]) - a
            return curve_moments(table.edges, table.series, 0.0, 0.0, a, width, a - c, points, weights)
        root = math.sqrt(self._size)
        a, b = np.minimum(a, root), np.minimum(b, root)
        start, stop = np.arcsin(a / root), np.arcsin(b / root)
        # The width of a narrow cell without the cancellation of its ends; a wide one to pi / 2 as it is.
        cosine = np.cos(0.5 * (start + stop))
        narrow = (stop - start < 0.5) & (cosine > 0.1)
        ratio = np.where(narrow, (b - a) / (2.0 * root * np.where(narrow, cosine, 1.0)), 0.0)
        width = np.where(narrow, 2.0 * np.arcsin(ratio), stop - start)
        return curve_moments(
            table.edges, table.series, table.power, root, start, width, a - c, points, weights
        )

    def _atoms(self) -> BlockAtoms:
        """Elements taken out, elements alone in their block, and what lies beyond 1e10 rms."""
        atoms: dict[float, list[float]] = {}

        def add(place: float, plain: float, weighted: float) -> None:
            mass = atoms.setdefault(place, [0.0, 0.0])
            mass[0] += plain
            mass[1] += weighted

        if self._zeros > 0.0:
            add(0.0, self._zeros, 0.0)
        energy, square = self._kept * self._unit**2, self._unit**2
        alone = self._zeros ** (self._size - 1)
        above, below = self._far(self._elements.folded, 2)
        if self._steps is None:
            root = math.sqrt(self._size)
            for side, density in ((1.0, self._elements.plus), (-1.0, self._elements.minus)):
                if alone > 0.0 and density is not None:
                    x, weights = density.until(self._reach).nodes
                    mass = np.exp(density.logarithm(x.ravel())).reshape(x.shape) * weights
                    shares = float(mass.sum()), float((mass * x * x).sum()) * square / self._size
                    add(side * root, self._kept * alone * shares[0], self._kept * alone * shares[1])
            if above + below > _LEAST_FAR and not self._normal:
                others, place = self._companions()
                for side, far in ((1.0, above), (-1.0, below)):
                    add(side * root, 0.0, energy * far / self._size)
                    add(side * place, 0.0, 0.5 * energy * others)
        elif above + below > _LEAST_FAR:
            for side, far in ((1.0, above), (-1.0, below)):
                place = self._stepped.reach
                add(side * place, 0.0, energy * far / place**2)
        places = sorted(atoms)
        plain, weighted = np.array([atoms[p] for p in places]).reshape(-1, 2).T
        return BlockAtoms(np.array(places), plain.copy(), weighted.copy())

    def _companions(self) -> tuple[float, float]:
        """Share of E[X^2] in the scales of blocks with one far other element, and the mean |U| there."""
        second = sum(self._far(self._others.density, 2))
        first = sum(self._far(self._others.density, 1))
        x, weights = self._elements.folded.nodes
        mean = float(
            (np.exp(self._elements.folded.logarithm(x.ravel())).reshape(x.shape) * weights * x).sum()
        )
        return (self._size - 1) * self._kept * second / self._size, math.sqrt(
            self._size
        ) * mean * first / second


def _reach(size: int) -> float:
    return min(_REACH * math.sqrt(size), _FARTHEST)


def _cosine(angle: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(np.cos(angle), 1e-17)))


def _angle_edges(count: int, kinks: tuple[float, ...] = ()) -> FloatArray:
    """Edges around tan t = 1 / sqrt(count), where elements as large as their block's rms lie."""
    spread = np.arctan(2.0 ** np.arange(-5.0, 5.0) / math.sqrt(count))
    edges = np.unique(np.concatenate([[0.0, 0.5 * math.pi], spread, kinks]))
    return np.asarray(edges[np.append(True, np.diff(edges) > 1e-13)])


def _normal_table(others: int, total: float) -> PanelDensity:
    """Half of cos(t)^(others - 1), of mass total / 2; its logarithm as 1 - sin^2 where others are many."""
    power = others - 1.0
    if power < _SIMPLE:
        shape = fit_density(
            lambda t: power * _cosine(t), _angle_edges(others), power=power, log_base=_cosine,
            singular=0.5 * math.pi,
        )  # fmt: skip
    else:
        shape = fit_density(
            lambda t: 0.5 * power * np.log1p(-(np.minimum(np.sin(t), 1.0 - 1e-16) ** 2)), _angle_edges(others)
        )
    x, weights = shape.nodes
    values = shape.logarithm(x.ravel()).reshape(x.shape) + (shape.power * _cosine(x) if shape.power else 0.0)
    return shape.times(0.5 * total / float((np.exp(values) * weights).sum()))


def _angle_table(density: PanelDensity, others: SquareSum, elements: Elements, order: int) -> PanelDensity:
    """Integral of rho^(1 + order) f(rho sin t) k(rho cos t) over rho, tabulated on (0, pi / 2)."""
    radius = others.density.until(_reach(others.count + 1))
    points, weights = (column[:, 0].copy() for column in legendre_rule(16))
    power = radius.power if radius.edges[0] == 0.0 and others.count <= _FEW else 0.0

    def logarithm(t: FloatArray) -> FloatArray:
        value = ray_integrals(
            t, density.edges, density.series, radius.edges, radius.series, radius.power, points, weights
        )[order]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(value)) + (radius.power * _cosine(t) if radius.power else 0.0)

    # Where tables of heavy tails end, the densities bend within one octave of a tiny angle.
    bends = np.array([0.25, 1.0, 4.0, 16.0]) * math.sqrt(others.count)
    kinks = (*bends / radius.edges[-1], *(0.5 * math.pi - bends / density.edges[-1]))
    kinks = tuple(kink for kink in kinks if 0.0 < min(kink, 0.5 * math.pi - kink) < 1e-3)
    if others.count <= 3:
        kinks += tuple(math.atan2(x, r) for x in elements.kinks for r in others.kinks if r > 0.0)
    return fit_density(
        logarithm, _angle_edges(others.count, kinks), power=power, log_base=_cosine, singular=0.5 * math.pi,
        tolerance=others.tolerance,
    )  # fmt: skip
