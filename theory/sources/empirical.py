"""The law of measured data: one atom at every sample.

The data are sorted once, in their own precision; every question about an interval is then two binary searches
and a few dozen nodes of a tree of moments (`_moment_tree`), whatever the number of samples.  Half-precision
data have at most 65,536 distinct values and are counted instead of sorted.

Memory, beside the caller's array: 4 bytes a sample for float32 data and 8 for float64 and wide integers, 8
more where there are weights, and half a byte for the tree; so 0.45 GB for 1e8 float32 samples.  Weighted data
need another 16 bytes a sample while they are being sorted.  Half-precision and 8- and 16-bit integer data
need less than 4 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .._arrays import as_real
from .._typing import ArrayLike, FloatArray
from ._moment_tree import build_tree, quantile_index, range_moments, upper_index
from ._sorting import checked_weights, merged, sorted_samples
from .base import Source

__all__ = ["Empirical"]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Empirical(Source):
    """The law that gives every sample its weight.

    P(X = x) is the weight of all samples equal to x over the weight of all samples.

    Parameters
    ----------
    samples : array_like of any shape, 2 to 1e8 values
        float16, bfloat16 (ml_dtypes), float32, float64 or integer; finite and not all equal.  Integers of
        magnitude over 2^53 are rounded to float64.
    weights : array_like of the same shape, optional
        Non-negative, finite, not all zero; equal weights when left out.  A sample of zero weight is left out.

    Attributes
    ----------
    values : ndarray of float32 or float64, shape (n,)
        The samples in ascending order, equal ones merged where that at least halves their number.
    weights : ndarray of float64, shape (n,) or (0,)
        Weight of each value, not normalised; empty where all are one.
    total : float
        Sum of all weights.
    distinct : int
        Number of distinct values.
    mean, std : float
        Mean and standard deviation (that of the law itself: no n - 1).

    Raises
    ------
    TypeError
        If the samples or weights are not real numbers of the types above.
    ValueError
        If there are fewer than two samples, they are constant, one is NaN or infinite (its position is
        named), their spread leaves the range of float64, or the weights are of another shape, negative, not
        finite or all zero.

    Notes
    -----
    There is no density: `pdf` and `logpdf` raise TypeError, and the differential entropy is -inf.  For a
    smooth law that resembles the data fit a family to them.

    Examples
    --------
    >>> source = Empirical([0.0, 1.0, 1.0, 4.0])
    >>> source.partial_moments(0.0, 4.0, about=1.0).tolist()
    [0.75, 0.75, 2.25]
    >>> float(source.cdf(1.0)), float(source.ppf(0.5))
    (0.75, 1.0)
    """

    values: NDArray[Any]
    weights: FloatArray
    total: float
    distinct: int
    std: float
    _mean: float
    _tree: FloatArray
    discrete = True

    def __init__(self, samples: ArrayLike, weights: ArrayLike | None = None) -> None:
        array = as_real(samples, "samples")
        masses = None if weights is None else checked_weights(weights, array)
        values, masses, distinct = sorted_samples(array, masses)
        tree = build_tree(values, masses)
        middle = float(values[values.size // 2])
        start, stop = np.zeros(1, np.int64), np.full(1, values.size)
        total, first, _ = range_moments(values, masses, tree, start, stop, np.array([middle]))[:, 0]
        mean = float(middle + first / total)
        second = float(range_moments(values, masses, tree, start, stop, np.array([mean]))[2, 0])
        if not np.finfo(np.float64).tiny <= second / total < np.inf:
            ends = f"{values[0]} to {values[-1]}"
            raise ValueError(f"squares of samples must stay within the range of float64; they span {ends}")
        for array in (values, masses, tree):
            array.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", masses)
        object.__setattr__(self, "total", float(total))
        object.__setattr__(self, "distinct", distinct)
        object.__setattr__(self, "std", float(np.sqrt(second / total)))
        object.__setattr__(self, "_mean", mean)
        object.__setattr__(self, "_tree", tree)

    def __repr__(self) -> str:
        return f"Empirical({self.values.size} values, mean={self.mean:g}, std={self.std:g})"

    @property
    def mean(self) -> float:
        """Weighted mean of the samples."""
        return self._mean

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest sample."""
        return (float(self.values[0]), float(self.values[-1]))

    @property
    def symmetric(self) -> bool:
        """Never: data are taken as they are."""
        return False

    @property
    def log_concave(self) -> bool:
        """Never: there is no density."""
        return False

    def pdf(self, x: ArrayLike) -> NoReturn:
        """Raise TypeError: atoms have no density."""
        raise TypeError("an empirical law has atoms and no density; fit a family to the data for one")

    def logpdf(self, x: ArrayLike) -> NoReturn:
        """Raise TypeError: atoms have no density."""
        self.pdf(x)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x); NaN where x is NaN."""
        x = np.asarray(x, dtype=np.float64)
        missing = np.isnan(x)
        filled = np.where(missing, 0.0, x)
        return np.where(missing, np.nan, self.partial_moments(-np.inf, filled)[0])

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), from the samples above x alone; NaN where x is NaN."""
        x = np.asarray(x, dtype=np.float64)
        missing = np.isnan(x)
        filled = np.where(missing, 0.0, x)
        return np.where(missing, np.nan, self.partial_moments(filled, np.inf)[0])

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Smallest sample x with cdf(x) >= q; NaN outside [0, 1]."""
        return self._quantile(q, from_above=False)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Smallest sample x with sf(x) <= q; NaN outside [0, 1]."""
        return self._quantile(q, from_above=True)

    def differential_entropy(self) -> float:
        """-inf, as for every law with atoms only."""
        return -np.inf

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Mass, first and second moment of (lower, upper] about points; see `Source.partial_moments`.

        All three are sums without cancellation: of relative accuracy about 1e-15, the first moment relative
        to the integral of |x - about|.
        """
        ends = (np.asarray(end, dtype=np.float64) for end in (lower, upper, about))
        lower, upper, about = np.broadcast_arrays(*ends)
        if np.isnan(lower).any() or np.isnan(upper).any() or not np.isfinite(about).all():
            raise ValueError("lower and upper must not be NaN, and about must be finite")
        if np.any(lower > upper):
            raise ValueError("lower must not lie above upper")
        start = upper_index(self.values, lower.ravel())
        stop = upper_index(self.values, upper.ravel())
        moments = range_moments(self.values, self.weights, self._tree, start, stop, about.ravel())
        return np.asarray(moments.reshape(3, *lower.shape) / self.total)

    def _quantile(self, q: ArrayLike, *, from_above: bool) -> FloatArray:
        q = np.asarray(q, dtype=np.float64)
        inside = (q >= 0.0) & (q <= 1.0)
        wanted = np.where(inside, q, 0.0).ravel()
        index = quantile_index(self.values, self.weights, self._tree, self.total, wanted, from_above)
        return np.where(inside, self.values[index.reshape(q.shape)].astype(np.float64), np.nan)

    def atoms(self) -> tuple[FloatArray, FloatArray]:
        """Distinct values in ascending order as float64, and their weights (not normalised)."""
        values, weights = merged(self.values, self.weights, self.distinct)
        return values.astype(np.float64), weights
