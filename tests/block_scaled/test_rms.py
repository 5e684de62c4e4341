"""Elements over their block's root mean square: closed forms, totals, quadrature and simulation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from bitlaw.theory import (
    BlockScaled,
    Empirical,
    GeneralisedNormal,
    Laplace,
    Mixture,
    Normal,
    ScaleSteps,
    StudentT,
    Truncated,
    Uniform,
)
from bitlaw.theory.sources._block_rms import RmsLaw
from bitlaw.theory.sources._square_sums import elements_of

LOWER = np.array([-math.inf, -1.5, -0.2, 0.0, 0.3, 1.0])
UPPER = np.array([-1.5, -0.2, 0.0, 0.3, 1.0, math.inf])
ABOUT = np.array([-1.9, -0.7, -0.1, 0.1, 0.6, 1.7])

SOURCES = {
    "laplace": Laplace(2.0),
    "student": StudentT(5.0),
    "heavy": StudentT(2.5),
    "nearly-infinite": StudentT(2.01),
    "logarithmic": StudentT(3.0),
    "peaked": GeneralisedNormal(0.5),
    "uniform": Uniform(0.5),
    "mixture": Mixture([Normal(1.0), Normal(10.0)], [0.99, 0.01]),
    "clipped": Truncated(Normal(), -3.0, 3.0),
    "skewed": Truncated(Normal(), -1.0, 4.0),
}


HEAVY = {"heavy": 5e-8, "nearly-infinite": 5e-8, "logarithmic": 5e-8}


def everything(law):
    """Total plain mass, and weighted moments about 0."""
    ends = np.array([-math.inf]), np.array([math.inf])
    return law.probability(*ends)[0], law.moments(*ends, np.zeros(1))[:, 0]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 32, 128, 1024, 2**20, 2**32])
def test_the_general_route_finds_the_closed_form_of_the_normal_law(size):
    exact, general = RmsLaw(Normal(1.5), size), RmsLaw(Normal(1.5), size, exact_normal=False)
    lower, upper = np.minimum(LOWER, math.sqrt(size)), np.minimum(UPPER, math.sqrt(size))
    tolerance = 1e-11 if size > 2**20 else 2e-13
    wanted, found = (law.moments(lower, upper, ABOUT) for law in (exact, general))
    np.testing.assert_allclose(found[[0, 2]], wanted[[0, 2]], rtol=tolerance, atol=1e-15)
    np.testing.assert_allclose(
        general.probability(lower, upper), exact.probability(lower, upper), rtol=tolerance
    )
    u = np.linspace(-1.3, 1.3, 9)
    np.testing.assert_allclose(general.density(u), exact.density(u), rtol=tolerance)


@pytest.mark.parametrize("size", [2, 3, 32, 1000, 2**32])
def test_the_square_of_the_divided_normal_is_a_beta_variable(size):
    law = RmsLaw(Normal(3.0), size, exact_normal=False)
    u = np.array([0.05, 0.4, 0.99, 1.3])
    beta = stats.beta(0.5, (size - 1) / 2)
    wanted = 0.5 * beta.cdf(u**2 / size)
    np.testing.assert_allclose(law.probability(np.zeros(4), u), wanted, rtol=1e-9 if size > 1000 else 1e-12)


@pytest.mark.parametrize("size", [2, 3, 32, 500])
def test_the_kurtosis_of_the_divided_normal_is_three_b_over_b_plus_two(size):
    law = RmsLaw(Normal(), size, exact_normal=False)
    points, weights = np.polynomial.legendre.leggauss(400)
    angle = 0.25 * math.pi * (points + 1.0)
    u = math.sqrt(size) * np.sin(angle)
    density = law.density(u) * math.sqrt(size) * np.cos(angle) * 0.25 * math.pi * weights
    assert 2.0 * (density * u**4).sum() == pytest.approx(
        3.0 * size / (size + 2.0), rel=1e-9 if size == 2 else 1e-12
    )


@pytest.mark.parametrize("size", [2, 3, 32, 128])
@pytest.mark.parametrize("name", SOURCES)
def test_masses_and_second_moments_are_those_of_the_element(name, size):
    source = SOURCES[name]
    square = source.std**2 + source.mean**2
    law = RmsLaw(source, size)
    mass, (zeroth, first, second) = everything(law)
    assert mass == pytest.approx(1.0, abs=1e-12)
    tolerance = HEAVY.get(name, 1e-11)
    assert zeroth == pytest.approx(square, rel=tolerance)
    assert second == pytest.approx(square, rel=tolerance)
    assert law.expected_square == pytest.approx(square, rel=1e-14)
    assert source.mean or abs(first) < 1e-14 * square


@pytest.mark.parametrize("zeros", [0.01, 0.3])
@pytest.mark.parametrize("name", ["laplace", "heavy", "skewed", "logarithmic"])
def test_elements_taken_out_count_in_the_size_and_nowhere_else(name, zeros):
    source, size, kept = SOURCES[name], 4, 1.0 - zeros
    square = source.std**2 + source.mean**2
    law = RmsLaw(source, size, None, zeros)
    mass, (zeroth, _, second) = everything(law)
    assert mass == pytest.approx(1.0, abs=1e-11)
    assert zeroth == pytest.approx(kept * square * (1.0 + (size - 1) * kept) / size, rel=5e-8)
    assert second == pytest.approx(kept * square, rel=5e-8)
    at_zero = law.atoms.places == 0.0
    assert law.atoms.plain[at_zero] == pytest.approx(zeros)
    assert law.atoms.weighted[at_zero] == 0.0


def test_pairs_agree_with_double_quadrature():
    source, about = Laplace(), 0.6
    law = RmsLaw(source, 2)

    def error(y, x):
        scale = math.sqrt((x * x + y * y) / 2.0)
        return 4.0 * (x - about * scale) ** 2 * 0.5 * math.exp(-math.sqrt(2.0) * (x + y))

    # 0.3 < u <= 1 is a wedge: |y| between x sqrt(2 / u^2 - 1) at its two ends.
    slopes = [math.sqrt(2.0 / u**2 - 1.0) for u in (1.0, 0.3)]
    wanted = integrate.dblquad(
        error, 0.0, 30.0, lambda x: slopes[0] * x, lambda x: slopes[1] * x, epsabs=1e-12, epsrel=1e-11
    )[0]
    found = law.moments(np.array([0.3]), np.array([1.0]), np.array([about]))[2, 0]
    assert found == pytest.approx(wanted / 2.0, rel=1e-9)


def test_triples_of_uniform_values_agree_with_volumes():
    # The radius of two uniform squares has distribution function pi r^2 / 4 up to 1, so that
    # P(0 < U <= u) of three is half a plain integral over x while x sqrt(3 / u^2 - 1) <= 1 decides.
    law = RmsLaw(Uniform(1.0 / math.sqrt(3.0)), 3)

    def beyond(r):
        """P(R > r) for the radius of two uniform magnitudes."""
        if r >= math.sqrt(2.0):
            return 0.0
        if r <= 1.0:
            return 1.0 - math.pi * r * r / 4.0
        side = math.sqrt(r * r - 1.0)
        angle = 0.25 * math.pi - math.atan(side)
        return 1.0 - (side + r * r * angle)

    for u in (0.2, 0.8, 1.1, 1.6):
        slope = math.sqrt(3.0 / u**2 - 1.0)
        cuts = [c for c in (1.0 / slope, math.sqrt(2.0) / slope) if c < 1.0]
        wanted = (
            0.5
            * integrate.quad(
                lambda x, slope=slope: beyond(x * slope), 0.0, 1.0, points=cuts or None, epsabs=1e-13
            )[0]
        )
        found = law.probability(np.zeros(1), np.array([u]))[0]
        assert found == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("name", ["laplace", "heavy", "skewed"])
def test_narrow_cells_add_up(name):
    law = RmsLaw(SOURCES[name], 16)
    ends = np.linspace(0.7, 0.7 + 1e-6, 11)
    fine = law.moments(ends[:-1], ends[1:], np.full(10, 0.7)).sum(axis=1)
    whole = law.moments(ends[:1], ends[-1:], np.full(1, 0.7))[:, 0]
    np.testing.assert_allclose(fine, whole, rtol=1e-9)
    assert whole[0] == pytest.approx(law.distortion_density(np.array([0.7 + 5e-7]))[0] * 1e-6, rel=1e-9)


def test_mirrored_questions_get_mirrored_answers():
    law = RmsLaw(StudentT(4.0), 16)
    there, back = law.moments(LOWER, UPPER, ABOUT), law.moments(-UPPER, -LOWER, -ABOUT)
    np.testing.assert_array_equal(there[[0, 2]], back[[0, 2]])
    np.testing.assert_array_equal(there[1], -back[1])
    assert law.support == (-4.0, 4.0)
    assert law.density(np.array([5.0]))[0] == 0.0


def test_sums_of_squares_keep_relative_digits_in_heavy_tails():
    # Far out one square is all of the sum: k_n(r) -> n k_1(r), with the relative error (n - 1) c / r^2.
    sums = elements_of(StudentT(2.5))
    one, many = sums.square_sum(1), sums.square_sum(31)
    ratio = many.log_density(np.array([1e7])) - one.log_density(np.array([1e7]))
    assert ratio[0] == pytest.approx(math.log(31.0), abs=1e-8)
    assert abs(many.defect) < 1e-13


def test_measured_data_resemble_their_law():
    quantiles = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    source = Empirical(quantiles)
    smooth, measured = RmsLaw(Normal(source.std), 32), RmsLaw(source, 32)
    wanted, found = (law.moments(LOWER, UPPER, ABOUT)[2] for law in (smooth, measured))
    np.testing.assert_allclose(found, wanted, rtol=2e-3)
    assert found.sum() == pytest.approx(wanted.sum(), rel=1e-3)


@pytest.mark.parametrize("size", [1, 2.5, 2**32 + 2, math.nan, math.inf])
def test_sizes_must_be_whole_and_in_range(size):
    with pytest.raises(ValueError, match="block_size must be a whole number from 2 to"):
        RmsLaw(Normal(), size)


def test_the_public_law_answers_through_this_one():
    from bitlaw.theory.sources.block_scaled import BlockScaled

    public, private = BlockScaled(Laplace(2.0), 32, "rms"), RmsLaw(Laplace(2.0), 32)
    np.testing.assert_array_equal(
        public.partial_moments(LOWER, UPPER, ABOUT), private.moments(LOWER, UPPER, ABOUT)
    )
    assert public.cdf(0.0) == pytest.approx(0.5, abs=1e-14)
    assert public.ppf(public.cdf(1.3)) == pytest.approx(1.3, rel=1e-12)


@pytest.mark.parametrize("zeros", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("size", [2, 8, 32])
def test_stored_lost_and_taken_out_elements_are_all_there_are(size: int, zeros: float) -> None:
    steps = ScaleSteps([0.5, 0.8, 1.2, np.inf], [0.7, 1.0, 1.4])
    law = BlockScaled(Laplace(), size, "rms", steps=steps, zeros=zeros)
    assert float(law.probability(-np.inf, np.inf)) + law.lost_probability == pytest.approx(1.0, abs=1e-9)


def test_groups_of_rms_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="group needs a scale by the largest magnitude, got rms"):
        BlockScaled(Normal(), 16, "rms", steps=ScaleSteps([0.5, 1.0], [1.0]), group=4)
