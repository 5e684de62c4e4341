"""Truncated laws: what is left keeps its digits, however narrow or remote it is."""

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import (
    Laplace,
    Mixture,
    Normal,
    StudentT,
    Truncated,
    Uniform,
    from_scipy,
)

from ..laws import log_concave, symmetric

INF = math.inf

points = st.floats(-6, 6)
widths = st.floats(0.01, 10)


@st.composite
def truncated(draw):
    """A symmetric law cut anywhere in its bulk, with one end possibly infinite."""
    law = draw(symmetric)
    lower = draw(st.floats(-1.5, 1.5))
    upper = draw(st.floats(0.01, 3).map(lambda width: lower + width) | st.just(INF))
    return Truncated(law, lower * law.std, upper * law.std)


@given(symmetric, points, widths, points)
def test_truncation_to_the_whole_line_changes_nothing(law, lower, width, about):
    whole = Truncated(law, -INF, INF)
    a, b, c = np.array([lower, lower + width, about]) * law.std
    assert whole.partial_moments(a, b, c) == pytest.approx(law.partial_moments(a, b, c), rel=2e-15, abs=0)
    x = np.array([-3.0, -0.1, 0.0, 2.5]) * law.std
    for method in ("pdf", "cdf", "sf"):
        assert getattr(whole, method)(x) == pytest.approx(getattr(law, method)(x), rel=1e-13, abs=0)
    assert (whole.mean, whole.symmetric, whole.support) == (0.0, True, law.support)
    assert whole.std == pytest.approx(law.std, rel=1e-13)
    assert whole.differential_entropy() == pytest.approx(law.differential_entropy(), abs=1e-11)


@given(truncated(), st.floats(0.01, 0.9), st.floats(0.05, 0.9))
def test_truncating_twice_is_truncating_to_the_intersection(law, start, share):
    low, high = law.ppf(start), law.ppf(start + share * (1 - start))
    nested, direct = Truncated(law, low, high), Truncated(law.source, low, high)
    x = low + (high - low) * np.linspace(0, 1, 6)
    moments = [t.partial_moments(x[:-1], x[1:], x[1:]) for t in (nested, direct)]
    assert moments[0] == pytest.approx(moments[1], rel=1e-12, abs=0)
    assert nested.mean == pytest.approx(direct.mean, rel=1e-12, abs=1e-14 * law.std)
    assert nested.std == pytest.approx(direct.std, rel=1e-11)
    assert nested.differential_entropy() == pytest.approx(direct.differential_entropy(), abs=1e-10)


@given(symmetric, st.floats(0.01, 4), points, widths)
def test_a_symmetric_truncation_is_symmetric_to_the_last_bit(law, half, lower, width):
    cut = Truncated(law, -half * law.std, half * law.std)
    assert cut.symmetric
    assert cut.mean == 0.0
    a, b = lower * law.std, (lower + width) * law.std
    mirrored = cut.partial_moments(-b, -a, -b) * [1, -1, 1]
    assert (cut.partial_moments(a, b, b) == mirrored).all()
    x = np.linspace(0, 1.2 * half, 9) * law.std
    assert (cut.pdf(x) == cut.pdf(-x)).all()
    assert (cut.cdf(x) == cut.sf(-x)).all()
    q = np.array([1e-200, 1e-9, 0.2, 0.4])
    assert (cut.ppf(q) == -cut.isf(q)).all()


@given(truncated(), st.lists(points, min_size=3, max_size=3, unique=True).map(sorted), points)
def test_moments_of_two_adjacent_cells_add_up_to_those_of_their_union(law, ends, about):
    a, b, c = np.array(ends) * law.source.std
    about *= law.source.std
    parts = law.partial_moments([a, b], [b, c], about).sum(axis=1)
    whole = law.partial_moments(a, c, about)
    size = np.array([whole[0], math.sqrt(whole[0] * whole[2]), whole[2]])
    assert (np.abs(parts - whole) <= 1e-12 * size).all()


@given(truncated(), points, widths, points)
def test_moments_about_another_point_are_those_about_zero_shifted(law, lower, width, about):
    a, b, c = np.array([lower, lower + width, about]) * law.source.std
    mass, first, second = law.partial_moments(a, b)
    expected = [mass, first - c * mass, second - 2 * c * first + c * c * mass]
    scale = (abs(a) + abs(b) + abs(c)) ** np.arange(3) * mass
    assert (np.abs(law.partial_moments(a, b, c) - expected) <= 1e-12 * scale).all()


@given(truncated())
def test_mean_and_deviation_are_the_moments_of_what_is_left(law):
    mass, first, second = law.partial_moments(-INF, INF, law.mean)
    assert mass == pytest.approx(1.0, rel=1e-14)
    assert abs(first) < 1e-13 * law.std
    assert second == pytest.approx(law.std**2, rel=1e-12)
    assert law.support[0] < law.mean < law.support[1]


@given(truncated(), st.floats(1e-3, 1 - 1e-3))
def test_quantiles_invert_the_tail_probabilities(law, q):
    assert law.cdf(law.ppf(q)) == pytest.approx(q, rel=1e-10)
    assert law.sf(law.isf(q)) == pytest.approx(q, rel=1e-10)
    assert law.ppf(q) == pytest.approx(law.isf(1 - q), rel=1e-10, abs=1e-10 * law.std)


@given(truncated(), points)
def test_both_tail_probabilities_add_up_to_one(law, x):
    x *= law.source.std
    assert law.cdf(x) + law.sf(x) == pytest.approx(1.0, rel=1e-13)
    assert law.cdf(x) == pytest.approx(law.probability(-INF, x), rel=1e-13, abs=0)
    assert law.sf(x) == pytest.approx(law.probability(x, INF), rel=1e-13, abs=0)


@given(truncated(), points)
def test_density_is_the_sources_over_the_mass_that_is_left(law, x):
    x *= law.source.std
    if law.lower < x < law.upper:
        mass = law.source.probability(law.lower, law.upper)
        assert law.pdf(x) == pytest.approx(law.source.pdf(x) / mass, rel=1e-14)
        assert math.exp(law.logpdf(x)) == pytest.approx(float(law.pdf(x)), rel=1e-12)
    elif x < law.lower or x > law.upper:
        assert law.pdf(x) == 0.0
        assert law.logpdf(x) == -INF


@given(log_concave(), st.floats(-2, 2), st.floats(0.1, 2))
def test_a_truncated_law_is_narrower_and_has_less_entropy_than_its_interval_allows(law, lower, width):
    lower = max(lower * law.std, law.support[0])
    upper = min(lower + width * law.std, law.support[1])
    if upper - lower < 0.01 * law.std:
        return
    cut = Truncated(law, lower, upper)
    assert cut.std < law.std * (
        1 + 1e-12
    )  # Mailhot (1985): truncation reduces the variance of log-concave laws
    assert cut.differential_entropy() <= math.log2(upper - lower) + 1e-12


@given(st.floats(-4, 4), st.floats(0.05, 6), st.floats(-3, 3).map(lambda e: 10**e))
def test_truncated_normal_agrees_with_scipy(lower, width, std):
    cut = Truncated(Normal(std), lower * std, (lower + width) * std)
    theirs = scipy.stats.truncnorm(lower, lower + width, scale=std)
    q = np.linspace(0.01, 0.99, 9)
    assert cut.ppf(q) == pytest.approx(theirs.ppf(q), rel=1e-9, abs=1e-9 * std)
    x = theirs.ppf(q)
    for method in ("pdf", "cdf", "sf", "logpdf"):
        assert getattr(cut, method)(x) == pytest.approx(getattr(theirs, method)(x), rel=1e-8, abs=1e-9)
    assert cut.mean == pytest.approx(theirs.mean(), rel=1e-8, abs=1e-9 * std)
    assert cut.std == pytest.approx(theirs.std(), rel=1e-6)
    assert cut.differential_entropy() == pytest.approx(theirs.entropy() / math.log(2), abs=1e-8)


@given(st.floats(0.01, 30), st.floats(-3, 3).map(lambda e: 10**e))
def test_truncated_exponential_agrees_with_scipy(width, scale):
    """The positive half of a Laplace law is an exponential law."""
    cut = Truncated(Laplace(scale * math.sqrt(2)), 0.0, width * scale)
    theirs = scipy.stats.truncexpon(width, scale=scale)
    q = np.linspace(0.01, 0.99, 9)
    assert cut.ppf(q) == pytest.approx(theirs.ppf(q), rel=1e-11)
    x = theirs.ppf(q)
    assert cut.pdf(x) == pytest.approx(theirs.pdf(x), rel=1e-11)
    assert cut.sf(x) == pytest.approx(theirs.sf(x), rel=1e-11)
    # scipy's moments cancel in a narrow interval: the exact ones are 1 - w / expm1(w) and its relatives.
    rest = width / math.expm1(width)
    assert cut.mean == pytest.approx(scale * (1 - rest), rel=1e-15 / min(width, 1) ** 2 + 1e-12)
    if width > 1:
        assert cut.std == pytest.approx(theirs.std(), rel=1e-10)


@given(st.floats(0, 12), st.floats(-3, 3).map(lambda e: 10**e))
def test_a_one_sided_laplace_tail_is_exponential_wherever_it_starts(start, std):
    tail = Truncated(Laplace(std), start * std, INF)
    scale = std / math.sqrt(2)
    assert tail.mean - tail.lower == pytest.approx(scale, rel=1e-12 * (1 + start))
    assert tail.std == pytest.approx(scale, rel=1e-12)
    assert tail.differential_entropy() == pytest.approx(math.log2(math.e * scale), abs=1e-11)
    assert tail.sf(tail.lower + 3 * scale) == pytest.approx(math.exp(-3), rel=1e-14 * (1 + start))


def mills_moments(lower):
    """Mean, deviation and entropy in bits of the standard normal law beyond `lower`, in high precision."""
    with mp.workdps(50):
        a = mp.mpf(lower)
        mass = mp.erfc(a / mp.sqrt(2)) / 2
        ratio = mp.npdf(a) / mass
        second = 1 + a * ratio
        entropy = mp.log(mass * mp.sqrt(2 * mp.pi), 2) + second / 2 * mp.log(mp.e, 2)
        return float(ratio), float(mp.sqrt(second - ratio**2)), float(entropy)


@pytest.mark.parametrize("lower", [-3.0, 0.0, 1.0, 8.0, 20.0, 35.0])
def test_the_far_tail_of_the_normal_law_has_twelve_digits(lower):
    tail = Truncated(Normal(), lower, INF)
    mean, std, entropy = mills_moments(lower)
    assert tail.mean == pytest.approx(mean, rel=1e-13)
    assert tail.std == pytest.approx(std, rel=1e-12)
    assert tail.differential_entropy() == pytest.approx(entropy, abs=1e-11)
    left = Truncated(Normal(), -INF, -lower)
    assert left.mean == pytest.approx(-mean, rel=1e-13)
    assert left.std == pytest.approx(std, rel=1e-12)


def test_cells_of_a_far_tail_have_twelve_digits():
    tail = Truncated(Normal(), 8.0, INF)
    with mp.workdps(50):
        mass = mp.erfc(8 / mp.sqrt(2)) / 2
        for lower, upper in [(8, 8 + 2.0**-30), (8.5, 9), (12, INF), (9, 9 + 2.0**-40)]:
            about = mp.mpf(lower) + 2.0**-41
            for k in range(3):
                got = tail.partial_moments(lower, upper, float(about))[k]
                far = mp.mpf(upper) if upper < INF else mp.mpf(25)

                def term(x, k=k, about=about):
                    return (x - about) ** k * mp.npdf(x) / mass

                expected = mp.quad(term, [lower, about, far])
                size = expected if k != 1 else mp.quad(lambda x: abs(term(x)), [lower, about, far])
                assert abs(got - expected) < 1e-12 * abs(size), (lower, upper, k)


def test_the_remote_half_of_a_power_tail_is_a_power_tail():
    """Beyond 1e6 deviations, P(X > x | X > t) = (t / x)^df to twelve digits."""
    tail = Truncated(StudentT(3.0), 1e8, INF)
    assert tail.sf([2e8, 1e9, 1e12]) == pytest.approx([1 / 8, 1e-3, 1e-12], rel=1e-12)
    assert tail.mean == pytest.approx(1.5e8, rel=1e-12)
    assert tail.std == pytest.approx(math.sqrt(3 / 4) * 1e8, rel=1e-11)
    assert tail.isf(1e-12) == pytest.approx(1e12, rel=1e-12)
    assert tail.differential_entropy() == pytest.approx(math.log2(1e8 / 3) + 4 / 3 / math.log(2), abs=1e-11)


@pytest.mark.parametrize("law", [Normal(), Laplace(), StudentT(3.0), Uniform()], ids=repr)
@pytest.mark.parametrize("lower", [1e-3, 1.0])
def test_an_interval_a_billionth_wide_holds_a_uniform_law(law, lower):
    upper = lower + 1e-9
    width = upper - lower  # as doubles have it
    cut = Truncated(law, lower, upper)
    slope = width / 12  # how far the density's decay moves the mean, at most a few times
    assert cut.mean == pytest.approx(lower + width / 2, abs=4 * slope * width + 2e-16 * lower)
    assert cut.std == pytest.approx(width / math.sqrt(12), rel=1e-12)
    assert cut.differential_entropy() == pytest.approx(math.log2(width), abs=1e-9)
    assert cut.cdf(lower + width / 4) == pytest.approx(((lower + width / 4) - lower) / width, rel=1e-8)
    assert lower <= cut.ppf(0.25) <= upper
    assert lower <= cut.ppf(1e-200) <= np.nextafter(lower, 2)


def test_quantiles_of_1e_200_are_as_fine_as_the_end_allows():
    half = Truncated(Normal(), 0.0, INF)
    assert half.cdf(half.ppf(1e-200)) == pytest.approx(1e-200, rel=1e-12)
    assert half.sf(half.isf(1e-200)) == pytest.approx(1e-200, rel=1e-11)
    tail = Truncated(Normal(), 8.0, INF)
    assert tail.sf(tail.isf(1e-200)) == pytest.approx(1e-200, rel=1e-11)
    assert tail.ppf(1e-200) == 8.0
    left = Truncated(Laplace(), -INF, 1.0)
    assert left.cdf(left.ppf(1e-200)) == pytest.approx(1e-200, rel=1e-12)
    assert left.isf(1e-200) == 1.0


def test_quantiles_of_a_narrow_interval_are_monotone_and_inside():
    cut = Truncated(StudentT(3.0), -5.0, INF)
    q = np.concatenate([10.0 ** -np.arange(300, 0, -3), np.linspace(0.01, 0.99, 50)])
    x = cut.ppf(q)
    assert (np.diff(x) >= 0).all()
    assert ((x >= -5.0) & np.isfinite(x)).all()


def test_quantiles_at_zero_and_one_are_the_ends_and_outside_there_are_none():
    cut = Truncated(Normal(), -1.0, INF)
    assert cut.ppf([0.0, 1.0]).tolist() == [-1.0, INF]
    assert cut.isf([0.0, 1.0]).tolist() == [INF, -1.0]
    assert np.isnan(cut.ppf([-1e-9, 1 + 1e-9, np.nan])).all()
    assert np.isnan(cut.isf([-1e-9, 1 + 1e-9, np.nan])).all()


def test_ends_beyond_the_support_are_no_ends():
    wide = Truncated(Uniform(), -5.0, 7.0)
    assert wide.support == Uniform().support
    assert wide.symmetric
    assert wide.breakpoints == Uniform().support
    assert wide.std == pytest.approx(1.0, rel=1e-14)


def entropy_by_quadrature(law, cuts):
    with mp.workdps(20):
        mass = law["mass"]

        def term(x):
            value = law["density"](x) / mass
            return -value * mp.log(value, 2)

        return float(mp.quad(term, cuts))


@pytest.mark.parametrize(("lower", "upper"), [(-1, 2), (0.5, 0.75), (-6, -4), (3, 11)])
def test_entropy_of_a_truncated_normal_matches_high_precision_quadrature(lower, upper):
    with mp.workdps(20):
        mass = mp.ncdf(upper) - mp.ncdf(lower) if upper < 0 else mp.ncdf(-lower) - mp.ncdf(-upper)
        expected = entropy_by_quadrature({"mass": mass, "density": mp.npdf}, mp.linspace(lower, upper, 5))
    assert Truncated(Normal(), lower, upper).differential_entropy() == pytest.approx(expected, abs=1e-10)


def test_entropy_of_a_truncated_student_t_matches_high_precision_quadrature():
    law = StudentT(3.0)
    with mp.workdps(25):
        square = mp.mpf(3) * law._scale**2  # f is proportional to (1 + x^2 / square)^-2

        def shape(x):
            return (1 + x * x / square) ** -2

        cuts = [-5, -2, -0.5, 0, 0.5, 2, 10, 100, mp.inf]
        mass = mp.quad(shape, cuts)
        expected = entropy_by_quadrature({"mass": mass, "density": shape}, cuts)
    assert Truncated(law, -5.0, INF).differential_entropy() == pytest.approx(expected, abs=1e-10)


def test_entropy_of_a_truncated_mixture_is_that_of_the_mixture_where_nothing_is_lost():
    law = Mixture([Normal(1e-3), Normal(1.0)], [0.5, 0.5])
    cut = Truncated(law, -60.0, 60.0)
    assert cut.differential_entropy() == pytest.approx(law.differential_entropy(), abs=1e-11)


def test_a_truncated_gamma_law_of_scipy_agrees_with_scipys_distribution_function():
    law = scipy.stats.gamma(2.5)
    cut = Truncated(from_scipy(law), 1.0, 4.0)
    mass = law.cdf(4.0) - law.cdf(1.0)
    x = np.linspace(1, 4, 7)
    assert cut.cdf(x) == pytest.approx((law.cdf(x) - law.cdf(1.0)) / mass, rel=1e-12)
    assert cut.mean == pytest.approx(law.expect(lb=1, ub=4, conditional=True), rel=1e-12)


def test_truncation_keeps_the_sources_shape():
    assert Truncated(Normal(), 0.0, 1.0).log_concave
    assert not Truncated(StudentT(3.0), 0.0, 1.0).log_concave
    kinked = Truncated(Mixture([Uniform(1.0), Uniform(2.0)], [1, 1]), -2.0, 3.0)
    assert kinked.breakpoints == pytest.approx([-2.0, -math.sqrt(3), math.sqrt(3), 3.0])


def test_equal_truncations_have_one_hash():
    first, second = Truncated(Normal(), 0, 1), Truncated(Normal(), 0.0, 1.0)
    assert first == second
    assert hash(first) == hash(second)
    assert first != Truncated(Normal(), 0.0, 2.0)


def test_values_that_are_not_numbers_have_no_density():
    cut = Truncated(Normal(), 0.0, 1.0)
    for method in (cut.pdf, cut.logpdf, cut.cdf, cut.sf):
        assert np.isnan(method(np.nan))
        assert np.isfinite(method([0.5, 1.0])[0])
    assert cut.cdf([-1.0, 0.0, 1.0, 2.0, INF]).tolist() == [0, 0, 1, 1, 1]
    assert cut.sf([-INF, -1.0, 0.0, 1.0, 2.0]).tolist() == [1, 1, 1, 0, 0]
