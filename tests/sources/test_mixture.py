"""Mixtures: sums of what the components answer, with quantiles and an entropy of their own."""

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from bitlaw.theory import (
    Empirical,
    Laplace,
    Logistic,
    Mixture,
    Normal,
    StudentT,
    Truncated,
    Uniform,
    compand,
    entropy_constrained,
    evaluate,
    from_scipy,
    lloyd_max,
)

from ..laws import symmetric

INF = math.inf

weights = st.floats(-6, 0).map(lambda e: 10**e)
points = st.floats(-8, 8)


@st.composite
def mixtures(draw):
    """Two or three symmetric laws whose scales and weights differ by up to six orders."""
    components = draw(st.lists(symmetric, min_size=2, max_size=3))
    return Mixture(components, draw(st.lists(weights, min_size=len(components), max_size=len(components))))


def shifted(mean, std):
    """A component with a mean."""
    return from_scipy(scipy.stats.norm(mean, std), log_concave=True)


SCALES = Mixture([Normal(), Normal(8.0)], [0.9, 0.1])
BIMODAL = Mixture([shifted(-2.0, 0.5), shifted(3.0, 1.0)], [0.3, 0.7])


def bimodal_density(x):
    return mp.mpf("0.3") * mp.npdf(x, -2, mp.mpf("0.5")) + mp.mpf("0.7") * mp.npdf(x, 3, 1)


@given(symmetric, st.lists(weights, min_size=1, max_size=4), points, st.floats(1e-6, 8), points)
def test_a_mixture_of_one_law_with_itself_is_that_law(law, numbers, lower, width, about):
    mixed = Mixture([law] * len(numbers), numbers)
    cell = [lower * law.std, (lower + width) * law.std, about * law.std]
    assert mixed.partial_moments(*cell) == pytest.approx(law.partial_moments(*cell), rel=1e-14, abs=0)
    x = np.linspace(-3, 3, 7) * law.std
    for method in ("pdf", "cdf", "sf"):
        assert getattr(mixed, method)(x) == pytest.approx(getattr(law, method)(x), rel=1e-14, abs=0)
    assert mixed.std == pytest.approx(law.std, rel=1e-14)
    assert mixed.log_concave == law.log_concave


@given(mixtures(), st.lists(points, min_size=3, max_size=3, unique=True).map(sorted), points)
def test_moments_of_two_adjacent_cells_add_up_to_those_of_their_union(law, ends, about):
    a, b, c = np.array(ends) * law.std
    about *= law.std
    parts = law.partial_moments([a, b], [b, c], about).sum(axis=1)
    whole = law.partial_moments(a, c, about)
    size = [whole[0], math.sqrt(whole[0] * whole[2]), whole[2]]
    assert (np.abs(parts - whole) <= 1e-12 * np.array(size)).all()


@given(mixtures(), points, st.floats(0.01, 4), points)
def test_moments_about_another_point_are_those_about_zero_shifted(law, lower, width, about):
    a, b, c = np.array([lower, lower + width, about]) * law.std
    mass, first, second = law.partial_moments(a, b)
    moved = law.partial_moments(a, b, c)
    scale = (abs(a) + abs(b) + abs(c)) ** np.arange(3) * mass
    expected = [mass, first - c * mass, second - 2 * c * first + c * c * mass]
    assert (np.abs(moved - expected) <= 1e-12 * scale).all()


@given(mixtures(), points, st.floats(1e-9, 8), points)
def test_moments_are_the_weighted_sum_of_the_components(law, lower, width, about):
    cell = np.array([lower, lower + width, about]) * law.std
    expected = sum(w * c.partial_moments(*cell) for w, c in zip(law.weights, law.components, strict=True))
    assert law.partial_moments(*cell) == pytest.approx(expected, rel=1e-14, abs=0)


def conditioning(law, x, q):
    """Relative error of a tail probability q that the rounding of x alone explains, and twelve digits."""
    return 1e-12 + 8 * np.finfo(float).eps * float(abs(x) * law.pdf(x) / q)


@given(mixtures(), st.floats(-200, -0.31).map(lambda e: 10**e))
def test_quantiles_invert_the_tail_probabilities_down_to_1e_200(law, q):
    upper, lower = law.isf(q), law.ppf(q)
    assert law.sf(upper) == pytest.approx(q, rel=conditioning(law, upper, q), abs=0)
    assert law.cdf(lower) == pytest.approx(q, rel=conditioning(law, lower, q), abs=0)


@given(mixtures(), st.floats(0.5, 1, exclude_max=True))
def test_quantiles_of_large_probabilities_leave_the_right_rest(law, q):
    upper, lower = law.ppf(q), law.isf(q)
    assert law.sf(upper) == pytest.approx(1 - q, rel=conditioning(law, upper, 1 - q), abs=0)
    assert law.cdf(lower) == pytest.approx(1 - q, rel=conditioning(law, lower, 1 - q), abs=0)


@given(mixtures(), st.floats(-200, -0.31).map(lambda e: 10**e))
def test_a_mixture_of_symmetric_laws_is_symmetric_to_the_last_bit(law, q):
    assert law.symmetric
    assert law.mean == 0.0
    x = np.linspace(0, 5, 11) * law.std
    assert (law.pdf(x) == law.pdf(-x)).all()
    assert (law.sf(x) == law.cdf(-x)).all()
    mirrored = law.partial_moments(-x[1:], -x[:-1], -x[1:])
    assert (mirrored * [[1], [-1], [1]] == law.partial_moments(x[:-1], x[1:], x[1:])).all()
    assert law.ppf(q) == pytest.approx(-law.isf(q), rel=1e-14)


@given(mixtures(), points)
def test_density_and_its_logarithm_agree(law, x):
    x *= law.std
    assert math.exp(law.logpdf(x)) == pytest.approx(float(law.pdf(x)), rel=1e-12)


@given(mixtures())
def test_standard_deviation_is_the_second_moment_of_the_whole_line(law):
    mass, first, second = law.partial_moments(-INF, INF, law.mean)
    assert mass == pytest.approx(1.0, rel=1e-12)
    assert second == pytest.approx(law.std**2, rel=1e-12)
    assert first == 0.0


@given(st.lists(weights, min_size=2, max_size=2), st.floats(1e-3, 1e3))
def test_weights_count_only_up_to_a_factor(numbers, factor):
    components = [Normal(), Laplace(2.0)]
    plain, scaled = (Mixture(components, [w * f for w in numbers]) for f in (1.0, factor))
    assert scaled.weights == pytest.approx(plain.weights, rel=1e-15)
    assert sum(plain.weights) == pytest.approx(1.0, rel=1e-15)


@given(mixtures())
def test_entropy_lies_between_the_components_mean_and_that_plus_the_choice(law):
    mean = sum(w * c.differential_entropy() for w, c in zip(law.weights, law.components, strict=True))
    choice = -sum(w * math.log2(w) for w in law.weights)
    slack = 1e-10 * (1 + abs(mean))
    assert mean - slack <= law.differential_entropy() <= mean + choice + slack


@given(mixtures(), st.floats(-3, 3).map(lambda e: 10**e))
def test_entropy_grows_by_the_logarithm_of_the_scale(law, factor):
    import dataclasses

    wider = Mixture([dataclasses.replace(c, std=c.std * factor) for c in law.components], law.weights)
    expected = law.differential_entropy() + math.log2(factor)
    assert wider.differential_entropy() == pytest.approx(expected, abs=1e-10)


def test_moments_of_a_bimodal_mixture_match_high_precision_quadrature():
    with mp.workdps(40):
        for lower, upper, about in [(-3, 1, 0), (0, 1e-9, 0), (6, 12, 7), (-9, -5, -5), (-20, 20, 0.5)]:
            ends = [mp.mpf(lower), *(v for v in (-2, 3) if lower < v < upper), mp.mpf(upper)]
            got = BIMODAL.partial_moments(lower, upper, about)
            for k in range(3):
                expected = mp.quad(lambda x, k=k, c=about: (x - c) ** k * bimodal_density(x), ends)
                size = math.sqrt(got[0] * got[2]) if k == 1 else expected
                assert abs(got[k] - expected) < 1e-12 * size, (lower, upper, k)


def test_mean_and_deviation_of_a_bimodal_mixture_are_exact():
    assert BIMODAL.mean == pytest.approx(0.3 * -2 + 0.7 * 3, rel=1e-14)
    variance = 0.3 * (0.25 + 3.5**2) + 0.7 * (1 + 1.5**2)
    assert BIMODAL.std == pytest.approx(math.sqrt(variance), rel=1e-14)
    assert not BIMODAL.symmetric
    assert not BIMODAL.log_concave


def test_quantiles_of_a_bimodal_mixture_cross_the_gap_between_the_modes():
    q = np.concatenate([10.0 ** -np.arange(1, 200, 7), [0.25, 0.29999, 0.3, 0.30001, 0.5]])
    assert BIMODAL.cdf(BIMODAL.ppf(q)) == pytest.approx(q, rel=1e-11, abs=0)
    assert BIMODAL.sf(BIMODAL.isf(q)) == pytest.approx(q, rel=1e-11, abs=0)


def entropy_bits(density, cuts):
    """Differential entropy by adaptive quadrature in high precision."""

    def term(x):
        value = density(x)
        return -value * mp.log(value, 2) if value > 0 else mp.mpf(0)

    return float(mp.quad(term, cuts))


def laplace(x, std):
    return mp.exp(-mp.sqrt(2) * abs(x) / std) / (mp.sqrt(2) * std)


ENTROPIES = {
    "two normals": (
        Mixture([Normal(), Normal(3.0)], [0.9, 0.1]),
        lambda x: mp.mpf("0.9") * mp.npdf(x) + mp.mpf("0.1") * mp.npdf(x, 0, 3),
        [-40, -12, -6, -3, 0, 3, 6, 12, 40],
    ),
    "normal and Laplace": (
        Mixture([Normal(), Laplace(0.1)], [1, 1]),
        lambda x: (mp.npdf(x) + laplace(x, mp.mpf("0.1"))) / 2,
        [-14, -4, -1, -0.3, 0, 0.3, 1, 4, 14],
    ),
    "bimodal": (BIMODAL, bimodal_density, [-14, -4, -2, -0.5, 1, 3, 5, 16]),
    "normal on uniform": (
        Mixture([Normal(0.2), Uniform(1.0)], [0.5, 0.5]),
        lambda x: (mp.npdf(x, 0, mp.mpf("0.2")) + (1 / (2 * mp.sqrt(3)) if abs(x) <= mp.sqrt(3) else 0)) / 2,
        [-8, -mp.sqrt(3), -1, -0.3, 0, 0.3, 1, mp.sqrt(3), 8],
    ),
}


@pytest.mark.parametrize("name", ENTROPIES)
def test_entropy_matches_high_precision_quadrature(name):
    law, density, cuts = ENTROPIES[name]
    with mp.workdps(20):
        assert law.differential_entropy() == pytest.approx(entropy_bits(density, cuts), abs=1e-10)


def test_entropy_is_exact_for_scales_a_million_million_apart():
    """The narrow part is a spike that no even cut of the wide part's range would see."""
    tiny, huge = Normal(1e-6), Normal(1e6)
    law = Mixture([tiny, huge], [0.5, 0.5])
    # Where the spike is, the wide density is a trillionth of it: its entropy is corrected to first order.
    overlap = 2.5e-11
    expected = 0.5 * (tiny.differential_entropy() + huge.differential_entropy()) + 1.0
    assert law.differential_entropy() == pytest.approx(expected, abs=4 * overlap)


def test_a_rare_narrow_component_far_away_is_not_missed():
    law = Mixture([Normal(), shifted(7.0, 1e-6)], [1 - 1e-6, 1e-6])
    apart = sum(w * c.differential_entropy() for w, c in zip(law.weights, law.components, strict=True))
    choice = -sum(w * math.log2(w) for w in law.weights)
    assert law.differential_entropy() == pytest.approx(apart + choice, abs=1e-10)


def test_quantiles_at_zero_and_one_are_the_ends_of_the_support():
    for law, (low, high) in (
        (Mixture([Normal(), Uniform()], [1, 1]), (-INF, INF)),
        (Mixture([Uniform(1.0), Uniform(2.0)], [1, 1]), Uniform(2.0).support),
    ):
        assert law.support == (low, high)
        assert law.ppf([0.0, 1.0]).tolist() == [low, high]
        assert law.isf([0.0, 1.0]).tolist() == [high, low]


def test_quantiles_outside_zero_to_one_are_not_numbers():
    assert np.isnan(BIMODAL.ppf([-0.1, 1.1, np.nan])).all()
    assert np.isnan(BIMODAL.isf([-0.1, 1.1, np.nan])).all()


def test_values_that_are_not_numbers_have_no_density():
    law = Mixture([Normal(), Uniform()], [1, 1])
    for method in (law.pdf, law.logpdf, law.cdf, law.sf):
        assert np.isnan(method(np.nan))


def test_breakpoints_are_those_of_all_components():
    law = Mixture([Uniform(1.0), Uniform(2.0), Truncated(Normal(), -0.5, 5.0)], [1, 1, 1])
    assert law.breakpoints == pytest.approx(sorted([-0.5, 5.0, *Uniform(1.0).support, *Uniform(2.0).support]))


def test_the_density_jumps_at_the_ends_of_a_bounded_component():
    law = Mixture([Normal(), Uniform()], [0.5, 0.5])
    end = Uniform().support[1]
    assert law.pdf(end * (1 - 1e-12)) - law.pdf(end * (1 + 1e-12)) == pytest.approx(
        0.25 / math.sqrt(3), rel=1e-9
    )


def test_only_a_mixture_of_one_law_is_known_to_be_log_concave():
    assert Mixture([Normal(), Normal()], [1, 2]).log_concave
    assert not Mixture([Normal(), Normal(2.0)], [1, 2]).log_concave
    assert not Mixture([StudentT(5.0)], [1]).log_concave


def test_equal_mixtures_have_one_hash():
    first, second = (Mixture([Normal(), Laplace()], [1, 3]) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert hash(BIMODAL) == hash(BIMODAL)
    assert first != Mixture([Normal(), Laplace()], [1, 2])


def test_a_mixture_of_mixtures_is_the_flat_mixture():
    nested = Mixture([Mixture([Normal(), Laplace()], [1, 1]), Logistic()], [2, 1])
    flat = Mixture([Normal(), Laplace(), Logistic()], [1, 1, 1])
    x = np.linspace(-30, 30, 13)
    assert nested.partial_moments(x[:-1], x[1:], x[1:]) == pytest.approx(
        flat.partial_moments(x[:-1], x[1:], x[1:]), rel=1e-14, abs=0
    )
    assert nested.differential_entropy() == pytest.approx(flat.differential_entropy(), abs=1e-13)


@pytest.mark.parametrize("law", [SCALES, BIMODAL], ids=["scales", "bimodal"])
@pytest.mark.parametrize("levels", [2, 7, 16, 256])
def test_lloyd_max_converges_on_mixtures(law, levels):
    quantiser = lloyd_max(law, levels)
    assert quantiser.design.status == "converged"
    result = evaluate(quantiser, law)
    assert result.centroid_residual < 1e-12
    assert result.distortion < law.std**2 * 4.0 / levels


@pytest.mark.parametrize(
    ("law", "rate"), [(SCALES, 0.5), (SCALES, 2.0), (SCALES, 5.0), (BIMODAL, 5.0)], ids=repr
)
def test_entropy_constrained_designs_of_mixtures_meet_their_rate(law, rate):
    result = evaluate(entropy_constrained(law, rate=rate), law)
    assert result.entropy == pytest.approx(rate, abs=1e-9)
    assert result.centroid_residual < 1e-9
    bound = 2 ** (2 * law.differential_entropy() - 2 * rate) / (2 * math.pi * math.e)
    assert result.distortion > bound
    if rate == 5.0:  # Gish and Pierce (1968): a quarter of a bit in the limit
        assert 0.5 * math.log2(result.distortion / bound) == pytest.approx(0.2546, abs=0.002)


def test_companding_spreads_points_by_the_numeric_cube_root_of_a_mixture():
    assert compand(Mixture([Laplace(), Laplace()], [1, 1]), 16).codepoints == pytest.approx(
        compand(Laplace(), 16).codepoints, rel=1e-11
    )
    for law in (BIMODAL, Mixture([Normal(1e-3), Normal(1.0)], [0.5, 0.5])):
        codepoints = compand(law, 64).codepoints
        assert np.isfinite(codepoints).all()
        assert (np.diff(codepoints) > 0).all()


def test_a_component_that_is_not_a_source_is_refused():
    with pytest.raises(TypeError, match=r"components must be sources with a density, got 3"):
        Mixture([Normal(), 3], [1, 1])
    with pytest.raises(TypeError, match=r"components must be sources with a density, got Empirical"):
        Mixture([Normal(), Empirical([1.0, 2.0])], [1, 1])
    with pytest.raises(TypeError, match=r"components must be sources with a density, got <class"):
        Mixture([Normal], [1])
    for components in (Normal(), 3, None):
        with pytest.raises(TypeError, match="components"):
            Mixture(components, [1])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, INF])
def test_weights_that_are_not_positive_and_finite_are_refused(bad):
    with pytest.raises(ValueError, match=rf"weights must be positive and finite, got .*{bad}"):
        Mixture([Normal(), Laplace()], [0.5, bad])


@pytest.mark.parametrize("bad", ["ab", ["a", "b"], None, 3, [None, 1], [1j, 1], ["1", "2"], [[1], [2]], "12"])
def test_weights_of_a_wrong_type_are_refused(bad):
    with pytest.raises(TypeError, match="weights must"):
        Mixture([Normal(), Laplace()], bad)


def test_as_many_weights_as_components_are_needed():
    for components, numbers in (([], []), ([Normal()], []), ([Normal()], [1, 2])):
        with pytest.raises(ValueError, match=rf"got {len(components)} and {len(numbers)}"):
            Mixture(components, numbers)


def test_weights_that_underflow_beside_the_others_are_refused():
    with pytest.raises(ValueError, match="weights"):
        Mixture([Normal(), Laplace()], [1e-320, 1e300])
    with pytest.raises(ValueError, match="weights"):
        Mixture([Normal(), Laplace()], [1e308, 1e308])


def test_cells_with_bad_ends_are_refused():
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        BIMODAL.partial_moments(1.0, 0.0)
    with pytest.raises(ValueError, match="NaN"):
        BIMODAL.partial_moments(np.nan, 0.0)
    with pytest.raises(ValueError, match="about must be finite"):
        BIMODAL.partial_moments(0.0, 1.0, np.nan)
    with pytest.raises(TypeError, match="lower must be an array of real numbers"):
        BIMODAL.partial_moments("a", 1.0)
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        BIMODAL.probability(1.0, 0.0)


def test_no_cells_have_no_moments():
    assert BIMODAL.partial_moments([], []).shape == (3, 0)
    assert BIMODAL.partial_moments(np.zeros((2, 1)), np.ones(3)).shape == (3, 2, 3)


@given(mixtures(), st.floats(0.01, 0.99))
def test_quantiles_are_the_same_alone_and_in_company(law, q):
    assume(abs(q - 0.5) > 1e-6)
    assert law.ppf(q).shape == ()
    assert law.ppf(q) == pytest.approx(law.ppf([0.3, q, 1e-5])[1], rel=1e-14)
