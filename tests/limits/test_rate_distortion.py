"""The rate-distortion function: closed forms, laws, honest brackets, bad arguments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, gamma

from bitlaw.theory import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Logistic,
    Mixture,
    Normal,
    StudentT,
    Truncated,
    Uniform,
    entropy_constrained,
    evaluate,
    from_scipy,
    lloyd_max,
)
from bitlaw.theory.limits import (
    distortion_rate,
    rate_distortion,
    shannon_lower_bound,
    shannon_lower_bound_rate,
)

from ..laws import rescaled, stds, symmetric
from .disguised import Disguised, Exponential, GaussianPair, Undeclared
from .naive import blahut

LAWS = {
    "Laplace": Laplace(),
    "Uniform": Uniform(),
    "Logistic": Logistic(),
    "StudentT(5)": StudentT(5),
    "StudentT(2.1)": StudentT(2.1),
    "GeneralisedNormal(0.5)": GeneralisedNormal(0.5),
    "GeneralisedNormal(1.5)": GeneralisedNormal(1.5),
    "GeneralisedNormal(4)": GeneralisedNormal(4),
}
few = settings(max_examples=5)
drawn_rates = st.floats(0.05, 8)


def binary_entropy(p):
    return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


@given(stds, st.floats(0, 24))
def test_gaussian_is_the_closed_form(std, rate):
    limit = distortion_rate(Normal(std), rate)
    assert limit.distortion == pytest.approx(std**2 * 4.0**-rate, rel=1e-14)
    assert limit.lower == limit.upper == limit.distortion
    assert limit.slope == pytest.approx(2 * np.log(2) * limit.distortion)
    back = rate_distortion(Normal(std), limit.distortion)
    assert back.rate == pytest.approx(rate, abs=1e-12)
    assert rate < 1e-9 or back.slope == pytest.approx(limit.slope, rel=1e-12)


@pytest.mark.parametrize("rate", [0.05, 0.5, 1, 2, 4, 8, 16])
def test_bracket_holds_the_gaussian_when_its_family_is_hidden(rate):
    limit = distortion_rate(Disguised(Normal()), rate)
    assert limit.lower <= 4.0**-rate * (1 + 1e-13)
    assert limit.upper >= 4.0**-rate * (1 - 1e-13)
    assert limit.bracket_bits < 2e-7


@pytest.mark.parametrize("rate", [1, 2, 5])
def test_bracket_holds_the_shannon_bound_of_a_gaussian_mixture_below_its_least_variance(rate):
    law = GaussianPair(1.5, 0.7)
    exact = shannon_lower_bound(law, rate)
    assert exact < law.spread**2
    limit = distortion_rate(law, rate)
    assert limit.lower <= exact * (1 + 1e-12)
    assert exact * (1 - 1e-12) <= limit.upper
    assert limit.bracket_bits < 2e-7


@pytest.mark.parametrize("flips", [0.4, 0.2, 0.05, 0.001])
def test_bracket_holds_the_symmetric_binary_law(flips):
    # X = +-1 through a binary symmetric channel, reproduced at its conditional mean.
    rate, distortion = 1 - binary_entropy(flips), 4 * flips * (1 - flips)
    limit = rate_distortion(Empirical([-1.0, 1.0]), distortion)
    assert limit.lower - 1e-12 <= rate <= limit.upper + 1e-12
    assert limit.bracket_bits < 1e-6


@pytest.mark.parametrize("rate", [0.05, 1.3, 8])
@pytest.mark.parametrize("name", LAWS)
def test_bracket_is_narrower_than_a_millionth_of_a_bit(name, rate):
    limit = distortion_rate(LAWS[name], rate)
    assert 0 <= limit.bracket_bits < 1e-6
    assert shannon_lower_bound(LAWS[name], rate) <= limit.lower <= limit.distortion <= limit.upper


@pytest.mark.parametrize("atoms", [3, 7])
def test_bracket_of_atoms_holds_the_textbook_iteration(atoms):
    values = np.sort(np.random.default_rng(atoms).standard_normal(atoms))
    places = np.linspace(values[0], values[-1], 301)
    rate, distortion, _ = blahut(np.full(atoms, 1 / atoms), (values[:, None] - places) ** 2, 2.0)
    limit = rate_distortion(Empirical(values), distortion)
    # The iteration is restricted to a grid, so that it can only need more; by less than its step squared.
    assert limit.lower <= rate
    assert rate - limit.upper < 2.0 * (places[1] - places[0]) ** 2


@few
@given(symmetric, st.floats(0.2, 3), st.floats(0.1, 2), st.floats(0.1, 2))
def test_function_is_convex_and_decreasing(law, rate, first, second):
    one, two, three = (distortion_rate(law, r) for r in (rate, rate + first, rate + first + second))
    assert one.lower > two.upper > 0
    assert two.lower > three.upper
    part = first / (first + second)
    assert two.lower <= (1 - part) * one.upper + part * three.upper


@few
@given(symmetric, drawn_rates)
def test_truth_lies_between_shannon_and_gauss(law, rate):
    limit = distortion_rate(law, rate)
    assert shannon_lower_bound(law, rate) * (1 - 1e-14) <= limit.lower <= limit.upper
    assert limit.upper <= law.std**2 * 4.0**-rate * (1 + 1e-12)


@few
@given(symmetric, st.floats(0.05, 6), st.floats(-3, 3))
def test_distortion_scales_with_the_square_of_the_data(law, rate, exponent):
    factor = 10.0**exponent
    one, two = distortion_rate(law, rate), distortion_rate(rescaled(law, factor), rate)
    assert two.lower <= one.upper * factor**2 * (1 + 1e-12)
    assert one.lower * factor**2 <= two.upper * (1 + 1e-12)
    assert two.slope == pytest.approx(one.slope * factor**2, rel=1e-2)


@few
@given(symmetric, st.floats(0.1, 6))
def test_rate_and_distortion_are_inverse_to_each_other(law, rate):
    limit = distortion_rate(law, rate)
    back = rate_distortion(law, limit.distortion)
    assert back.lower - limit.bracket_bits <= rate * (1 + 1e-9)
    assert rate <= (back.upper + limit.bracket_bits) * (1 + 1e-9)
    assert back.rate == pytest.approx(rate, abs=1e-6)


@few
@given(symmetric, st.floats(0.2, 5))
def test_slope_is_the_derivative(law, rate):
    low, at, high = (distortion_rate(law, r) for r in (rate * 0.98, rate, rate * 1.02))
    secant = (low.distortion - high.distortion) / (0.04 * rate)
    assert at.slope == pytest.approx(secant, rel=0.02)


@pytest.mark.parametrize("law", [Laplace(), Uniform(), StudentT(4)], ids=repr)
def test_shifted_law_has_the_same_limit(law):
    one, two = distortion_rate(law, 1.5), distortion_rate(Disguised(law, 3.3), 1.5)
    assert two.distortion == pytest.approx(one.distortion, rel=1e-6)
    assert two.lower <= one.upper
    assert one.lower <= two.upper


@pytest.mark.parametrize("rate", [0.3, 4.0])
@pytest.mark.parametrize(
    "law",
    [
        Mixture([Normal(0.001), Laplace(1.0)], [0.5, 0.5]),
        Mixture([StudentT(3), Uniform(0.3)], [0.3, 0.7]),
        Truncated(StudentT(3), -1.0, 30.0),
        from_scipy(gamma(0.5)),
    ],
    ids=["two scales", "tails and edges", "truncated", "pole at zero"],
)
def test_any_density_is_bracketed(law, rate):
    limit = distortion_rate(law, rate)
    assert limit.bracket_bits < 1e-6
    assert shannon_lower_bound(law, rate) <= limit.lower <= limit.upper
    assert limit.upper < law.std**2 * 4.0**-rate


def test_a_law_without_symmetry_is_bracketed():
    law = Exponential()
    for rate in (0.3, 4.0):
        limit = distortion_rate(law, rate)
        assert limit.bracket_bits < 1e-6
        assert shannon_lower_bound(law, rate) <= limit.lower
        # A one-sided law is a two-sided one and its sign, which costs a bit.
        assert limit.lower <= distortion_rate(Laplace(np.sqrt(2)), rate).upper


def test_a_cusp_is_found_where_it_is_not_declared():
    one, two = distortion_rate(Laplace(), 3), distortion_rate(Undeclared(Laplace(), 0.1), 3)
    assert two.bracket_bits < 1e-6
    assert two.distortion == pytest.approx(one.distortion, rel=1e-6)


@pytest.mark.parametrize("name", ["Laplace", "StudentT(5)", "Uniform"])
@pytest.mark.parametrize("levels", [2, 4, 16])
def test_no_fixed_rate_quantiser_beats_the_limit(name, levels):
    design = evaluate(lloyd_max(LAWS[name], levels), LAWS[name])
    assert distortion_rate(LAWS[name], np.log2(levels)).upper < design.distortion
    # By the entropy of its index it is coded at a lower rate, and still above.
    assert rate_distortion(LAWS[name], design.distortion).upper < design.entropy


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.0])
def test_entropy_constrained_quantiser_stays_within_its_known_gap(rate):
    design = evaluate(entropy_constrained(Laplace(), rate=rate), Laplace())
    gap = design.entropy - rate_distortion(Laplace(), design.distortion).rate
    assert 0 < gap < 0.2547


def test_smooth_laws_meet_the_shannon_bound_and_rough_ones_stay_away_from_it():
    for name, excess in {"Logistic": 1e-9, "StudentT(5)": 1e-9}.items():
        assert distortion_rate(LAWS[name], 3).upper < shannon_lower_bound(LAWS[name], 3) * (1 + excess)
    # The edges of the uniform law cost an amount proportional to the kernel width: halved by each bit.
    law = Uniform()
    excess = [rate_distortion(law, 4.0**-r).rate - shannon_lower_bound_rate(law, 4.0**-r) for r in (6, 7, 8)]
    assert excess[0] / excess[1] == pytest.approx(2, rel=1e-3)
    assert excess[1] / excess[2] == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("name", ["Uniform", "StudentT(2.1)"])
def test_extreme_rates_are_bracketed_too(name):
    low, high = distortion_rate(LAWS[name], 1e-3), distortion_rate(LAWS[name], 20)
    assert low.bracket_bits < 1e-6
    assert high.bracket_bits < 1e-6
    assert 0 < low.lower <= low.upper < 1


def test_ends_are_closed_forms():
    assert distortion_rate(Laplace(2.0), 0).distortion == 4.0
    assert rate_distortion(Laplace(2.0), 4.0).rate == 0.0
    assert rate_distortion(Laplace(2.0), 7.0).rate == 0.0
    atoms = Empirical([0.0, 1.0, 1.0, 4.0])
    assert distortion_rate(atoms, 1.5).distortion == 0.0
    assert rate_distortion(atoms, 0.0).rate == pytest.approx(1.5)


def test_weights_of_atoms_count():
    one = distortion_rate(Empirical([0.0, 1.0, 1.0, 4.0]), 0.7)
    two = distortion_rate(Empirical([0.0, 1.0, 4.0], weights=[2.0, 4.0, 2.0]), 0.7)
    assert two.distortion == pytest.approx(one.distortion, rel=1e-9)


def test_results_are_remembered():
    assert distortion_rate(Laplace(), 1.25) is distortion_rate(Laplace(), 1.25)


@pytest.mark.shared
def test_reference_rows_lie_within_the_brackets(shared_json):
    rows = shared_json("reference/rate_distortion.json")["rows"]
    for name, row in rows.items():
        for rate, cell in row.items():
            limit = distortion_rate(LAWS[name], float(rate))
            slack = cell["distortion"] * cell["relative_error_bound"]
            assert limit.lower <= cell["distortion"] + slack
            assert cell["distortion"] - slack <= limit.upper
            assert limit.distortion == pytest.approx(cell["distortion"], rel=1e-7)
            assert shannon_lower_bound(LAWS[name], float(rate)) == pytest.approx(
                cell["shannon_lower_bound"], rel=1e-13
            )


@pytest.mark.parametrize(
    ("rate", "error", "match"),
    [
        (-0.1, ValueError, "rate must be finite and not negative, got -0.1"),
        (float("nan"), ValueError, "rate must be finite and not negative, got nan"),
        (float("inf"), ValueError, "rate must be finite"),
        (24.5, ValueError, "rate must be at most 24 bits, got 24.5"),
        ("2", TypeError, "rate must be a real number, got '2'"),
        (True, TypeError, "rate must be a real number, got True"),
    ],
)
def test_bad_rates_are_named(rate, error, match):
    with pytest.raises(error, match=match):
        distortion_rate(Laplace(), rate)


@pytest.mark.parametrize(
    ("distortion", "error", "match"),
    [
        (0.0, ValueError, "distortion must be finite and positive, got 0.0"),
        (-1.0, ValueError, "distortion must be finite and positive"),
        (float("nan"), ValueError, "distortion must be finite and positive, got nan"),
        (1e-20, ValueError, "needs more than 24 bits"),
        (None, TypeError, "distortion must be a real number, got None"),
    ],
)
def test_bad_distortions_are_named(distortion, error, match):
    with pytest.raises(error, match=match):
        rate_distortion(Laplace(), distortion)


def test_bad_sources_are_named():
    with pytest.raises(ValueError, match=r"density that holds all its mass; .* missing near x = 1"):
        distortion_rate(from_scipy(beta(0.5, 0.5)), 2)
    with pytest.raises(TypeError, match=r"source must be a Source, such as Laplace\(\), got \[1.0, 2.0\]"):
        distortion_rate([1.0, 2.0], 1)
    with pytest.raises(ValueError, match=r"at most 4000 distinct values .* got 5000"):
        distortion_rate(Empirical(np.arange(5000.0)), 1)
