"""A scalar quantiser: codepoints, and the thresholds between their cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .._typing import ArrayLike, FloatArray, IntArray

__all__ = ["Design", "ScalarQuantiser"]


@dataclass(frozen=True)
class Design:
    """How a quantiser was found, and how well its conditions of optimality hold.

    Attributes
    ----------
    method : str
        Name of the designer.
    status : str
        "converged", "closed form", or what stopped the designer short of its tolerance.
    iterations : int
        Steps taken.
    residual : float
        Optimality gap of the design's own conditions, relative (see the designer); 0 for a closed form.
    certificate : str
        Why the design is a global optimum ("log-concave law", "dynamic programming"), or "none".
    slope : float
        Lagrange multiplier of an entropy-constrained design (distortion per bit); NaN elsewhere.
    """

    method: str
    status: str
    iterations: int = 0
    residual: float = 0.0
    certificate: str = "none"
    slope: float = float("nan")


@dataclass(frozen=True, eq=False)
class ScalarQuantiser:
    """N codepoints in ascending order and the N - 1 thresholds that bound their cells.

    Cell i is (thresholds[i-1], thresholds[i]], with infinite outer ends: a value that lies exactly on a
    threshold belongs to the cell below it.

    Parameters
    ----------
    codepoints : array_like, shape (N,), N >= 1, ascending, finite
    thresholds : array_like, shape (N - 1,), ascending, optional
        Midpoints of neighbouring codepoints (nearest neighbour) when left out.
    design : Design, optional
        The record of the designer.

    Raises
    ------
    ValueError
        If an array is empty, not one-dimensional, not finite, not ascending, or of the wrong length.
    """

    codepoints: FloatArray
    thresholds: FloatArray = None  # type: ignore[assignment]
    design: Design | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        codepoints = np.array(self.codepoints, dtype=np.float64)
        if self.thresholds is None:
            thresholds = codepoints[:-1] + (codepoints[1:] - codepoints[:-1]) / 2
        else:
            thresholds = np.array(self.thresholds, dtype=np.float64)
        for array in (codepoints, thresholds):
            array.flags.writeable = False
        object.__setattr__(self, "codepoints", codepoints)
        object.__setattr__(self, "thresholds", thresholds)

    @property
    def levels(self) -> int:
        """Number of codepoints."""
        return len(self.codepoints)

    def encode(self, x: ArrayLike) -> IntArray:
        """Index of the cell of each value."""
        return np.searchsorted(self.thresholds, np.asarray(x), side="left")

    def decode(self, index: ArrayLike) -> FloatArray:
        """Codepoint of each index."""
        return np.asarray(self.codepoints[np.asarray(index)])

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Quantise: decode(encode(x))."""
        return self.decode(self.encode(x))
