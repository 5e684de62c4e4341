"""The dynamic programme finds the least sum of squares that exhaustive search finds."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.quantisers import _partition
from bitlaw.theory.quantisers._partition import least_squares_partition

values_drawn = st.one_of(
    st.lists(st.integers(-8, 8), min_size=1, max_size=9, unique=True),
    st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 4)), min_size=1, max_size=9, unique=True),
).map(lambda x: np.sort(np.array(x, dtype=np.float64)))


def cost(values, weights, ends):
    """Sum of squares about the centroids, in exact arithmetic."""
    total = Fraction(0)
    for start, stop in itertools.pairwise(ends):
        x, w = [[Fraction(v) for v in part[start:stop].tolist()] for part in (values, weights)]
        mass, first = sum(w), sum(a * b for a, b in zip(w, x, strict=True))
        total += sum(a * b * b for a, b in zip(w, x, strict=True)) - first * first / mass
    return total


def least_cost(values, weights, runs):
    """Exhaustive search."""
    cuts = itertools.combinations(range(1, len(values)), runs - 1)
    return min(cost(values, weights, (0, *cut, len(values))) for cut in cuts)


def tabulated(values, weights, most):
    """Least cost for 1 .. most runs by the textbook recursion over all pairs of ends."""
    n = len(values)
    single = np.full((n + 1, n + 1), np.inf)
    for i, j in itertools.combinations(range(n + 1), 2):
        x, w = values[i:j], weights[i:j]
        single[i, j] = (w * (x - np.average(x, weights=w)) ** 2).sum()
    best = np.append(0.0, np.full(n, np.inf))
    answers = []
    for _ in range(most):
        best = (best[:, None] + single).min(axis=0)
        answers.append(best[n])
    return np.array(answers)


@given(values=values_drawn, data=st.data())
def test_the_partition_is_the_best_of_all(values, data):
    weights = data.draw(st.lists(st.integers(1, 4), min_size=values.size, max_size=values.size).map(np.array))
    runs = data.draw(st.integers(1, values.size))
    partition = least_squares_partition(values, weights.astype(np.float64), runs)
    assert partition.ends[0] == 0
    assert partition.ends[-1] == values.size
    assert (np.diff(partition.ends) > 0).all()
    best = least_cost(values, weights, runs)
    rounding = Fraction(1e-13) * cost(values, weights, (0, values.size))
    assert len(partition.ends) == runs + 1
    assert cost(values, weights, partition.ends) <= best + rounding
    assert best - rounding <= Fraction(partition.bound) <= best


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(10, 60),
    most=st.integers(2, 10),
    ties=st.booleans(),
    heavy=st.booleans(),
)
def test_every_number_of_runs_agrees_with_the_textbook_recursion(seed, n, most, ties, heavy):
    rng = np.random.default_rng(seed)
    values = rng.standard_cauchy(n) if heavy else rng.standard_normal(n)
    # Equal spacing and equal weights make many partitions equally good, so that prices jump over counts.
    values = np.arange(n, dtype=np.float64) if ties else np.sort(values)
    weights = np.ones(n) if ties else rng.lognormal(0, 2, n)
    expected = tabulated(values, weights, most)
    found = [
        float(cost(values, weights, least_squares_partition(values, weights, k).ends))
        for k in range(1, most + 1)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13 * expected[0])


def test_costs_lose_no_more_than_one_rounding_of_their_own_terms():
    values = np.sort(np.random.default_rng(0).standard_normal(100_000))
    centre = float(values.mean())
    sums = _partition._prefix_sums(values, np.ones(values.size), centre, values.size // 2)
    for start, stop in [(0, 5), (100, 130), (49_990, 50_010), (70_000, 70_003), (99_000, 99_100)]:
        exact = float(cost(values, np.ones(values.size), (start, stop)))
        found = _partition._cost(sums, values.size // 2, start, stop)
        terms = ((values[start:stop] - centre) ** 2).sum()
        assert abs(found - exact) <= 1e-15 * terms


def test_the_price_of_a_run_gives_a_lower_bound():
    values, weights = np.arange(64.0), np.ones(64)
    sums = _partition._prefix_sums(values, weights, 31.5, 32)
    few, many, bound = _partition._bracket(sums, 32, 33, 1.0)
    assert few.size - 1 < 33 < many.size - 1
    assert bound == pytest.approx(31 / 2, rel=1e-12)


def test_counts_that_no_price_reaches_are_spliced_from_their_neighbours():
    values, weights = np.arange(64.0), np.ones(64)
    partition = least_squares_partition(values, weights, 33)
    # 31 pairs and two single atoms: at the one price where 33 runs are optimal 32 and 64 are as well.
    assert float(cost(values, weights, partition.ends)) == 31 / 2
    few, many = np.arange(0, 65, 2), np.arange(65)
    for runs in range(32, 65):
        ends = _partition._spliced(few, many, runs)
        assert float(cost(values, weights, ends)) == (64 - runs) / 2


@pytest.mark.parametrize("levels", [2, 16, 100])
def test_the_optimum_is_that_of_an_independent_program(levels):
    values = np.sort(np.random.default_rng(levels).standard_normal(20_000))
    partition = least_squares_partition(values, np.ones(values.size), levels)
    _, centroids = pytest.importorskip("kmeans1d").cluster(values, levels)
    midpoints = (np.array(centroids)[1:] + np.array(centroids)[:-1]) / 2
    ends = np.concatenate([[0], np.searchsorted(values, midpoints), [values.size]])
    theirs, ours = (
        sum(np.var(run) * run.size for run in np.split(values, e[1:-1])) for e in (ends, partition.ends)
    )
    assert ours <= theirs * (1 + 1e-11)
    assert theirs <= ours * (1 + 1e-11)
    assert ours * (1 - 1e-9) <= partition.bound <= ours


def test_tails_of_vanishing_mass_keep_their_digits():
    # Masses fall to 1e-132 of the largest; sums from one end to the other would not feel the far tail.
    powers = np.arange(1, 101)
    values = np.concatenate([-(4.0 ** powers[::-1]), [0.0], 4.0**powers])
    weights = np.concatenate([4.0 ** (-2.2 * powers[::-1]), [1.0], 4.0 ** (-2.2 * powers)])
    partition = least_squares_partition(values, weights, 41)
    found = float(cost(values, weights, partition.ends))
    assert found == pytest.approx(tabulated(values, weights, 41)[-1], rel=1e-12)
    assert found * (1 - 1e-9) <= partition.bound <= found
