"""Reverse water-filling: optimality conditions, laws, floors and ceilings, covariances, bad arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from bitlaw.theory.limits import covariance_water_filling, reverse_water_filling

from .naive import clipped_rates

logs = st.floats(-6, 6)


@st.composite
def problems(draw):
    """Variances and a rate."""
    variances = np.exp(np.array(draw(st.lists(logs, min_size=1, max_size=12))))
    return variances, draw(st.floats(0, 8))


@st.composite
def limited(draw):
    """Variances, weights, floors, ceilings and a rate between them."""
    size = draw(st.integers(1, 8))

    def vector(elements):
        return np.array(draw(st.lists(elements, min_size=size, max_size=size)))

    low = vector(st.sampled_from([0.0, 0.0, 0.3, 2.0]))
    high = low + vector(st.sampled_from([0.0, 0.5, 3.0, np.inf]))
    top = min(high.mean(), low.mean() + 6)
    rate = low.mean() + draw(st.floats(0, 1)) * (top - low.mean())
    return np.exp(vector(logs)), np.exp(vector(logs)), low, high, rate


@given(problems())
def test_every_coded_component_shares_the_level(problem):
    variances, rate = problem
    filling = reverse_water_filling(variances, rate)
    np.testing.assert_allclose(filling.distortions, np.minimum(filling.level, variances), rtol=1e-11)
    np.testing.assert_allclose(filling.distortions, variances * 4.0**-filling.rates, rtol=1e-13)
    assert filling.rates.mean() == pytest.approx(rate, abs=1e-12)
    assert (filling.rates >= 0).all()
    assert filling.distortion == pytest.approx(filling.distortions.mean())


@given(limited())
def test_level_equals_bisection_under_floors_and_ceilings(problem):
    variances, weights, low, high, rate = problem
    filling = reverse_water_filling(variances, rate, weights=weights, floor=low, ceiling=high)
    assert filling.rate == pytest.approx(rate, abs=1e-12)
    assert (filling.rates >= low).all()
    assert (filling.rates <= high).all()
    np.testing.assert_allclose(
        filling.rates, clipped_rates(variances, weights, low, high, rate), rtol=0, atol=1e-11
    )


@given(limited(), st.integers(0, 2**32 - 1))
def test_no_other_rates_have_less_weighted_distortion(problem, seed):
    variances, weights, low, high, rate = problem
    filling = reverse_water_filling(variances, rate, weights=weights, floor=low, ceiling=high)
    # Move rate from one component to another, as far as floor and ceiling allow.
    rng = np.random.default_rng(seed)
    for _ in range(5):
        i, j = rng.integers(len(variances), size=2)
        room = min(filling.rates[i] - low[i], high[j] - filling.rates[j])
        moved = filling.rates.copy()
        step = room * rng.uniform()
        moved[i] -= step
        moved[j] += step
        other = np.mean(weights * variances * 4.0**-moved)
        assert other >= filling.distortion * (1 - 1e-12)


@given(problems(), st.randoms(use_true_random=False))
def test_components_may_come_in_any_order(problem, random):
    variances, rate = problem
    order = list(range(len(variances)))
    random.shuffle(order)
    one, two = reverse_water_filling(variances, rate), reverse_water_filling(variances[order], rate)
    np.testing.assert_allclose(two.rates, one.rates[order], atol=1e-12)


@given(problems(), st.floats(0.01, 2))
def test_more_rate_lowers_the_level_and_no_rate_of_any_component(problem, more):
    variances, rate = problem
    one, two = reverse_water_filling(variances, rate), reverse_water_filling(variances, rate + more)
    assert two.level < one.level
    assert two.distortion < one.distortion
    assert (two.rates >= one.rates - 1e-12).all()


@given(problems(), st.floats(-3, 3))
def test_scaling_all_variances_changes_no_rate(problem, exponent):
    variances, rate = problem
    one, two = reverse_water_filling(variances, rate), reverse_water_filling(variances * 10.0**exponent, rate)
    np.testing.assert_allclose(two.rates, one.rates, atol=1e-11)
    assert two.level == pytest.approx(one.level * 10.0**exponent, rel=1e-10)


@given(problems())
def test_a_weight_is_a_variance(problem):
    variances, rate = problem
    weights = np.linspace(0.2, 3, len(variances))
    one = reverse_water_filling(variances, rate, weights=weights)
    two = reverse_water_filling(variances * weights, rate)
    np.testing.assert_allclose(one.rates, two.rates, atol=1e-12)
    assert one.distortion == pytest.approx(two.distortion, rel=1e-12)
    np.testing.assert_allclose(one.distortions * weights, two.distortions, rtol=1e-11)


@given(problems())
def test_at_high_rate_the_geometric_mean_decides(problem):
    variances, rate = problem
    filling = reverse_water_filling(variances, rate + 20)
    wanted = np.exp(np.log(variances).mean()) * 4.0 ** -(rate + 20)
    assert filling.distortion == pytest.approx(wanted, rel=1e-10)


def test_ends_of_the_range():
    variances = [4.0, 1.0, 0.25]
    nothing = reverse_water_filling(variances, 0)
    assert nothing.rates.tolist() == [0, 0, 0]
    assert nothing.level == pytest.approx(4.0)
    full = reverse_water_filling(variances, 2, ceiling=[1, 2, 3])
    assert full.rates.tolist() == [1, 2, 3]
    held = reverse_water_filling(variances, 1, floor=[0, 0, 3])
    assert held.rates.tolist() == [0, 0, 3]
    alone = reverse_water_filling([2.0], 3)
    assert alone.distortions.tolist() == [2.0 / 64]


def test_a_million_components_keep_their_mean_rate():
    variances = np.exp(np.random.default_rng(4).normal(size=1_000_000))
    filling = reverse_water_filling(variances, 1.7)
    assert filling.rate == pytest.approx(1.7, abs=1e-10)


def test_covariance_gives_its_eigenvalues():
    matrix = toeplitz(0.9 ** np.arange(40))
    filling = covariance_water_filling(matrix, 1.5)
    values = np.linalg.eigvalsh(matrix)
    assert filling.distortion == pytest.approx(reverse_water_filling(values, 1.5).distortion, rel=1e-12)
    np.testing.assert_allclose(
        filling.basis.T @ matrix @ filling.basis, np.diag(filling.variances), atol=1e-12
    )


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 4))
def test_rotation_of_a_vector_changes_nothing(seed, rate):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    values = np.exp(rng.normal(size=5))
    filling = covariance_water_filling(rotation @ np.diag(values) @ rotation.T, rate)
    assert filling.distortion == pytest.approx(reverse_water_filling(values, rate).distortion, rel=1e-10)


@pytest.mark.shared
def test_reference_rows_to_their_digits(shared_json):
    rows = shared_json("reference/water_filling.json")["rows"]
    for rate, wanted in rows["i^-1 n=64"]["distortion_at_rate"].items():
        variances = 1 / np.arange(1, 65)
        assert reverse_water_filling(variances, float(rate)).distortion == pytest.approx(wanted, rel=1e-14)
    matrix = toeplitz(0.9 ** np.arange(256))
    for rate, wanted in rows["toeplitz rho=0.9 n=256"]["distortion_at_rate"].items():
        assert covariance_water_filling(matrix, float(rate)).distortion == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: reverse_water_filling([], 1),
            ValueError,
            r"variances must be one-dimensional and not empty",
        ),
        (lambda: reverse_water_filling([[1.0]], 1), ValueError, r"got shape \(1, 1\)"),
        (lambda: reverse_water_filling([1.0, 0.0], 1), ValueError, r"variances\[1\] is 0.0"),
        (lambda: reverse_water_filling([1.0, np.nan], 1), ValueError, r"variances\[1\] is nan"),
        (lambda: reverse_water_filling([1.0, -2.0], 1), ValueError, r"variances\[1\] is -2.0"),
        (lambda: reverse_water_filling(["a"], 1), TypeError, "variances must be an array of real numbers"),
        (lambda: reverse_water_filling([1.0], -1), ValueError, "rate must be finite and not negative"),
        (lambda: reverse_water_filling([1.0], None), TypeError, "rate must be a real number, got None"),
        (lambda: reverse_water_filling([1.0], 1, weights=[1, 2]), ValueError, "weights must have the shape"),
        (lambda: reverse_water_filling([1.0], 1, weights=[0]), ValueError, r"weights\[0\] is 0"),
        (
            lambda: reverse_water_filling([1.0, 1], 1, floor=[1, 2, 3]),
            ValueError,
            "floor must be a number or",
        ),
        (lambda: reverse_water_filling([1.0], 1, floor=2, ceiling=1), ValueError, "not above ceiling"),
        (lambda: reverse_water_filling([1.0], 1, floor=-1), ValueError, "not negative"),
        (lambda: reverse_water_filling([1.0], 1, ceiling="x"), TypeError, "ceiling must be a real number"),
        (
            lambda: reverse_water_filling([1.0], 5, ceiling=4),
            ValueError,
            "mean floor 0 and the mean ceiling 4",
        ),
        (
            lambda: reverse_water_filling([1.0], 1, floor=2),
            ValueError,
            "mean floor 2 and the mean ceiling inf",
        ),
        (lambda: covariance_water_filling([[1.0, 2.0]], 1), ValueError, "must be a square matrix"),
        (lambda: covariance_water_filling([[1.0, 2.0], [0, 1]], 1), ValueError, "must be symmetric"),
        (lambda: covariance_water_filling([[1, 2], [2, 1]], 1), ValueError, "has the eigenvalue -1"),
        (lambda: covariance_water_filling(np.ones((3, 3)), 1), ValueError, "must not be singular"),
        (lambda: covariance_water_filling([[np.inf]], 1), ValueError, "covariance must be finite"),
        (lambda: covariance_water_filling([["a"]], 1), TypeError, "covariance must be an array of real"),
    ],
)
def test_bad_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()
