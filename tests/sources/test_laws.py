"""Laws that every source obeys, whatever its family, shape and scale."""

import dataclasses
import math
import pickle
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from bitlaw.theory import (
    GeneralisedNormal,
    Laplace,
    Logistic,
    Mixture,
    Normal,
    StudentT,
    Truncated,
    Uniform,
    from_scipy,
)

from .strategies import (
    absolute_first_moment,
    cells,
    generalised_laws,
    laws,
    places,
    plain_laws,
    powers,
    stds,
    student_laws,
    unbounded_laws,
)

INF = math.inf
EXACT = 1e-12


def assert_moments_close(law, got, expected, lower, upper, about, tolerance=EXACT):
    size = [expected[0], absolute_first_moment(law, lower, upper, about), expected[2]]
    assert (np.abs(got - expected) <= tolerance * np.array(size)).all(), (got, expected, size)


def rescaled(law, factor):
    return dataclasses.replace(law, std=law.std * factor)


# Scale and symmetry


@given(laws, places, powers(1e-3, 1e3))
def test_density_of_a_scaled_law_is_the_scaled_density(law, place, factor):
    x = place * law.std
    # The density's logarithm changes by at most its own size times the power of x in it, per unit of x / std.
    slack = 1e-13 * (1 + 60 * abs(float(law.logpdf(x)))) if law.pdf(x) > 0 else 0
    assume(abs(abs(x) / law.support[1] - 1) > 1e-12)
    assert rescaled(law, factor).pdf(x * factor) * factor == pytest.approx(law.pdf(x), rel=slack, abs=1e-300)


@given(cells(), st.integers(-40, 40))
def test_moments_scale_exactly_with_powers_of_two(cell, exponent):
    law, lower, upper, about = cell
    factor = 2.0**exponent
    scaled = rescaled(law, factor).partial_moments(lower * factor, upper * factor, about * factor)
    expected = law.partial_moments(lower, upper, about) * factor ** np.arange(3)
    assert scaled == pytest.approx(expected, rel=4e-15, abs=0) or not np.isfinite(expected).all()


@given(cells())
def test_mirrored_cells_have_mirrored_moments_to_the_last_bit(cell):
    law, lower, upper, about = cell
    mirrored = law.partial_moments(-upper, -lower, -about)
    assert (mirrored * [1, -1, 1] == law.partial_moments(lower, upper, about)).all()


@given(laws, st.lists(places, min_size=3, max_size=40, unique=True).map(sorted), places)
def test_mirrored_partitions_have_mirrored_moments_to_the_last_bit(law, ends, about):
    edges = np.concatenate([[-INF], np.array(ends) * law.std, [INF]])
    plain = law.partial_moments(edges[:-1], edges[1:], about)
    mirrored = law.partial_moments(-edges[:0:-1], -edges[-2::-1], -about)[:, ::-1]
    assert (mirrored * np.array([[1], [-1], [1]]) == plain).all()


@given(laws, st.lists(places, min_size=1, max_size=20))
def test_densities_tails_and_quantiles_are_symmetric_to_the_last_bit(law, spots):
    x = np.array(spots) * law.std
    assert law.symmetric
    assert (law.pdf(-x) == law.pdf(x)).all()
    assert (law.logpdf(-x) == law.logpdf(x)).all()
    assert (law.cdf(-x) == law.sf(x)).all()
    q = law.sf(np.abs(x))
    assert (law.ppf(q) == -law.isf(q)).all()


# Distribution functions and quantiles


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


# Partial moments


@given(cells(), st.floats(0, 1))
def test_moments_of_two_parts_add_up_to_the_whole(cell, share):
    law, lower, upper, about = cell
    cut = lower + share * ((upper if upper < INF else lower + 9 * law.std) - lower)
    parts = law.partial_moments([lower, cut], [cut, upper], about).sum(axis=1)
    assert_moments_close(law, parts, law.partial_moments(lower, upper, about), lower, upper, about)


@given(laws, st.lists(places, min_size=1, max_size=80), places)
def test_any_partition_of_the_line_holds_the_whole_law(law, ends, about):
    about *= law.std
    edges = np.concatenate([[-INF], np.sort(ends) * law.std, [INF]])
    total = law.partial_moments(edges[:-1], edges[1:], about).sum(axis=1)
    expected = np.array([1.0, -about, law.std**2 + about**2])
    assert_moments_close(law, total, expected, -INF, INF, about)


@given(laws, places)
def test_whole_line_has_mass_one_mean_and_variance(law, about):
    about *= law.std
    mass, first, second = law.partial_moments(-INF, INF, about)
    assert mass == pytest.approx(1.0, rel=EXACT, abs=0)
    assert first == pytest.approx(law.mean - about, rel=EXACT, abs=EXACT * law.std)
    assert second == pytest.approx(law.std**2 + about**2, rel=EXACT, abs=0)


@given(cells())
def test_moments_about_another_point_are_the_shifted_ones(cell):
    law, lower, upper, about = cell
    mass, first, second = law.partial_moments(lower, upper)
    moved = law.partial_moments(lower, upper, about)
    absolute = absolute_first_moment(law, lower, upper, 0.0)
    terms = [mass, absolute + abs(about) * mass, second + 2 * abs(about) * absolute + about**2 * mass]
    expected = [mass, first - about * mass, second - 2 * about * first + about**2 * mass]
    assert (np.abs(moved - expected) <= EXACT * np.array(terms)).all()


@given(cells())
def test_centroid_lies_in_its_cell(cell):
    law, lower, upper, _ = cell
    start = lower if math.isfinite(lower) else 0.0
    mass, first, _ = law.partial_moments(lower, upper, start)
    width = upper - start
    assert -1e-14 * width <= first / mass <= width * (1 + 1e-14)


@given(cells())
def test_variance_of_a_cell_is_positive_and_below_a_quarter_of_its_squared_width(cell):
    law, lower, upper, _ = cell
    mass, first, _ = law.partial_moments(lower, upper, lower)
    centroid = lower + first / mass
    mass, first, second = law.partial_moments(lower, upper, centroid)
    variance = second / mass - (first / mass) ** 2
    assert 0 <= variance <= (upper - lower) ** 2 / 4 * (1 + EXACT)


@given(cells())
def test_second_moment_is_least_about_the_centroid(cell):
    law, lower, upper, about = cell
    mass, first, second = law.partial_moments(lower, upper, about)
    centroid = about + first / mass
    least = law.partial_moments(lower, upper, centroid)[2]
    assert second == pytest.approx(least + (first / mass) ** 2 * mass, rel=1e-11, abs=0)


@given(cells())
def test_squared_first_moment_is_at_most_mass_times_second(cell):
    mass, first, second = cell[0].partial_moments(*cell[1:])
    assert first**2 <= mass * second * (1 + EXACT)


@given(cells(), st.floats(0, 1))
def test_a_part_of_a_cell_has_less_mass_and_second_moment(cell, share):
    law, lower, upper, about = cell
    cut = lower + share * ((upper if upper < INF else lower + 9 * law.std) - lower)
    part, whole = law.partial_moments([lower, lower], [cut, upper], about).T
    assert part[0] <= whole[0] * (1 + EXACT)
    assert part[2] <= whole[2] * (1 + EXACT)


@given(laws, places | st.sampled_from([-INF, INF]), places)
def test_empty_cells_have_no_moments_at_all(law, end, about):
    assert (law.partial_moments(end * law.std, end * law.std, about * law.std) == 0).all()


@given(unbounded_laws, st.floats(0.05, 6), powers(1e-12, 1e-8))
def test_narrow_cells_are_uniform_to_first_order(law, place, share):
    lower = place * law.std
    upper = lower + share * law.std
    width = upper - lower
    density = float(law.pdf(lower))
    assume(density > 1e-280)
    mass, first, second = law.partial_moments(lower, upper, lower)
    steepness = width * 60 * (1 + abs(math.log(density * law.std))) / lower  # relative change over the cell
    assert mass == pytest.approx(density * width, rel=steepness + EXACT, abs=0)
    assert first == pytest.approx(density * width**2 / 2, rel=steepness + EXACT, abs=0)
    assert second == pytest.approx(density * width**3 / 3, rel=steepness + EXACT, abs=0)


@given(laws, st.lists(st.tuples(places, places, places), min_size=1, max_size=90))
def test_many_cells_are_the_same_as_each_alone(law, triples):
    ends = np.sort(np.array(triples)[:, :2] * law.std, axis=1)
    about = np.array(triples)[:, 2] * law.std
    together = law.partial_moments(ends[:, 0], ends[:, 1], about)
    for i in range(len(triples)):
        alone = law.partial_moments(ends[i, 0], ends[i, 1], about[i])
        assert_moments_close(law, together[:, i], alone, ends[i, 0], ends[i, 1], about[i], 1e-14)


@given(laws)
def test_arguments_broadcast_and_integers_are_numbers(law):
    out = law.partial_moments([[-1], [-2]], [0, 1, 2], 1)
    assert out.shape == (3, 2, 3)
    assert (out[:, 1, 2] == law.partial_moments(-2.0, 2.0, 1.0)).all()
    assert law.partial_moments([], []).shape == (3, 0)
    assert law.pdf([[1, 2]]).shape == (1, 2)
    assert np.shape(law.cdf(0)) == ()


@given(laws, st.sampled_from([0.0, 1e-320, 1e-300, 1e150, 1e300, INF]))
def test_extreme_arguments_are_answered_without_a_warning(law, x):
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for sign in (1, -1):
            assert 0 <= law.pdf(sign * x)
            assert law.logpdf(sign * x) < 700
            assert 0 <= law.cdf(sign * x) <= 1
            assert 0 <= law.sf(sign * x) <= 1
        moments = law.partial_moments([x, -INF, -x], [INF, -x, x])
    assert not np.isnan(moments).any()
    assert (moments[0] <= 1 + EXACT).all()


@given(laws)
def test_values_that_are_not_numbers_stay_so(law):
    for method in (law.pdf, law.logpdf, law.cdf, law.sf, law.ppf, law.isf):
        assert np.isnan(method(np.nan))
        assert not np.isnan(method([np.nan, 0.25])[1])


@given(laws, st.sampled_from([-1e-300, -1.0, 1.0 + 1e-15, 2.0, INF, -INF]))
def test_probabilities_outside_zero_to_one_have_no_quantile(law, q):
    assert np.isnan(law.ppf(q))
    assert np.isnan(law.isf(q))


# Entropy and shape


@given(laws, powers(1e-3, 1e3))
def test_entropy_grows_by_the_logarithm_of_the_scale(law, factor):
    grown = rescaled(law, factor).differential_entropy() - law.differential_entropy()
    assert grown == pytest.approx(math.log2(factor), abs=1e-12)


@given(laws)
def test_no_law_has_more_entropy_than_the_normal_law_of_its_variance(law):
    assert law.differential_entropy() <= Normal(law.std).differential_entropy() + 1e-12


@given(laws)
def test_closed_form_of_the_entropy_is_its_integral(law):
    by_panels = Mixture([law], [1.0]).differential_entropy()  # a mixture integrates
    assert by_panels == pytest.approx(law.differential_entropy(), abs=1e-11)


def curvature_of_log_density(law, place, step):
    """Second difference of log f on one side of 0, and what rounding may do to it."""
    x = np.array([place * (1 - step), place, place * (1 + step)]) * law.std
    left, middle, right = law.logpdf(x)
    return left - 2 * middle + right, 1e-14 * (1 + np.abs([left, middle, right]).max())


@given(unbounded_laws, st.floats(0.05, 5), st.floats(0.01, 0.5))
def test_log_density_of_a_log_concave_law_bends_down(law, place, step):
    curvature, rounding = curvature_of_log_density(law, place, step)
    assert curvature <= rounding or not law.log_concave


@given(generalised_laws, st.floats(0.05, 5), st.floats(0.1, 0.5))
def test_log_density_of_a_generalised_normal_law_bends_as_its_flag_says(law, place, step):
    curvature, rounding = curvature_of_log_density(law, place, step)
    assume(abs(curvature) > 2 * rounding)
    assert law.log_concave == (curvature < 0)


@given(student_laws, st.floats(0.1, 0.5))
def test_log_density_of_a_student_t_law_bends_up_in_its_tails(law, step):
    place = 3 * math.sqrt(law.df)  # it turns at sqrt(df) times the scale, which is below the deviation
    curvature, rounding = curvature_of_log_density(law, place, step)
    assert curvature > rounding
    assert not law.log_concave


@given(generalised_laws, places)
def test_breakpoints_are_where_the_density_is_not_analytic(law, place):
    assert law.breakpoints == (() if law.beta in (2.0, 4.0) else (0.0,))
    assert Normal().breakpoints == Logistic().breakpoints == StudentT(3.0).breakpoints == ()
    assert Laplace(2.0).breakpoints == (0.0,)
    assert Uniform(2.0).breakpoints == Uniform(2.0).support


# Relations between families


@given(cells(), powers(1e4, 1e8))
def test_student_t_tends_to_the_normal_law(cell, df):
    _, lower, upper, about = cell
    normal = Normal()
    lower, upper, about = (np.clip(v, -5, 5) for v in (lower, upper, about))
    assume(normal.probability(lower, upper) > 1e-12)
    limit = normal.partial_moments(lower, upper, about)
    # Densities differ by the factor 1 + (z^4 - 6 z^2 + 3) / (4 df) + O(df^-2), and z^4 <= 625.
    assert_moments_close(
        normal, StudentT(df).partial_moments(lower, upper, about), limit, lower, upper, about, 160 / df
    )


@given(places, powers(1e-9, 20), places, stds)
def test_generalised_normal_of_exponent_two_is_the_normal_law(lower, width, about, std):
    lower, about = lower * std, about * std
    upper = lower + width * std
    normal = Normal(std)
    got = GeneralisedNormal(2.0, std).partial_moments(lower, upper, about)
    assert_moments_close(normal, got, normal.partial_moments(lower, upper, about), lower, upper, about)
    assert GeneralisedNormal(2.0, std).isf(1e-9) == pytest.approx(normal.isf(1e-9), rel=EXACT, abs=0)


@given(places, powers(1e-9, 20), places, stds)
def test_generalised_normal_of_exponent_one_is_the_laplace_law(lower, width, about, std):
    lower, about = lower * std, about * std
    upper = lower + width * std
    laplace = Laplace(std)
    got = GeneralisedNormal(1.0, std).partial_moments(lower, upper, about)
    assert_moments_close(laplace, got, laplace.partial_moments(lower, upper, about), lower, upper, about)
    assert GeneralisedNormal(1.0, std).isf(1e-9) == pytest.approx(laplace.isf(1e-9), rel=EXACT, abs=0)


@given(st.floats(-1.5, 1.4), st.floats(0.01, 0.1), powers(200, 1e6))
def test_generalised_normal_of_large_exponent_tends_to_the_uniform_law(lower, width, beta):
    got = GeneralisedNormal(beta).partial_moments(lower, lower + width, lower)
    assert got == pytest.approx(Uniform().partial_moments(lower, lower + width, lower), rel=3 / beta, abs=0)


@given(powers(1e-3, 300), powers(1e-3, 10), stds)
def test_laplace_tails_have_no_memory(start, about, std):
    scale = std / math.sqrt(2)
    first = Laplace(std).partial_moments(0.0, INF, about * scale)
    later = Laplace(std).partial_moments(start * scale, INF, start * scale + about * scale)
    # The reference point is rounded to one unit of the start.
    slack = EXACT + 4e-16 * (1 + start) * (1 + 1 / about)
    later *= math.exp(start)
    assert later[[0, 2]] == pytest.approx(first[[0, 2]], rel=slack, abs=0)
    assert later[1] == pytest.approx(first[1], abs=slack * (1 + about) * scale)


@given(st.floats(0.05, 20), powers(1e4, 1e9), powers(1, 1e3))
def test_student_t_tails_are_powers(excess, start, factor):
    law = StudentT(2 + excess)
    assume(law.sf(start * factor) > 1e-280)
    mass, first, second = law.partial_moments([start, start * factor], [INF, INF])
    # Relative corrections are of order df^2 (std / x)^2.
    slack = 10 * law.df**2 / start**2 + EXACT
    assert mass[1] / mass[0] == pytest.approx(factor**-law.df, rel=slack, abs=0)
    assert first[1] / first[0] == pytest.approx(factor ** (1 - law.df), rel=slack, abs=0)
    assert second[1] / second[0] == pytest.approx(factor ** (2 - law.df), rel=slack, abs=0)


WRAPPED = {
    "norm": (scipy.stats.norm(), Normal()),
    "laplace": (scipy.stats.laplace(scale=math.sqrt(0.5)), Laplace()),
    "logistic": (scipy.stats.logistic(scale=math.sqrt(3) / math.pi), Logistic()),
    "uniform": (scipy.stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)), Uniform()),
    "t": (scipy.stats.t(5.0, scale=math.sqrt(3 / 5)), StudentT(5.0)),
    "gennorm": (scipy.stats.gennorm(1.5, scale=math.sqrt(math.gamma(2 / 3))), GeneralisedNormal(1.5)),
}


@given(st.sampled_from(sorted(WRAPPED)), st.floats(-6, 6), powers(1e-9, 12) | st.just(INF), st.floats(-6, 6))
def test_a_wrapped_law_of_scipy_is_our_own(name, lower, width, about):
    theirs, ours = WRAPPED[name]
    wrapped, upper = from_scipy(theirs), lower + width
    expected = ours.partial_moments(lower, upper, about)
    assert_moments_close(ours, wrapped.partial_moments(lower, upper, about), expected, lower, upper, about)


@given(plain_laws | student_laws, st.floats(-3, 3), st.floats(0.1, 4))
def test_a_law_restricted_to_a_cell_has_the_centroid_and_spread_of_the_cell(law, lower, width):
    a, b = lower * law.std, (lower + width) * law.std
    restricted = Truncated(law, a, b)
    mass, first, second = law.partial_moments(a, b, restricted.mean)
    assert first / mass == pytest.approx(0.0, abs=1e-13 * law.std)
    assert restricted.std == pytest.approx(math.sqrt(second / mass), rel=EXACT, abs=0)


@given(laws)
def test_laws_are_values_that_can_be_compared_hashed_and_stored(law):
    twin = dataclasses.replace(law)
    assert twin == law
    assert hash(twin) == hash(law)
    law.partial_moments(0.0, 1.0)  # fills caches
    assert pickle.loads(pickle.dumps(law)) == law
    assert rescaled(law, 2.0) != law
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.std = 2.0
