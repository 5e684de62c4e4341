"""Scales kept exactly: closed forms, identities of the two measures, and the table of reference numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bitlaw.theory import (
    GeneralisedNormal,
    Laplace,
    Mixture,
    Normal,
    ScalarQuantiser,
    StudentT,
    Uniform,
    evaluate,
    from_scipy,
    lloyd_max,
)
from bitlaw.theory.sources import BlockScaled, Truncated

SKEWED = Truncated(Normal(), -1.0, 3.0)
LAWS = {
    "normal": Normal(2.0),
    "laplace": Laplace(),
    "student 2.1": StudentT(2.1),
    "student 3": StudentT(3.0),
    "student 5": StudentT(5.0),
    "uniform": Uniform(),
    "cusp": GeneralisedNormal(0.5),
    "mixture": Mixture([Normal(1.0), Normal(10.0)], [0.99, 0.01]),
    "truncated": Truncated(Normal(), -3.0, 3.0),
    "skewed": SKEWED,
    "shifted": from_scipy(stats.norm(0.7, 1.0)),
}


def everything(law):
    return law.partial_moments(-np.inf, np.inf)


@pytest.mark.parametrize("scale", ["absmax", "signmax"])
@pytest.mark.parametrize("block", [2, 2.5, 64, 2**20])
@pytest.mark.parametrize("name", LAWS)
def test_masses_add_up_to_the_moments_that_they_are(name, block, scale):
    source = LAWS[name]
    law = BlockScaled(source, block, scale)
    mass, _, second = everything(law)
    # Close to the end of a bounded law a rounding of m moves P(|X| > m), and the block size multiplies that.
    near = 1e-11 + (2e-15 * block if np.isfinite(source.support[1]) else 0.0)
    assert mass == pytest.approx(law.expected_square, rel=near)
    assert second == pytest.approx(source.std**2 + source.mean**2, rel=near)
    assert law.probability(-np.inf, np.inf) == pytest.approx(1.0, rel=near)
    assert law.probability(-np.inf, -1.0) + law.probability(math.nextafter(1.0, 0.0), 1.0) == pytest.approx(
        1.0 / block, rel=1e-10 + near
    )


@pytest.mark.parametrize("block", [2, 7, 64, 1000, 2**16])
def test_laplace_maxima_are_harmonic_numbers(block):
    law, s = BlockScaled(Laplace(), block), math.sqrt(0.5)
    k = np.arange(1.0, block + 1.0)
    first, second = math.fsum(1.0 / k), math.fsum(1.0 / k**2)
    assert law.expected_scale == pytest.approx(s * first, rel=1e-13)
    assert law.expected_square == pytest.approx(s * s * (first**2 + second), rel=1e-13)


@pytest.mark.parametrize("block", [2, 16, 2**12])
def test_uniform_elements_below_the_maximum_are_uniform(block):
    law = BlockScaled(Uniform(), block)
    end = math.sqrt(3.0)
    assert law.expected_scale == pytest.approx(end * block / (block + 1.0), rel=1e-12)
    assert law.expected_square == pytest.approx(3.0 * block / (block + 2.0), rel=1e-12)
    u = np.linspace(-0.99, 0.99, 7)
    np.testing.assert_allclose(law.pdf(u), 0.5 * (block - 1.0) / block, rtol=1e-12)
    weighted = 0.5 * (block - 1.0) / block * law.expected_square
    np.testing.assert_allclose(law.distortion_density(u), weighted, rtol=1e-12)


def test_a_pair_of_normal_elements_is_an_angle():
    law, std = BlockScaled(Normal(3.0), 2), 3.0
    edges = np.array([-1.0, -0.4, 0.0, 1e-9, 0.1, 0.1 + 1e-12, 0.7, 0.999])
    angle = np.arctan(edges)
    plain = np.diff(angle) / np.pi
    weighted = 9.0 * np.diff(angle + np.sin(2.0 * angle) / 2.0) / np.pi
    # Differences of arctangents lose digits on narrow cells; the slope does not.
    narrow = np.diff(edges) < 1e-6
    plain[narrow] = (np.diff(edges) / (1.0 + edges[:-1] ** 2))[narrow] / np.pi
    weighted[narrow] = (np.diff(edges) / (1.0 + edges[:-1] ** 2) ** 2)[narrow] * 2.0 * std**2 / np.pi
    np.testing.assert_allclose(law.probability(edges[:-1], edges[1:]), plain, rtol=1e-12)
    np.testing.assert_allclose(law.partial_moments(edges[:-1], edges[1:])[0], weighted, rtol=1e-12)


@pytest.mark.parametrize(("df", "block"), [(2.5, 3), (5.0, 3), (5.0, 20)])
@pytest.mark.parametrize("u", [0.001, 0.3, 0.95])
def test_densities_are_the_integral_over_the_maximum_of_the_others(df, block, u):
    scale = math.sqrt((df - 2.0) / df)
    t = stats.t(df, scale=scale)

    def others(m, order):
        return (block - 1) * 2.0 * t.pdf(m) * (1.0 - 2.0 * t.sf(m)) ** (block - 2) * m**order * t.pdf(m * u)

    law = BlockScaled(StudentT(df), block)
    for order, density in ((1, law.pdf), (3, law.distortion_density)):
        parts = [
            integrate.quad(others, a, b, args=(order,), epsabs=0.0, epsrel=1e-11, limit=200)[0]
            for a, b in ((0.0, 1.0), (1.0, 10.0), (10.0, 1e3), (1e3, np.inf))
        ]
        assert density(u) == pytest.approx(sum(parts), rel=1e-8)


@pytest.mark.parametrize("name", ["normal", "student 3", "shifted", "skewed"])
def test_cells_agree_with_quadrature_of_the_densities(name):
    law = BlockScaled(LAWS[name], 16, "signmax")
    for a, b, c in ((-0.9, -0.2, 0.1), (0.05, 0.3, 0.2), (0.4, 0.97, -1.0)):
        for k in range(3):
            wanted = integrate.quad(
                lambda u, c=c, k=k: law.distortion_density(u) * (u - c) ** k, a, b, epsrel=1e-11
            )[0]
            assert law.partial_moments(a, b, c)[k] == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        plain = integrate.quad(law.pdf, a, b, epsrel=1e-11)[0]
        assert law.probability(a, b) == pytest.approx(plain, rel=1e-9)


def test_narrow_and_remote_cells_keep_relative_digits():
    law = BlockScaled(Normal(), 64)
    for a in (1e-9, 0.3, 0.97):
        width = 1e-10
        mass, first, second = law.partial_moments(a, a + width, a)
        exact = (a + width) - a
        assert mass == pytest.approx(law.distortion_density(a) * exact, rel=1e-8)
        assert first == pytest.approx(mass * exact / 2.0, rel=1e-8)
        assert second == pytest.approx(mass * exact**2 / 3.0, rel=1e-8)


def test_heaviest_tails_are_counted_to_the_end():
    law = BlockScaled(StudentT(2.01), 64)
    mass, _, second = everything(law)
    assert mass == pytest.approx(law.expected_square, rel=1e-12)
    assert second == pytest.approx(1.0, rel=1e-12)
    # Nearly all of the energy is in the elements that are the largest of their block.
    assert law.partial_moments(0.999, 1.0)[2] > 0.45


@pytest.mark.parametrize("scale", ["absmax", "signmax"])
def test_the_element_that_sets_the_scale_is_an_atom(scale):
    law = BlockScaled(Normal(), 16, scale)
    above = law.probability(1.0 - 1e-12, 1.0)
    below = law.probability(-1.0 - 1e-12, -1.0)
    assert above == pytest.approx(1 / 16 if scale == "signmax" else 1 / 32, rel=1e-9)
    assert below == pytest.approx(0.0 if scale == "signmax" else 1 / 32, rel=1e-9)
    assert law.cdf(1.0) == pytest.approx(1.0)
    assert law.sf(-1.5) == pytest.approx(1.0)
    assert law.differential_entropy() == -np.inf


def test_signs_of_a_skewed_law_follow_its_own_extremes():
    """With signmax the largest is at +1 whatever its sign, and mirrored elements give one and the same law."""
    law = BlockScaled(SKEWED, 8, "signmax")
    mirrored = BlockScaled(Truncated(Normal(), -3.0, 1.0), 8, "signmax")
    u = np.linspace(-0.9, 0.9, 5)
    np.testing.assert_allclose(law.pdf(u), mirrored.pdf(u), rtol=1e-12)
    turned = BlockScaled(Truncated(Normal(), -3.0, 1.0), 8)
    np.testing.assert_allclose(BlockScaled(SKEWED, 8).pdf(u), turned.pdf(-u), rtol=1e-12)


@given(std=st.floats(1e-3, 1e3), block=st.floats(2.0, 500.0))
def test_weighted_moments_scale_with_the_variance_and_the_plain_law_does_not(std, block):
    one, other = BlockScaled(Laplace(), block), BlockScaled(Laplace(std), block)
    edges = np.array([-1.0, -0.5, 0.0, 0.3, 1.0])
    lower, upper = edges[:-1], edges[1:]
    np.testing.assert_allclose(other.probability(lower, upper), one.probability(lower, upper), rtol=1e-11)
    ratio = other.partial_moments(lower, upper)[0] / one.partial_moments(lower, upper)[0]
    np.testing.assert_allclose(ratio, std**2, rtol=1e-11)
    assert other.std == pytest.approx(std)


@given(a=st.floats(-1.2, 1.2), b=st.floats(-1.2, 1.2), c=st.floats(-2.0, 2.0))
def test_absmax_of_a_symmetric_law_is_symmetric_to_the_last_bit(a, b, c):
    law = SYMMETRIC
    a, b = min(a, b), max(a, b)
    assert law.symmetric
    here, there = law._law.smooth_moments(*(np.array([v]) for v in (a, b, c))), None
    there = law._law.smooth_moments(*(np.array([v]) for v in (-b, -a, -c)))
    np.testing.assert_array_equal(here, there * np.array([[1.0], [-1.0], [1.0]]))


SYMMETRIC = BlockScaled(Normal(), 32)


@given(u=st.floats(-0.99, 0.99))
def test_the_slope_of_the_distribution_function_is_the_density(u):
    for law in (SYMMETRIC, SIGNED):
        h = 1e-4
        slope = law.probability(u - h, u + h) / (2.0 * h)
        assert slope == pytest.approx(float(law.pdf(u)), rel=1e-5)


SIGNED = BlockScaled(from_scipy(stats.norm(0.7, 1.0)), 6, "signmax")


@given(q=st.floats(1e-9, 1.0 - 1e-9))
def test_quantiles_invert_the_distribution_function_and_stop_at_atoms(q):
    for law in (SYMMETRIC, SIGNED):
        x = float(law.ppf(q))
        assert law.cdf(x) >= q - 1e-14
        assert law.cdf(x - 1e-12) <= q
        x = float(law.isf(q))
        assert law.sf(x) <= q + 1e-14
        assert law.sf(x - 1e-12) >= q


def test_quantiles_answer_the_ends_and_refuse_nonsense():
    np.testing.assert_array_equal(SYMMETRIC.ppf([0.0, 1.0]), [-1.0, 1.0])
    assert np.isnan(SYMMETRIC.ppf([-0.1, 1.1, np.nan])).all()
    assert np.isnan(SYMMETRIC.pdf(np.nan))
    assert SYMMETRIC.pdf([-1.5, 1.5]).tolist() == [0.0, 0.0]


ROWS = [("Normal", "16"), ("Normal", "64"), ("Laplace", "64"), ("StudentT(5)", "64")]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "block"), ROWS)
def test_reference_numbers_of_block_scaling(shared_json, name, block):
    row = shared_json("reference/block_scaling.json")["rows"][name][block]
    source = {"Normal": Normal(), "Laplace": Laplace(), "StudentT(5)": StudentT(5.0)}[name]
    law, signed = BlockScaled(source, int(block)), BlockScaled(source, int(block), "signmax")
    assert law.expected_scale == pytest.approx(row["E_max"], rel=1e-12)
    assert law.expected_square == pytest.approx(row["E_max2"], rel=1e-12)
    atoms = law.partial_moments(-1.1, -1.0)[0] + law.partial_moments(1.0 - 1e-13, 1.0)[0]
    assert atoms == pytest.approx(row["atom_mass_weighted"], rel=1e-10)
    for bits in (3, 4):
        numbers, levels = row[f"bits{bits}"], 2**bits

        def error(codepoints, of=law):
            return math.sqrt(evaluate(ScalarQuantiser(codepoints), of).distortion)

        assert error(numbers["cube_root_codepoints"]) == pytest.approx(
            numbers["cube_root_closed_form_symmetric_R"], rel=1e-11
        )
        pinned = lloyd_max(law, levels, pinned={0: -1.0, levels - 1: 1.0}).codepoints
        np.testing.assert_allclose(pinned, numbers["optimal_ends_pinned_codepoints"], atol=1e-9)
        assert error(pinned) == pytest.approx(numbers["optimal_ends_pinned_R"], rel=1e-11)
        free = lloyd_max(law, levels).codepoints
        assert error(free) == pytest.approx(numbers["optimal_free_R"], rel=1e-9)
        own = lloyd_max(signed, levels).codepoints
        assert error(own, signed) == pytest.approx(numbers["signmax_optimal_free_R"], rel=1e-9)
