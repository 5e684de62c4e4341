"""Symmetric laws given in standard form z = x / scale, and how their partial moments are integrated.

A law file supplies the density, tail probability and tail quantile for z >= 0, and two facts about smoothness;
everything else happens here, once.

* Cells are reflected to z >= 0, and cells that straddle 0 are split there: mirrored questions get mirrored
  answers to the last bit, and every tail is an upper tail.
* A cell no wider than `_smooth_width` is integrated by one 24-point Gauss-Legendre panel.  The moments are
  taken directly about the asked point, so that mass and second moment are sums of positive terms and nothing
  cancels, however narrow or remote the cell.  Offsets are measured from the cell's lower end: a difference of
  two doubles is exact to one rounding, while the midpoint of a cell 1e-12 wide is not.
* A wider cell is a few such panels in a row, after which the rest is either below rounding or left to the
  law's closed form (`_beyond`).
* Where there are many cells, the narrow ones get rules of 8 or 4 points.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from .._typing import ArrayLike, FloatArray
from .base import Source
from .checks import checked_cells, checked_positive
from .quadrature import legendre_rule

__all__ = ["ScaleFamily"]

_BLOCK = 512  # panels evaluated together: 24 x 512 doubles stay in the second-level cache
_FEW = 64  # below this many panels one 24-point rule for all costs less than sorting them
_EIGHT, _FOUR = 1 / 20, 1 / 800  # widths relative to `_smooth_width` up to which 8 and 4 points suffice


class ScaleFamily(Source):
    """Symmetric law of zero mean whose only other parameter than its shape is its standard deviation."""

    std: float = 1.0

    _panels: int = 1
    _reach: float = 1e300

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", checked_positive("std", self.std))

    @property
    @abstractmethod
    def _scale(self) -> float:
        """What x is divided by to become standard."""

    @abstractmethod
    def _density(self, z: FloatArray) -> FloatArray:
        """Standard density at z >= 0."""

    @abstractmethod
    def _log_density(self, z: FloatArray) -> FloatArray:
        """Logarithm of the standard density at z >= 0."""

    @abstractmethod
    def _upper(self, z: FloatArray) -> FloatArray:
        """P(Z > z) for z >= 0."""

    @abstractmethod
    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        """Inverse of `_upper` for 0 <= q <= 1/2; NaN elsewhere."""

    @abstractmethod
    def _smooth_width(self, z: FloatArray) -> FloatArray | float:
        """Width of the interval above z >= 0 that 24 Gauss-Legendre points integrate to rounding."""

    @abstractmethod
    def _standard_entropy(self) -> float:
        """Differential entropy of the standard law in bits."""

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        with np.errstate(all="ignore"):
            return np.asarray(self._density(self._standard(x)) / self._scale)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x."""
        with np.errstate(all="ignore"):
            return np.asarray(self._log_density(self._standard(x)) - np.log(self._scale))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return self._probability_above(-np.asarray(x, dtype=np.float64))

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return self._probability_above(np.asarray(x, dtype=np.float64))

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile."""
        return np.asarray(-self.isf(q))

    def isf(self, q: ArrayLike) -> FloatArray:
        """Upper quantile."""
        q = np.asarray(q, dtype=np.float64)
        with np.errstate(all="ignore"):
            lower = q > 0.5
            z = self._upper_quantile(np.where(lower, 1.0 - q, q)) * self._scale
            return np.asarray(np.where(lower, -z, z))

    def differential_entropy(self) -> float:
        """Differential entropy in bits."""
        return self._standard_entropy() + float(np.log2(self._scale))

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Mass, first and second moment about a point; see `Source.partial_moments`."""
        a, b, c, shape = checked_cells(lower, upper, about)
        with np.errstate(all="ignore"):
            negative = np.flatnonzero(a < 0)
            if not negative.size:
                return self._moments(a, b, c).reshape((3, *shape))
            a, b, c = a.copy(), b.copy(), c.copy()
            straddling = negative[b[negative] > 0]
            extra_b, extra_c = -a[straddling], -c[straddling]
            mirrored = negative[b[negative] <= 0]
            a[mirrored], b[mirrored] = -b[mirrored], -a[mirrored]
            c[mirrored] *= -1
            a[straddling] = 0.0
            n = a.size
            out = self._moments(
                np.concatenate([a, np.zeros(straddling.size)]),
                np.concatenate([b, extra_b]),
                np.concatenate([c, extra_c]),
            )
            out[1, mirrored] *= -1
            out[1, n:] *= -1
            out[:, straddling] += out[:, n:]
            return out[:, :n].reshape((3, *shape))

    def _standard(self, x: ArrayLike) -> FloatArray:
        return np.asarray(np.abs(np.asarray(x, dtype=np.float64)) / self._scale)

    def _probability_above(self, x: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            tail = self._upper(np.abs(x) / self._scale)
            return np.asarray(np.where(x < 0, 1.0 - tail, tail))

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        """Moments of cells with 0 <= a <= b."""
        scale = self._scale
        a = np.minimum(a, self._reach * scale)
        width = np.minimum(b, self._reach * scale) - a
        smooth = self._smooth_width(a / scale) * scale
        wide = np.flatnonzero(width > smooth)
        if not wide.size:
            return self._integrate(a, width, c, smooth)
        starts, widths, smooths, abouts = [a], [np.minimum(width, smooth)], [smooth + np.zeros_like(a)], [c]
        end, edge, about = (a + width)[wide], (a + smooth)[wide], c[wide]
        for _ in range(1, self._panels):
            step = self._smooth_width(edge / scale) * scale
            starts.append(edge)
            widths.append(np.clip(end - edge, 0.0, step))
            smooths.append(step + np.zeros_like(edge))
            abouts.append(about)
            edge = np.minimum(edge + step, end)
        parts = self._integrate(*(np.concatenate(v) for v in (starts, widths, abouts, smooths)))
        out = parts[:, : a.size]
        out[:, wide] += parts[:, a.size :].reshape(3, self._panels - 1, wide.size).sum(axis=1)
        out[:, wide] += self._beyond(edge, b[wide], about)
        return out

    def _beyond(self, edge: FloatArray, end: FloatArray, about: FloatArray) -> FloatArray | float:
        """Moments of (edge, end) behind the last panel: below rounding unless the tail is heavy."""
        return 0.0

    def _integrate(
        self, start: FloatArray, width: FloatArray, about: FloatArray, smooth: FloatArray | float
    ) -> FloatArray:
        if start.size <= _FEW:
            return self._panel_moments(start, width, about, 24)
        out = np.empty((3, start.size))
        ratio = width / smooth
        points = np.where(ratio > _EIGHT, 24, np.where(ratio > _FOUR, 8, 4))
        for n in (24, 8, 4):
            chosen = np.flatnonzero(points == n)
            for i in range(0, chosen.size, _BLOCK):
                block = chosen[i : i + _BLOCK]
                out[:, block] = self._panel_moments(start[block], width[block], about[block], n)
        return out

    def _panel_moments(self, start: FloatArray, width: FloatArray, about: FloatArray, n: int) -> FloatArray:
        nodes, weights = legendre_rule(n)
        offset = nodes * width
        term = self._density((start + offset) / self._scale) * weights
        offset += start - about
        out = np.empty((3, start.size))
        for k in range(3):
            np.add.reduce(term, axis=0, out=out[k])
            term *= offset
        out *= width / self._scale
        return out
