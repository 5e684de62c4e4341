"""Codepoints that a designer must leave where they are: the check of them, and k-means around them.

Between two pins the data are cut optimally as if the pins were absent, and Lloyd's iteration, in which the
pins take part but do not move, does the rest.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ..sources import Empirical
from ._centroids import CellState, cells_of
from ._partition import optimal_codepoints
from .scalar import Design, ScalarQuantiser

__all__ = ["checked_pins", "pinned_kmeans"]

# A codepoint has settled when it is no further from its centroid than this, relative to its cell's rms error.
_TOLERANCE = 1e-12


def checked_pins(pinned: Mapping[int, float] | None, levels: int) -> dict[int, float]:
    """Indices 0 to levels - 1 with finite values that ascend with them; negative indices count from the end."""
    if pinned is None:
        return {}
    if not isinstance(pinned, Mapping):
        raise TypeError(f"pinned must map indices of codepoints to values, got {type(pinned).__name__}")
    found: dict[int, float] = {}
    for key, value in pinned.items():
        index = _index(key, levels)
        if index in found:
            raise ValueError(f"pinned must name each codepoint once, but {index} comes twice")
        found[index] = _value(key, value)
    pairs = sorted(found.items())
    for (i, a), (j, b) in itertools.pairwise(pairs):
        if not a < b:
            raise ValueError(
                f"pinned codepoints must ascend strictly, but {a:g} at {i} is followed by {b:g} at {j}"
            )
    return dict(pairs)


def _index(key: object, levels: int) -> int:
    if isinstance(key, (bool, np.bool_)):
        raise TypeError(f"pinned: an index must be an integer, got {key!r}")
    try:
        index = operator.index(key)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"pinned: an index must be an integer, got {key!r}") from None
    if not -levels <= index < levels:
        raise ValueError(f"pinned: an index must lie between {-levels} and {levels - 1}, got {index}")
    return index % levels


def _value(key: object, value: object) -> float:
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise TypeError(f"pinned: the codepoint at {key} must be a number, got {value!r}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"pinned: the codepoint at {key} must be a number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"pinned: the codepoint at {key} must be finite, got {number}")
    return number + 0.0  # a negative zero is zero


def pinned_kmeans(
    source: Empirical,
    levels: int,
    held: Mapping[int, float],
    *,
    start: FloatArray | None = None,
    max_iterations: int = 10_000,
) -> ScalarQuantiser:
    """Codepoints of data of which some are held fixed; see `lloyd_max`.

    A free codepoint whose cell is empty (between pins that hold few values) stays where it began.
    """
    free = np.ones(levels, dtype=np.bool_)
    free[list(held)] = False
    cells = cells_of(source, _start(source, levels, held) if start is None else start)
    steps, settled = 0, False
    while not settled and steps < max_iterations:
        new = cells_of(source, np.where(free, cells.centroids, cells.codepoints))
        settled = _residual(cells, free) <= _TOLERANCE or np.array_equal(new.codepoints, cells.codepoints)
        cells, steps = new, steps + 1
    status = "converged" if settled else "iteration limit"
    design = Design("lloyd_max", status, steps, _residual(cells, free))
    return ScalarQuantiser(cells.codepoints, design=design)


def _residual(cells: CellState, free: NDArray[np.bool_]) -> float:
    mass, first, second = cells.moments
    size = np.sqrt(mass * second)
    distance = np.divide(np.abs(first), size, out=np.zeros_like(first), where=size > 0)
    return float(distance[free].max())


def _start(source: Empirical, levels: int, held: Mapping[int, float]) -> FloatArray:
    """Codepoints that are optimal, between two pins, for the data there alone."""
    values, weights = source.atoms()
    q = np.empty(levels)
    ends = [(-1, -np.inf), *held.items(), (levels, np.inf)]
    for (left, low), (right, high) in itertools.pairwise(ends):
        if right < levels:
            q[right] = high
        count = right - left - 1
        inside = (values > low) & (values < high)
        if count == 0:
            continue
        if np.count_nonzero(inside) < count:
            raise ValueError(
                f"pinned: {count} free codepoints lie between {low:g} and {high:g}, where the data have "
                f"{np.count_nonzero(inside)} distinct values"
            )
        q[left + 1 : right] = optimal_codepoints(values[inside], weights[inside], count).codepoints
    return q
