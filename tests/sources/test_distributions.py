"""Densities, tail probabilities and quantiles of every source."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from .strategies import (
    laws,
    places,
    powers,
    rescaled,
    student_laws,
    unbounded_laws,
)

INF = math.inf
EXACT = 1e-12


@given(laws, places, powers(1e-3, 1e3))
def test_density_of_a_scaled_law_is_the_scaled_density(law, place, factor):
    x = place * law.std
    # The density's logarithm changes by at most its own size times the power of x in it, per unit of x / std.
    slack = 1e-13 * (1 + 60 * abs(float(law.logpdf(x)))) if law.pdf(x) > 0 else 0
    assume(abs(abs(x) / law.support[1] - 1) > 1e-12)
    assert rescaled(law, factor).pdf(x * factor) * factor == pytest.approx(law.pdf(x), rel=slack, abs=1e-300)


@given(laws, st.lists(places, min_size=1, max_size=20))
def test_densities_tails_and_quantiles_are_symmetric_to_the_last_bit(law, spots):
    x = np.array(spots) * law.std
    assert law.symmetric
    assert (law.pdf(-x) == law.pdf(x)).all()
    assert (law.logpdf(-x) == law.logpdf(x)).all()
    assert (law.cdf(-x) == law.sf(x)).all()
    q = law.sf(np.abs(x))
    assert (law.ppf(q) == -law.isf(q)).all()


@given(laws, places)
def test_both_tails_add_up_to_one(law, place):
    x = place * law.std
    assert law.cdf(x) + law.sf(x) == pytest.approx(1.0, abs=2.3e-16)


@given(laws, places)
def test_lower_quantile_inverts_the_distribution_function(law, place):
    x = -abs(place) * law.std
    assume(law.support[0] * (1 - 1e-3) < x)
    assume(law.cdf(x) > 1e-290)
    assert law.ppf(law.cdf(x)) == pytest.approx(x, rel=1e-10, abs=1e-13 * law.std)


@given(laws, powers(1e-300, 0.5))
def test_tail_at_an_upper_quantile_is_its_probability(law, q):
    x = law.isf(q)
    # Rounding x by one unit moves the tail by x f / q of them; nothing else may.
    slack = 1e-12 + 4e-16 * float(x * law.pdf(x)) / q
    assert law.sf(x) == pytest.approx(q, rel=slack, abs=0)


@given(laws)
def test_quantiles_of_zero_half_and_one_are_ends_and_centre(law):
    low, high = law.support
    assert law.ppf([0.0, 0.5, 1.0]).tolist() == [low, 0.0, high]
    assert law.isf([0.0, 0.5, 1.0]).tolist() == [high, 0.0, low]


@given(laws, st.integers(1, 2**20 - 1))
def test_quantiles_of_complementary_probabilities_are_opposite_to_the_last_bit(law, numerator):
    q = numerator / 2**20  # so that 1 - q is exact
    assert law.isf(1 - q) == -law.isf(q)
    assert law.ppf(1 - q) == law.isf(q)


@given(laws, st.lists(powers(1e-250, 0.5), min_size=2, max_size=20))
def test_quantiles_rise_with_probability(law, levels):
    q = np.sort(levels)
    assert (np.diff(law.ppf(q)) >= 0).all()
    assert (np.diff(law.isf(q)) <= 0).all()


@given(laws, st.lists(places, min_size=2, max_size=20))
def test_distribution_function_never_falls(law, spots):
    x = np.sort(spots) * law.std
    assert (np.diff(law.cdf(x)) >= 0).all()
    assert (np.diff(law.sf(x)) <= 0).all()


@given(unbounded_laws, places)
def test_mass_of_an_infinite_cell_is_the_tail_probability(law, place):
    x = place * law.std
    assume(law.sf(abs(x)) > 1e-280)
    assert law.probability(x, INF) == pytest.approx(law.sf(x), rel=EXACT, abs=0)
    assert law.probability(-INF, x) == pytest.approx(law.cdf(x), rel=EXACT, abs=0)


@given(laws, places)
def test_density_is_the_derivative_of_the_distribution_function(law, place):
    x = place * law.std
    assume(abs(place) > 1e-2)
    assume(law.pdf(x) > 1e-250)
    step = abs(x) * 1e-9
    assume(abs(x) + step < law.support[1])
    # Second-order error of the central quotient; the density changes over x / 50 at the fastest (beta = 50),
    # or over x / log f in a tail.
    fastest = 50 * (1 + abs(float(law.logpdf(x * 1.0)) + math.log(law.std)))
    slope = law.probability(x - step, x + step) / ((x + step) - (x - step))
    assert slope == pytest.approx(law.pdf(x), rel=(fastest * 1e-9) ** 2 + EXACT, abs=0)


@given(laws, places)
def test_logarithm_of_the_density_is_the_log_density(law, place):
    x = place * law.std
    density = float(law.pdf(x))
    assume(density == 0 or density > 1e-290)
    if density == 0:
        assert law.logpdf(x) == -INF or law.logpdf(x) < -600
    else:
        assert math.log(density) == pytest.approx(float(law.logpdf(x)), rel=EXACT, abs=EXACT)


@given(student_laws, powers(10, 1e100), powers(1e10, 1e200))
def test_log_density_of_student_t_goes_on_where_the_density_is_lost(law, start, factor):
    place = start * math.sqrt(law.df) * 1e8
    fall = law.logpdf(place * law.std) - law.logpdf(place * factor * law.std)
    assert fall == pytest.approx((law.df + 1) * math.log(factor), rel=EXACT)


@given(laws)
def test_values_that_are_not_numbers_stay_so(law):
    for method in (law.pdf, law.logpdf, law.cdf, law.sf, law.ppf, law.isf):
        assert np.isnan(method(np.nan))
        assert not np.isnan(method([np.nan, 0.25])[1])


@given(laws, st.sampled_from([-1e-300, -1.0, 1.0 + 1e-15, 2.0, INF, -INF]))
def test_probabilities_outside_zero_to_one_have_no_quantile(law, q):
    assert np.isnan(law.ppf(q))
    assert np.isnan(law.isf(q))
