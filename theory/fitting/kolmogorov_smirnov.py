"""The Kolmogorov-Smirnov distance, exact for any number of values.

    D = sup_x |F_n(x) - F(x)|,  F_n the distribution function of the data.

The supremum over sorted values needs F at each of them, which costs seconds for millions.  But between two
values a < b at which F is known, both functions lie between their values at a and at b: where that leaves no
room for a larger difference than one already seen, nothing inside needs to be looked at.  A few thousand
evaluations remain, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._typing import FloatArray, IntArray
from ..sources import Empirical

__all__ = ["ks_distance"]

# Tuned: parts of the data looked at first, and parts a doubtful interval is split into.  Only time depends on
# them.
_FIRST_PARTS = 1024
_SPLIT = 16


def ks_distance(law: Empirical, cdf: Callable[[FloatArray], FloatArray]) -> float:
    """Largest difference between the distribution functions of data and of a law.

    Parameters
    ----------
    law : Empirical
        The data.
    cdf : callable
        Continuous, non-decreasing distribution function of the law, for arrays of float64.

    Returns
    -------
    float
        D in (0, 1]: the supremum over all x, taken on both sides of every jump.

    References
    ----------
    A. Kolmogorov, "Sulla determinazione empirica di una legge di distribuzione", G. Ist. Ital. Attuari 4
    (1933).

    Examples
    --------
    >>> ks_distance(Empirical([0.25, 0.5]), lambda x: x)
    0.5
    """
    steps = _Steps(law)
    known: IntArray = np.unique(np.linspace(0, law.values.size - 1, _FIRST_PARTS + 1).astype(np.int64))
    value = cdf(steps.points(known))
    best = float(np.max(np.maximum(steps.upper(known) - value, value - steps.lower(known))))
    start, stop = known[:-1], known[1:]
    at_start, at_stop = value[:-1], value[1:]
    while True:
        room = np.maximum(steps.upper(stop - 1) - at_start, at_stop - steps.lower(start + 1))
        open_ = (room > best) & (stop - start > 1)
        if not open_.any():
            return best
        grid = _split(start[open_], stop[open_])
        value = np.concatenate(
            [at_start[open_][:, None], cdf(steps.points(grid[:, 1:-1])), at_stop[open_][:, None]], 1
        )
        inner, inner_value = grid[:, 1:-1], value[:, 1:-1]
        gap = np.maximum(steps.upper(inner) - inner_value, inner_value - steps.lower(inner))
        best = max(best, float(np.max(gap)))
        start, stop = grid[:, :-1].ravel(), grid[:, 1:].ravel()
        at_start, at_stop = value[:, :-1].ravel(), value[:, 1:].ravel()


def _split(start: IntArray, stop: IntArray) -> IntArray:
    """Cut each interval of indices into parts, some of them empty where it is short."""
    fraction = np.arange(_SPLIT + 1)
    return start[:, None] + (stop - start)[:, None] * fraction // _SPLIT


class _Steps:
    """The distribution function of the data below and at each value, by index."""

    def __init__(self, law: Empirical) -> None:
        self._values = law.values
        self._total = law.total
        self._cumulative = np.concatenate([[0.0], np.cumsum(law.weights)]) if law.weights.size else None

    def points(self, index: IntArray) -> FloatArray:
        return self._values[index].astype(np.float64)

    def lower(self, index: IntArray) -> FloatArray:
        below = index if self._cumulative is None else self._cumulative[index]
        return np.asarray(below / self._total)

    def upper(self, index: IntArray) -> FloatArray:
        return self.lower(index + 1)
