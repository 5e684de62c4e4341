"""Entropy and shape of the families, and how one becomes another."""

import math

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
    assert_moments_close,
    cells,
    generalised_laws,
    laws,
    places,
    plain_laws,
    powers,
    rescaled,
    stds,
    student_laws,
    unbounded_laws,
)

INF = math.inf
EXACT = 1e-12


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


@given(plain_laws | st.builds(Uniform, std=stds))
def test_normal_laplace_logistic_and_uniform_laws_are_log_concave(law):
    assert law.log_concave


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
