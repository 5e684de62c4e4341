"""The best stationary point of distortion + slope * entropy, from all starts that can matter for a law.

Where errors are weighted the law may carry atoms at the ends of its support.  An atom may share a cell with
what lies beside it, or have one of its own; the threshold between is then as near to the atom as numbers go,
where the cost is not stationary, and is held there.  Both are tried, and at few levels of a symmetric law also
solutions that are not symmetric.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from ._weights import end_atoms, holds_atom, one_measure
from .entropy_constrained_newton import Cells, Fold, descend
from .entropy_constrained_start import start_thresholds

__all__ = ["MAX_LEVELS", "Point", "solve"]

_LN2 = float(np.log(2.0))
# Most levels of a design of a heavy tail, over both sides, and the most per level's worth of entropy: fewer
# cost digits (8,191 leave 1e-8 of a Student-t law of 3 degrees at 1 bit), more cost seconds.
MAX_LEVELS = 65_535
_LEAST_CAP = 8_191
_LEVELS_PER_PERPLEXITY = 128
# Price of a level over the square of the step: levels are added until one more would save less.  Lowered
# tenfold it moves the distortion by less than 1e-14.
_LEVEL_PRICE = 1e-17
# A cell centred on zero is best for many levels; with at most this many, one bounded by zero is tried too.
_FEW_LEVELS = 64
# Up to this many levels of a law with atoms, solutions that are not symmetric are tried.
_MOST_LOPSIDED = 12
# Shifts of the grid of a law that is not solved by halves, in cells.
_PHASES = (0.25, 0.5, 0.75, 1.0)


@dataclass
class Point:
    """A solved operating point."""

    cells: Cells
    slope: float
    residual: float
    iterations: int
    status: str
    note: str = ""

    def missed(self, rate: float) -> float:
        """Distance of the entropy from a rate."""
        return abs(self.cells.entropy - rate)

    @property
    def cost(self) -> float:
        """Distortion + slope * entropy."""
        return self.cells.distortion + self.slope * self.cells.entropy


@dataclass(frozen=True)
class _Ends:
    """What the start does at the ends of the support."""

    held: tuple[float, ...] = ()  # thresholds that give an atom a cell of its own, held beside it
    extra: tuple[float, ...] = ()  # atoms that are given a codepoint, with a threshold free to move

    def started(self, thresholds: FloatArray) -> FloatArray:
        """First thresholds, with those at the ends."""
        t = thresholds
        for place in self.extra:
            if len(t) and place > t[-1]:
                t = np.append(t, (t[-1] + place) / 2)
            elif len(t) and place < t[0]:
                t = np.append((t[0] + place) / 2, t)
        for place in self.held:
            t = t[t < place] if place > 0 else t[t > place]
        return np.unique(np.append(t, self.held))


def solve(source: Source, slope: float) -> Point:
    """Best stationary point from the starts that can matter for the law."""
    ends = list(_choices_of_ends(source, folded=source.symmetric))
    if not source.symmetric:
        return _best(_solve_from(source, slope, "full", phase, end) for end in ends for phase in _PHASES)
    odd = _best(_solve_from(source, slope, "odd", ends=end) for end in ends)
    if source.log_concave and len(odd.cells.thresholds) > _FEW_LEVELS // 2:
        return odd
    found = [odd]
    if not holds_atom(source, 0.0):  # no threshold cuts an atom
        found += [_solve_from(source, slope, "even", ends=end) for end in ends]
    if not one_measure(source) and 2 * len(odd.cells.thresholds) <= _MOST_LOPSIDED:
        full = _choices_of_ends(source, folded=False)
        found += [_solve_from(source, slope, "full", phase, end) for end in full for phase in (0.25, 0.75)]
    return _best(found)


def _choices_of_ends(source: Source, *, folded: bool) -> Iterator[_Ends]:
    """Share a cell, a cell of its own, or a codepoint of its own for each atom at an end of the support.

    Mirror images of a symmetric law are given once.
    """
    yield _Ends()
    if one_measure(source):
        return
    lower, upper = end_atoms(source)
    low, high = source.support
    beside = float(np.nextafter(high, -np.inf))
    if upper:
        yield _Ends(held=(beside,))
        yield _Ends(extra=(high,))
    if lower and not source.symmetric:
        yield _Ends(held=(low,))
        yield _Ends(extra=(low,))
    if lower and upper and not folded:
        yield _Ends(held=(low, beside))
        yield _Ends(extra=(low, high))


def _best(points: Iterable[Point]) -> Point:
    return min(points, key=lambda point: point.cost)


def _solve_from(
    source: Source, slope: float, fold: Fold, phase: float = 0.5, ends: _Ends | None = None
) -> Point:
    perplexity = 2.0 ** source.differential_entropy() / np.sqrt(6 * slope / _LN2)
    most = int(np.clip(_LEVELS_PER_PERPLEXITY * perplexity, _LEAST_CAP, MAX_LEVELS))
    thresholds, price = start_thresholds(source, slope, fold, price=_LEVEL_PRICE, most=most, phase=phase)
    held = ends.held if ends else ()
    if ends and (held or ends.extra):
        thresholds = ends.started(thresholds)
    cells, residual, iterations, status = descend(source, thresholds, fold, slope, held=held)
    capped = price > 1e3 * _LEVEL_PRICE
    note = f"; at the cap of {most} levels, one more would save {price:.0e} step^2" if capped else ""
    return Point(cells, slope, residual, iterations, status, note)
