"""Least sum of squares when sorted atoms are cut into k runs: exact, in a few passes over the data.

The classical dynamic programme fills a table of atoms times levels.  Here the number of runs is given a price
instead: for a price p the programme

    F(j) = min over i < j of  F(i) + cost(i, j) + p

has one row, and how many runs its solution has falls as p rises.  The cost of a run, its sum of squares about
its own centroid, obeys the quadrangle inequality, so that the best i never moves back as j grows; a queue of
candidates with the position from which each is best gives a row in O(n log n), in practice about ten costs an
atom (Hirschberg and Larmore 1987; Galil and Giancarlo 1989).  The inequality also makes the least sum of
squares f convex in k, so that every k is reached at some price (Aggarwal, Schieber and Tokuyama 1994); if the
solutions found at the same price jump over k, one with k runs is spliced from two of them (their lemma 3).

Every price gives a lower bound, f(k) >= F(n) - p k, which is the certificate.

The catch is rounding.  A cost is a difference of sums over all atoms before a place.  They are taken about
the mean, kept as sums of two doubles, and begun at both ends of the data, so that a run in a tail is a
difference of sums over no more than that tail.  What is lost is then the rounding of one subtraction,
1e-16 W c^2 in a run of mass W at distance c from the mean, and over all runs 1e-16 of the variance.  That is
1e-16 k^2 of the answer, far below the spacing of local optima, and it is subtracted from the bound.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray, IntArray

__all__ = ["AtomicOptimum", "Partition", "least_squares_partition", "optimal_codepoints"]

# Prices tried before two solutions are spliced; 5 to 12 suffice unless many partitions are equally good.
_PRICES = 100
# First price, in units of the total second moment over runs^3: twice Panter and Dite's constant, which is
# about 3 for the laws of practice.  Tenfold wrong costs two more passes.
_GUESS = 6.0
# Rounding of all costs of a partition together, in units of the total second moment and of the answer per
# run: the sums of three subtractions, a product and a quotient, doubled.
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Partition:
    """Runs of atoms: run r holds atoms ends[r] .. ends[r + 1] - 1; no partition costs less than `bound`."""

    ends: IntArray
    bound: float


def least_squares_partition(values: FloatArray, weights: FloatArray, runs: int) -> Partition:
    """Cut ascending, distinct atoms into runs of least sum of squares about their centroids.

    Parameters
    ----------
    values : ndarray of float64, shape (n,), strictly ascending
    weights : ndarray of float64, shape (n,), positive
    runs : int, 1 to n

    Notes
    -----
    Memory: 80 bytes an atom.
    """
    n = values.size
    reached = np.cumsum(weights)
    middle = int(np.searchsorted(reached, reached[-1] / 2))
    sums = _prefix_sums(values, weights, float(np.average(values, weights=weights)), middle)
    total = float(_cost(sums, middle, 0, n))
    if runs in (1, n):
        ends = np.array([0, n]) if runs == 1 else np.arange(n + 1)
        return Partition(ends, total * (1 - _ROUNDING) if runs == 1 else 0.0)
    few, many, bound = _bracket(sums, middle, runs, _GUESS * total / runs**3)
    ends = few if few.size == runs + 1 else _spliced(few, many, runs)
    cost: float = sum(_cost(sums, middle, int(i), int(j)) for i, j in itertools.pairwise(ends))
    return Partition(ends, max(0.0, min(bound, cost) - _ROUNDING * (total + runs * cost)))


@dataclass(frozen=True)
class AtomicOptimum:
    """Centroids of the runs of an optimal partition, and a lower bound of the sum of squares."""

    codepoints: FloatArray
    bound: float


def optimal_codepoints(values: FloatArray, weights: FloatArray, levels: int) -> AtomicOptimum:
    """Find the best codepoints for ascending atoms; see `least_squares_partition`."""
    partition = least_squares_partition(values, weights, levels)
    start = partition.ends[:-1]
    codepoints = np.add.reduceat(weights * values, start) / np.add.reduceat(weights, start)
    return AtomicOptimum(codepoints, partition.bound)


def _bracket(sums: FloatArray, middle: int, runs: int, price: float) -> tuple[IntArray, IntArray, float]:
    """Optimal partitions with at most and at least so many runs, and the best lower bound met."""
    n = sums.shape[0] - 2
    low, many = 0.0, np.arange(n + 1)
    high, few = math.inf, np.array([0, n])
    bound = 0.0
    for attempt in range(_PRICES):
        ends, priced = _priced(sums, middle, price)
        count = ends.size - 1
        bound = max(bound, priced - price * runs)
        if count <= runs:
            high, few = price, ends
        if count >= runs:
            low, many = price, ends
        if count == runs or not low < (price := _next_price(low, many, high, few, runs, attempt)) < high:
            break
    return few, many, bound


def _next_price(low: float, many: IntArray, high: float, few: IntArray, runs: int, attempt: int) -> float:
    """Between two prices, where counts as price^(-1/3) suggest (Panter and Dite), or in the middle."""
    if high == math.inf:
        return low * 8 * max(1.0, ((many.size - 1) / runs) ** 3)
    if low == 0.0:
        return high / 8 * min(1.0, ((few.size - 1) / runs) ** 3)
    above, below = math.log((many.size - 1) / runs), math.log((few.size - 1) / runs)
    share = above / (above - below) if attempt % 3 else 0.5
    share = min(max(share, 0.02), 0.98)
    return float(low * (high / low) ** share)


@kernel
def _two_sum(high: float, low: float, term: float) -> tuple[float, float]:
    total = high + term
    part = total - high
    return total, low + ((high - (total - part)) + (term - part))


@kernel
def _prefix_sums(values: FloatArray, weights: FloatArray, centre: float, middle: int) -> FloatArray:
    """Sum w, w x and w x^2 before each place, x from the centre, each as the sum of two doubles.

    Past the place `middle` they lack the sums over everything, which stand in the last row.
    """
    n = values.size
    sums = np.zeros((n + 2, 6))
    for i in range(middle):
        term = weights[i]
        for k in range(0, 6, 2):
            sums[i + 1, k], sums[i + 1, k + 1] = _two_sum(sums[i, k], sums[i, k + 1], term)
            term *= values[i] - centre
    first_half = sums[middle].copy()
    for i in range(n - 1, middle - 1, -1):
        term = -weights[i]
        for k in range(0, 6, 2):
            sums[i, k], sums[i, k + 1] = _two_sum(sums[i + 1, k], sums[i + 1, k + 1], term)
            term *= values[i] - centre
    for k in range(0, 6, 2):
        high, low = sums[middle, k], sums[middle, k + 1]
        sums[n + 1, k], sums[n + 1, k + 1] = _two_sum(first_half[k], first_half[k + 1] - low, -high)
    sums[middle] = first_half
    return sums


@kernel
def _between(sums: FloatArray, middle: int, i: int, j: int, k: int) -> Any:
    high, low = sums[j, k], sums[j, k + 1]
    if i <= middle < j:
        high, low = _two_sum(high, low + sums[-1, k + 1], sums[-1, k])
    return (high - sums[i, k]) + (low - sums[i, k + 1])


@kernel
def _cost(sums: FloatArray, middle: int, i: int, j: int) -> Any:
    """Sum of squares of atoms i .. j - 1 about their centroid."""
    if j == i + 1:
        return 0.0
    mass = _between(sums, middle, i, j, 0)
    first = _between(sums, middle, i, j, 2)
    second = _between(sums, middle, i, j, 4)
    # A mass that vanishes beside all others leaves nothing to divide by, and costs nothing.
    return max(0.0, second - first * first / mass) if mass > 0.0 else 0.0


@kernel
def _overtaken(sums: FloatArray, middle: int, best: FloatArray, new: int, old: int, last: int, n: int) -> int:
    """First end > last of a run that starts better at atom `new` than at `old`; n + 1 if there is none."""
    low = last
    step = 1
    high = min(low + step, n)
    while best[new] + _cost(sums, middle, new, high) > best[old] + _cost(sums, middle, old, high):
        low = high
        if low == n:
            return n + 1
        step *= 2
        high = min(low + step, n)
    while high - low > 1:
        end = (low + high) // 2
        if best[new] + _cost(sums, middle, new, end) > best[old] + _cost(sums, middle, old, end):
            low = end
        else:
            high = end
    return high


@kernel
def _priced(sums: FloatArray, middle: int, price: float) -> tuple[IntArray, float]:
    """Partition of least cost + price * runs: its ends, and that least value."""
    n = sums.shape[0] - 2
    best = np.zeros(n + 1)
    start = np.zeros(n + 1, np.int32)
    candidate = np.zeros(n + 1, np.int32)
    since = np.ones(n + 1, np.int32)
    head = tail = 0
    for j in range(1, n + 1):
        while head < tail and since[head + 1] <= j:
            head += 1
        i = candidate[head]
        start[j] = i
        best[j] = best[i] + _cost(sums, middle, i, j) + price
        if j == n:
            break
        while tail > head or (tail == head and since[tail] > j):
            old, first = candidate[tail], since[tail]
            if first <= j or best[j] + _cost(sums, middle, j, first) > best[old] + _cost(
                sums, middle, old, first
            ):
                break
            tail -= 1
        if tail < head:
            first = j + 1
        else:
            first = _overtaken(sums, middle, best, j, candidate[tail], max(since[tail], j), n)
        if first <= n:
            tail += 1
            candidate[tail] = j
            since[tail] = first
    return _ends_of(start, n), best[n]


@kernel
def _ends_of(start: IntArray, n: int) -> IntArray:
    """Ends of the runs that lead to n, from where the last run of each prefix starts."""
    count = 0
    j = n
    while j > 0:
        j = start[j]
        count += 1
    ends = np.empty(count + 1, np.int64)
    j = n
    for r in range(count, -1, -1):
        ends[r] = j
        j = start[j]
    return ends


@kernel
def _spliced(few: IntArray, many: IntArray, runs: int) -> IntArray:
    """Partition into so many runs from two that are optimal at one price, one with fewer and one with more.

    Where run r + s of the second lies inside run r of the first, s = runs - runs of the first, the beginning
    of the second up to that run and the end of the first after it make a partition that costs no more at that
    price (Aggarwal, Schieber and Tokuyama 1994, lemma 3).
    """
    shift = runs - (few.size - 1)
    r = 0
    while not (few[r] <= many[r + shift] and many[r + shift + 1] <= few[r + 1]):
        r += 1
    ends = np.empty(runs + 1, np.int64)
    ends[: r + shift + 1] = many[: r + shift + 1]
    ends[r + shift + 1 :] = few[r + 1 :]
    return ends
