"""Rate-distortion functions of laws that weight their errors: known cases, oracles, honest brackets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import Normal, ScalarQuantiser, Truncated, Uniform, evaluate
from bitlaw.theory.limits import distortion_rate, finite_alphabet, rate_distortion

from ..weighted_source import Weighted, absmax_like, falling, signmax_like, tilted, unit, with_zeros
from .alphabet import Alphabet
from .naive import blahut

LAWS = {
    "falling": Weighted(),
    "tilted": Weighted(weight=tilted),
    "absmax": absmax_like(),
    "signmax": signmax_like(weight=tilted),
    "zeros": with_zeros(),
}
few = settings(max_examples=3)


def binary_entropy(p):
    return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


@pytest.mark.parametrize("base", [Truncated(Normal(0.4), -1.0, 1.0), Uniform(0.5)], ids=["normal", "uniform"])
@pytest.mark.parametrize("rate", [0.05, 1.0, 5.0])
def test_constant_weights_multiply_the_plain_distortion(base, rate):
    plain, weighted = distortion_rate(base, rate), distortion_rate(Weighted(base, unit, scale=3.0), rate)
    assert weighted.distortion == pytest.approx(3 * plain.distortion, rel=1e-6)
    assert weighted.lower <= 3 * plain.upper
    assert 3 * plain.lower <= weighted.upper
    assert weighted.slope == pytest.approx(3 * plain.slope, rel=1e-2)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("rate", [0.05, 0.7, 3])
def test_bracket_is_narrower_than_a_millionth_of_a_bit(name, rate):
    limit = distortion_rate(LAWS[name], rate)
    assert 0 <= limit.bracket_bits < 1e-6
    assert 0 < limit.lower <= limit.distortion <= limit.upper
    back = rate_distortion(LAWS[name], limit.distortion)
    assert back.bracket_bits < 1e-6
    assert back.rate == pytest.approx(rate, abs=1e-6)
    assert back.lower - limit.bracket_bits <= rate * (1 + 1e-9)
    assert rate <= (back.upper + limit.bracket_bits) * (1 + 1e-9)


def test_bracket_stays_narrow_at_eight_bits():
    assert 0 <= distortion_rate(LAWS["absmax"], 8).bracket_bits < 1e-6


@pytest.mark.parametrize("flips", [0.4, 0.2, 0.05, 0.001])
@pytest.mark.parametrize("weight", [1.0, 7.0])
def test_bracket_holds_two_letters_of_one_weight(flips, weight):
    # X = +-1 through a binary symmetric channel, reproduced at its conditional mean.
    law = Alphabet((-1.0, 1.0), (0.5, 0.5), (weight, weight))
    rate, distortion = 1 - binary_entropy(flips), 4 * weight * flips * (1 - flips)
    limit = rate_distortion(law, distortion)
    assert limit.lower - 1e-12 <= rate <= limit.upper + 1e-12
    assert limit.bracket_bits < 1e-6


@pytest.mark.parametrize("slope", [0.3, 2.0, 8.0])
@pytest.mark.parametrize("count", [2, 5])
def test_bracket_of_weighted_letters_holds_the_textbook_iteration(count, slope):
    rng = np.random.default_rng(count)
    letters, masses, weights = (
        np.sort(rng.standard_normal(count)),
        rng.dirichlet(np.ones(count)),
        0.2 + rng.random(count),
    )
    law = Alphabet(tuple(letters), tuple(masses), tuple(weights))
    outputs = np.linspace(letters[0], letters[-1], 301)
    distortions = law.distortions(outputs)
    rate, distortion, q = blahut(masses, distortions, slope)
    kernel = np.exp(-slope * distortions)
    unfinished = np.log2((masses / (kernel @ q)) @ kernel).max()  # Blahut (1972), theorem 6
    limit = rate_distortion(law, distortion)
    assert limit.lower <= rate + 1e-9
    # The iteration is restricted to a grid, so that it can only need more; by less than its step squared.
    assert rate - unfinished - limit.upper < 2.0 * slope * (outputs[1] - outputs[0]) ** 2
    assert unfinished < 1e-3


@pytest.mark.parametrize("name", ["falling", "signmax"])
def test_bracket_of_a_density_is_near_the_textbook_problem_of_its_histogram(name):
    law, slope = LAWS[name], 20.0
    edges = np.linspace(-1, 1, 101)
    masses = law.probability(edges[:-1], edges[1:])
    energies = law.partial_moments(edges[:-1], edges[1:])[0]
    middle = (edges[:-1] + edges[1:]) / 2
    middle[-1] = 1.0 if name == "signmax" else middle[-1]  # nearly all of that bin is the atom
    weights = energies / masses
    channel = finite_alphabet(
        masses, weights[:, None] * (middle[:, None] - np.linspace(-1, 1, 101)) ** 2, slope
    )
    # Second moment of a bin about its middle, times the slope, and outputs that are half a bin away.
    error = slope * (weights.max() * 0.02**2)
    assert rate_distortion(law, channel.distortion).rate == pytest.approx(channel.rate, abs=error)


def test_letters_that_weigh_nothing_cost_nothing():
    zeros, rest = (
        with_zeros(0.1),
        Weighted(atoms=((-1.0, 0.03 / 0.9, 0.06 / 0.9), (1.0, 0.03 / 0.9, 0.06 / 0.9))),
    )
    for rate in (0.3, 2.0):
        limit = distortion_rate(zeros, 0.9 * rate)
        assert limit.distortion == pytest.approx(0.9 * distortion_rate(rest, rate).distortion, rel=1e-6)
        assert rate_distortion(zeros, limit.distortion).rate == pytest.approx(0.9 * rate, abs=1e-6)


@few
@given(st.sampled_from(list(LAWS)), st.floats(0.1, 3), st.floats(0.1, 2), st.floats(0.1, 2))
def test_function_is_convex_and_decreasing(name, rate, first, second):
    one, two, three = (distortion_rate(LAWS[name], r) for r in (rate, rate + first, rate + first + second))
    assert one.lower > two.upper > 0
    assert two.lower > three.upper
    part = first / (first + second)
    assert two.lower <= (1 - part) * one.upper + part * three.upper


@few
@given(st.sampled_from(list(LAWS)), st.floats(0.2, 5))
def test_slope_is_the_derivative(name, rate):
    low, at, high = (distortion_rate(LAWS[name], r) for r in (rate * 0.98, rate, rate * 1.02))
    assert at.slope == pytest.approx((low.distortion - high.distortion) / (0.04 * rate), rel=0.02)


@few
@given(st.sampled_from(list(LAWS)), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_no_scalar_quantiser_lies_below_the_limit(name, levels, seed):
    points = np.sort(np.random.default_rng(seed).uniform(-1, 1, levels))
    assert evaluate(ScalarQuantiser(points), LAWS[name]).gap_bits > -1e-9


@pytest.mark.parametrize("name", LAWS)
def test_without_a_rate_the_best_single_value_is_the_weighted_centroid(name):
    law = LAWS[name]
    values = np.linspace(-1, 1, 2001)
    searched = min(float(law.partial_moments(-np.inf, np.inf, v)[2]) for v in values)
    most = distortion_rate(law, 0).distortion
    assert most <= searched <= most + 2 * 0.0005**2
    assert rate_distortion(law, most).rate == 0.0
    assert rate_distortion(law, 2 * most).rate == 0.0
    assert distortion_rate(law, 1e-3).lower == pytest.approx(most, rel=5e-3)


def test_letters_reach_zero_distortion_at_their_entropy():
    law = Alphabet((0.0, 1.0, 4.0), (0.25, 0.5, 0.25), (1.0, 2.0, 3.0))
    assert distortion_rate(law, 1.5).distortion == 0.0
    assert rate_distortion(law, 0.0).rate == pytest.approx(1.5)
    assert 1.4 < rate_distortion(law, 1e-4).rate < 1.5


def test_heavier_weights_cost_distortion_and_no_more_than_their_ratio():
    light, heavy = Weighted(weight=falling), Weighted(weight=unit)  # falling is at most 1, at least exp(-1.5)
    for rate in (0.5, 3.0):
        one, two = distortion_rate(light, rate), distortion_rate(heavy, rate)
        assert np.exp(-1.5) * two.lower < one.upper
        assert one.lower < two.upper


def test_mirrored_laws_have_one_limit():
    one = Weighted(weight=tilted, atoms=((1.0, 0.05, 0.2),))
    two = Weighted(weight=lambda x: tilted(-x), atoms=((-1.0, 0.05, 0.2),))
    assert distortion_rate(one, 1.5).distortion == pytest.approx(
        distortion_rate(two, 1.5).distortion, rel=1e-6
    )


def test_what_the_panels_miss_is_refused():
    hidden = Weighted(atoms=((0.123, 0.05, 0.2),))  # inside, and not declared
    with pytest.raises(
        ValueError,
        match=r"densities and atoms that hold its whole probability; 0.05 of it is missing, .*between -0.1.* and 0.2",
    ):
        distortion_rate(hidden, 1)


def test_too_many_cells_are_refused():
    with pytest.raises(
        ValueError, match=r"the rate is too high, or the tails are too heavy, .* at most 40000"
    ):
        distortion_rate(LAWS["falling"], 20)


def test_weights_that_vary_too_much_are_refused():
    law = Weighted(Uniform(3**-0.5), lambda x: 1e-12 + x**6)
    with pytest.raises(
        ValueError, match=r"the rate is too high for weights that vary so much: some letter sees"
    ):
        distortion_rate(law, 8)


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match="rate must be finite and not negative, got -1"):
        distortion_rate(LAWS["absmax"], -1)
    with pytest.raises(ValueError, match="distortion must be finite and positive, got 0"):
        rate_distortion(LAWS["absmax"], 0)
