"""Symmetric laws given in standard form z = x / scale, and how their partial moments are integrated.

A law's file supplies density, tail probability and tail quantile for z >= 0, and how wide an interval above z
may be before its density stops being smooth; everything else happens here, once.

* Cells are reflected to z >= 0, and cells that straddle 0 are split there: mirrored questions get mirrored
  answers to the last bit, and every tail is an upper tail.
* A cell no wider than `_smooth_width` is one 24-point Gauss-Legendre panel.  The moments are taken directly
  about the asked point, so mass and second moment are sums of positive terms and nothing cancels, however
  narrow or remote the cell is.  Offsets are measured from the cell's lower end: the difference of two doubles
  is exact to one rounding, while the midpoint of a cell 1e-12 wide is not.
* A wider cell is a few such panels in a row.  What lies behind them is below rounding, or else left to the
  closed form of a heavy tail (`_beyond`), where a shift of the reference point no longer cancels.
* Among many cells, the narrow ones get rules of 8 or 4 points.

Closed forms from end to end would need fewer points, but differences of tails lose digits on narrow cells and
the shift from 0 to the codepoint loses them in far ones (six for the normal law beyond 30).
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from .._arguments import check_positive
from .._typing import ArrayLike, FloatArray, IntArray
from .base import Source
from .cells import checked_cells
from .quadrature import integrate

__all__ = ["ScaleFamily"]


class ScaleFamily(Source):
    """Symmetric law of zero mean; `_panels` smooth panels from any point on reach its end or `_beyond`."""

    std: float = 1.0

    _panels: int = 1
    _reach: float = 1e150  # standard coordinate beyond which nothing is left in double precision

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", check_positive("std", self.std))

    @property
    @abstractmethod
    def _scale(self) -> float:
        """What x is divided by to become standard."""

    @abstractmethod
    def _density(self, z: FloatArray) -> FloatArray:
        """Return the standard density at z >= 0."""

    @abstractmethod
    def _log_density(self, z: FloatArray) -> FloatArray:
        """Return the logarithm of the standard density at z >= 0."""

    @abstractmethod
    def _upper(self, z: FloatArray) -> FloatArray:
        """Return P(Z > z) for z >= 0."""

    @abstractmethod
    def _upper_quantile(self, q: FloatArray) -> FloatArray:
        """Return z with P(Z > z) = q for 0 <= q <= 1/2, and NaN for other q."""

    @abstractmethod
    def _smooth_width(self, z: FloatArray) -> FloatArray:
        """Return the width above z >= 0 that a 24-point Gauss-Legendre rule integrates to rounding."""

    @abstractmethod
    def _standard_entropy(self) -> float:
        """Return the differential entropy of the standard law in bits."""

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x; 0 outside the support, NaN where x is NaN."""
        with np.errstate(all="ignore"):
            return np.asarray(self._density(self._standard(x)) / self._scale)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x; -inf outside the support."""
        with np.errstate(all="ignore"):
            return np.asarray(self._log_density(self._standard(x)) - math.log(self._scale))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x), with full relative accuracy in the lower tail."""
        return self.sf(-np.asarray(x, dtype=np.float64))

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), with full relative accuracy in the upper tail."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            tail = self._upper(self._standard(x))
            return np.where(x < 0, 1.0 - tail, tail)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile: the inverse of `cdf`; NaN outside [0, 1]."""
        return np.asarray(-self.isf(q))

    def isf(self, q: ArrayLike) -> FloatArray:
        """Inverse of `sf`, accurate for small q and, relative to x, near q = 1/2."""
        q = np.asarray(q, dtype=np.float64)
        with np.errstate(all="ignore"):
            z = self._upper_quantile(np.where(q > 0.5, 1.0 - q, q)) * self._scale
            return np.where(q > 0.5, -z, z)

    def differential_entropy(self) -> float:
        """Differential entropy in bits."""
        return self._standard_entropy() + math.log2(self._scale)

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Mass, first and second moment of intervals about a point; see `Source.partial_moments`."""
        a, b, c, shape = checked_cells(lower, upper, about)
        with np.errstate(all="ignore"):
            if not np.count_nonzero(a < 0):
                return self._moments(a, b, c).reshape((3, *shape))
            flipped = b <= 0
            low, high = np.where(flipped, -b, a), np.where(flipped, -a, b)
            sign = np.where(flipped, -1.0, 1.0)
            point = sign * c
            straddling = (low < 0).nonzero()[0]
            if straddling.size:
                out = self._split_moments(low, high, point, straddling)
            else:
                out = self._moments(low, high, point)
            out[1] *= sign
            return out.reshape((3, *shape))

    def _split_moments(
        self, low: FloatArray, high: FloatArray, point: FloatArray, straddling: IntArray
    ) -> FloatArray:
        mirrored = -low[straddling]
        low[straddling] = 0.0
        out = self._moments(
            np.concatenate((low, np.zeros(straddling.size))),
            np.concatenate((high, mirrored)),
            np.concatenate((point, -point[straddling])),
        )
        lower_part = out[:, low.size :]
        lower_part[1] *= -1.0
        out = out[:, : low.size].copy()
        out[:, straddling] += lower_part
        return out

    def _standard(self, x: ArrayLike) -> FloatArray:
        return np.asarray(np.abs(np.asarray(x, dtype=np.float64)) / self._scale)

    def _moments(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        """Return the moments of cells with 0 <= a <= b."""
        scale, limit = self._scale, self._reach * self._scale
        a = np.minimum(a, limit)
        width = np.minimum(b, limit) - a
        smooth = self._smooth_width(a / scale) * scale
        wide = (width > smooth).nonzero()[0]
        if not wide.size:
            return self._integrate(a, width, c, smooth)
        panels = [(a, np.minimum(width, smooth), c, smooth)]
        edge, left, point = (a + smooth)[wide], (width - smooth)[wide], c[wide]
        for _ in range(1, self._panels):
            step = self._smooth_width(edge / scale) * scale
            panels.append((edge, np.minimum(step, left), point, step))
            edge, left = edge + step, np.maximum(left - step, 0.0)
        parts = self._integrate(*map(np.concatenate, zip(*panels, strict=True)))
        out = parts[:, : a.size]
        for start in range(a.size, parts.shape[1], wide.size):
            out[:, wide] += parts[:, start : start + wide.size]
        return self._beyond(out, wide, edge, b[wide], point)

    def _beyond(
        self, out: FloatArray, wide: IntArray, edge: FloatArray, end: FloatArray, about: FloatArray
    ) -> FloatArray:
        """Add to out[:, wide] the moments of (edge, end) that no panel covers: none in a light tail."""
        return out

    def _integrate(
        self, start: FloatArray, width: FloatArray, about: FloatArray, smooth: FloatArray
    ) -> FloatArray:
        scale = self._scale
        out = integrate(lambda x: self._density(x / scale), start, width, about, smooth)
        out /= scale
        return out
