"""Panels fitted to a density, and quantiles solved from tail probabilities: what wrapped laws stand on."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from bitlaw.theory import Laplace, Logistic, Mixture, Normal, StudentT, Truncated, Uniform
from bitlaw.theory.sources.inversion import lower_quantile, upper_quantile
from bitlaw.theory.sources.panels import entropy_over, landmarks, moments_over, panel_edges, tail_power

from ..laws import symmetric, unbounded

INF = math.inf
ENTIRE = (-INF, INF)
NORMAL = Normal()
EDGES = panel_edges(NORMAL.pdf, ENTIRE, landmarks(NORMAL))


def edges_of(law):
    return panel_edges(law.pdf, law.support, landmarks(law))


def relative(got, expected):
    size = np.stack([expected[0], np.sqrt(expected[0]) * np.sqrt(expected[2]), expected[2]])
    return np.max(np.abs(got - expected) / np.where(size > 0, size, 1.0))


@given(symmetric)
def test_edges_ascend_strictly_and_cover_the_support(law):
    edges = edges_of(law)
    assert (np.diff(edges) > 0).all()
    low, high = law.support
    if math.isfinite(high):
        assert (edges[0], edges[-1]) == (low, high)
    else:
        assert edges[0] < law.ppf(1e-15)
        assert edges[-1] > law.isf(1e-15)


@given(unbounded(), st.floats(-6, 6), st.floats(1e-9, 10), st.floats(-6, 6))
def test_panels_of_a_density_answer_like_the_law_itself(law, lower, width, about):
    cell = [np.array([v * law.std]) for v in (lower, lower + width, about)]
    got = moments_over(law.pdf, edges_of(law), *cell)
    assert relative(got, law.partial_moments(*cell)) < 1e-11


@given(symmetric)
def test_panels_carry_the_entropy(law):
    expected = law.differential_entropy()
    assert entropy_over(law, edges_of(law)) == pytest.approx(expected, abs=1e-10)


@given(st.floats(-8, 8), st.floats(-8, 8), st.floats(-8, 8))
def test_cells_may_share_panels_and_answers_do_not_depend_on_company(a, b, c):
    low, high = min(a, b), max(a, b)
    cells = np.array([[-1.0, 0.5, 0.0], [low, high, c], [3.0, INF, 3.0]]).T
    alone = moments_over(NORMAL.pdf, EDGES, *cells[:, 1:2])
    assert (moments_over(NORMAL.pdf, EDGES, *cells)[:, 1:2] == alone).all()


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=30, unique=True).map(sorted))
def test_any_partition_of_the_line_has_mass_one(cuts):
    ends = np.array([-INF, *cuts, INF])
    moments = moments_over(NORMAL.pdf, EDGES, ends[:-1], ends[1:], np.zeros(ends.size - 1))
    assert moments.sum(axis=1) == pytest.approx([1.0, 0.0, 1.0], rel=1e-13, abs=1e-14)


def test_a_normal_law_needs_about_a_hundred_panels():
    assert EDGES.size < 150


def test_a_spike_between_the_first_cuts_is_found_from_its_landmarks():
    law = Mixture([Normal(), Normal(1e-9)], [0.5, 0.5])
    marks = np.concatenate([landmarks(part) for part in law.components])
    edges = panel_edges(law.pdf, ENTIRE, marks)
    mass = moments_over(law.pdf, edges, np.array([-5e-9]), np.array([5e-9]), np.zeros(1))[0, 0]
    assert mass == pytest.approx(float(law.probability(-5e-9, 5e-9)), rel=1e-12)


def test_a_spike_without_landmarks_is_missed_and_the_mass_tells():
    law = Mixture([Normal(), Normal(1e-9)], [0.5, 0.5])

    def shifted(x):
        return law.pdf(x - 0.123456)

    with pytest.raises(ValueError, match="must integrate to one"):
        panel_edges(shifted, ENTIRE, landmarks(NORMAL))


@pytest.mark.parametrize("factor", [0.5, 1 + 1e-6, 2.0])
def test_a_density_that_does_not_integrate_to_one_is_refused(factor):
    with pytest.raises(ValueError, match="must integrate to one, got"):
        panel_edges(lambda x: factor * NORMAL.pdf(x), ENTIRE, landmarks(NORMAL))


def test_a_density_that_is_nowhere_smooth_is_refused():
    def noisy(x):
        return NORMAL.pdf(x) * (1 + 0.5 * np.sin(1e9 * np.asarray(x)))

    with pytest.raises(ValueError, match="piecewise smooth"):
        panel_edges(noisy, ENTIRE, landmarks(NORMAL))


def test_no_cells_have_no_moments():
    nothing = np.zeros(0)
    assert moments_over(NORMAL.pdf, EDGES, nothing, nothing, nothing).shape == (3, 0)


@pytest.mark.parametrize(("power", "exponent"), [(2.5, 3.5), (3.0, 4.0), (7.0, 8.0)])
def test_the_power_of_a_tail_is_read_off_the_density(power, exponent):
    law = StudentT(power)
    assert tail_power(law.pdf, edges_of(law), ENTIRE) == pytest.approx(exponent, rel=1e-6)


def test_one_heavy_tail_is_heavy_enough():
    frozen = scipy.stats.crystalball(2.0, 4.0)  # a power tail on the left alone
    marks = np.concatenate([frozen.ppf([1e-9, 1e-3, 0.1, 0.5, 0.9, 1 - 1e-9]), [-2.0]])
    edges = panel_edges(frozen.pdf, ENTIRE, marks)
    assert tail_power(frozen.pdf, edges, ENTIRE) == pytest.approx(4.0, rel=1e-3)


def test_light_and_bounded_tails_have_no_power():
    assert tail_power(NORMAL.pdf, EDGES, ENTIRE) > 100
    law = Uniform()
    assert tail_power(law.pdf, edges_of(law), law.support) == INF


def test_landmarks_are_finite_and_ascending():
    for law in (NORMAL, StudentT(2.1), Uniform(), Truncated(Laplace(), -1.0, INF)):
        marks = landmarks(law)
        assert np.isfinite(marks).all()
        assert (np.diff(marks) > 0).all()
        assert set(law.breakpoints) <= set(marks)


# Quantiles


def wide(q):
    """Bounds that know nothing of the law."""
    return np.full(np.shape(q), -1e4), np.full(np.shape(q), 1e4)


@given(st.sampled_from([Normal(), Laplace(), Logistic()]), st.floats(-300, -0.31).map(lambda e: 10**e))
def test_quantiles_from_wide_bounds_are_the_laws_own(law, q):
    levels = np.array([q])
    assert upper_quantile(law, levels, *wide(levels)) == pytest.approx(law.isf(levels), rel=1e-12)
    assert lower_quantile(law, levels, *wide(levels)) == pytest.approx(law.ppf(levels), rel=1e-12)


@given(st.floats(0.5, 1 - 2.0**-53))
def test_probabilities_above_a_half_are_solved_in_the_other_tail(q):
    levels = np.array([q])
    assert lower_quantile(NORMAL, levels, *wide(levels)) == pytest.approx(
        NORMAL.isf(1 - levels), rel=1e-12, abs=1e-15
    )


def test_quantiles_of_a_heavy_tail_are_found_over_a_hundred_decades():
    law = StudentT(3.0)
    q = 10.0 ** -np.arange(1, 200, 9.0)
    found = upper_quantile(law, q, np.full(q.shape, -1.0), np.full(q.shape, 1e100))
    assert found == pytest.approx(law.isf(q), rel=1e-12)


def test_quantiles_cross_an_interval_without_mass():
    """A gap between two bounded parts: any point of it is a median, and both sides are exact."""
    left, right = Truncated(Uniform(), -1.5, -1.0), Truncated(Uniform(), 1.0, 1.5)
    law = Mixture([left, right], [0.5, 0.5])
    q = np.array([0.25, 0.4999999, 0.5000001, 0.75])
    assert law.ppf(q) == pytest.approx([-1.25, -1.0000001, 1.0000001, 1.25], rel=1e-12)
    assert -1.0 <= law.ppf(0.5) <= 1.0


def test_equal_bounds_are_the_answer():
    q = np.array([0.3, 0.1])
    assert lower_quantile(NORMAL, q, np.array([7.0, 8.0]), np.array([7.0, 8.0])).tolist() == [7.0, 8.0]


def test_quantiles_outside_zero_to_one_are_not_numbers():
    q = np.array([-0.1, 1.1, np.nan])
    assert np.isnan(lower_quantile(NORMAL, q, *wide(q))).all()
    assert np.isnan(upper_quantile(NORMAL, q, *wide(q))).all()
    ends = np.array([0.0, 1.0])
    assert lower_quantile(NORMAL, ends, *wide(ends)).tolist() == [-INF, INF]
    assert upper_quantile(NORMAL, ends, *wide(ends)).tolist() == [INF, -INF]


def test_shapes_are_kept():
    assert lower_quantile(NORMAL, np.float64(0.3), np.float64(-9.0), np.float64(9.0)).shape == ()
    q = np.full((2, 3), 0.3)
    assert lower_quantile(NORMAL, q, *wide(q)).shape == (2, 3)
    assert lower_quantile(NORMAL, np.zeros(0), *wide(np.zeros(0))).shape == (0,)


@dataclasses.dataclass(frozen=True)
class _Stepped(Normal):
    """Tail probabilities rounded to ten digits, as a careless implementation would have them."""

    def cdf(self, x):
        return np.round(special.ndtr(x), 10)


def test_a_distribution_function_with_steps_does_not_trap_the_search():
    q = np.array([0.1, 0.25, 0.4])
    assert lower_quantile(_Stepped(), q, *wide(q)) == pytest.approx(special.ndtri(q), abs=1e-8)
