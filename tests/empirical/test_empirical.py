"""The law of data answers with the data's own sums, however narrow and far out the interval."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from bitlaw.theory.sources import Empirical, Normal
from bitlaw.theory.sources._moment_tree import BLOCK

samples_drawn = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40).filter(
    lambda x: max(x) - min(x) > 1e-100
)


def exact_moments(samples, weights, total, about):
    """Sums as fractions, and the sum of |x - about| that the first moment is measured by."""
    inside = [(Fraction(w), Fraction(x) - Fraction(about)) for x, w in zip(samples, weights, strict=True)]
    sums = [sum((w * d**k for w, d in inside), Fraction(0)) / total for k in range(3)]
    return sums, sum((w * abs(d) for w, d in inside), Fraction(0)) / total


def assert_moments(got, run, weights, total, about, tolerance=1e-13):
    (mass, first, second), size = exact_moments(run, weights, total, about)
    for value, exact, scale in zip(got, (mass, first, second), (mass, size, second), strict=True):
        assert abs(Fraction(float(value)) - exact) <= Fraction(tolerance) * scale


@given(samples=samples_drawn, data=st.data())
def test_moments_are_the_sums_over_the_samples_of_the_interval(samples, data):
    ends = st.one_of(st.sampled_from(samples), st.floats(-2e6, 2e6), st.just(np.inf), st.just(-np.inf))
    lower, upper = sorted([data.draw(ends), data.draw(ends)])
    about = data.draw(st.one_of(st.sampled_from(samples), st.floats(-1e6, 1e6)))
    run = [x for x in samples if lower < x <= upper]
    got = Empirical(samples).partial_moments(lower, upper, about)
    assert_moments(got, run, [1] * len(run), len(samples), about)


@pytest.mark.parametrize(
    ("spread", "far"), [(1.0, 0.0), (1e-7, 1e3), (1e-3, -1e8), (1e140, 0.0), (1e-140, 0.0)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_no_digit_is_lost_in_long_runs_of_samples_far_from_zero(spread, far, weighted):
    rng = np.random.default_rng(5)
    samples = np.unique(far + spread * rng.standard_t(2.1, 13 * BLOCK + 17))
    weights = rng.lognormal(0, 8, samples.size) if weighted else np.ones(samples.size)
    source = Empirical(rng.permutation(samples), None) if not weighted else Empirical(samples, weights)
    total = sum(map(Fraction, weights))
    for start, stop in [(0, -1), (3, 5), (BLOCK - 2, 3 * BLOCK), (BLOCK, 12 * BLOCK), (-40, -1)]:
        run, masses = samples[start:stop], weights[start:stop]
        for about in (float(np.average(run, weights=masses)), run[0]):
            got = source.partial_moments(np.nextafter(run[0], -np.inf), run[-1], about)
            assert_moments(got, run, masses, total, about)


def test_differences_of_prefix_sums_would_lose_the_digits_that_the_tree_keeps():
    samples = np.concatenate([np.linspace(-1e6, 1e6, 5000), 1e6 + 1e-6 * np.arange(1, 301.0)])
    lower, upper = samples[-301], samples[-1]
    about = float(samples[-150])
    run, ones = samples[-300:], [1] * 300
    exact, _ = exact_moments(run, ones, samples.size, about)
    got = Empirical(samples).partial_moments(lower, upper, about)
    assert_moments(got, run, ones, samples.size, about)
    prefix = np.cumsum((samples - about) ** 2)
    naive = (prefix[-1] - prefix[-301]) / samples.size
    assert abs(naive - float(exact[2])) > 1e-6 * float(exact[2])


@given(samples=samples_drawn, cuts=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_moments_of_neighbouring_intervals_add_up(samples, cuts):
    a, b, c = sorted(cuts)
    source = Empirical(samples)
    left, right, whole = source.partial_moments([a, b, a], [b, c, c], about=b).T
    np.testing.assert_allclose(left + right, whole, rtol=1e-14, atol=1e-14 * np.sqrt(max(whole[2], 0.0)))


@given(samples=samples_drawn, data=st.data())
def test_a_weight_is_a_number_of_repetitions(samples, data):
    weights = data.draw(st.lists(st.integers(1, 5), min_size=len(samples), max_size=len(samples)))
    weighted, repeated = Empirical(samples, weights), Empirical(np.repeat(samples, weights))
    edges = np.append(-np.inf, np.sort(samples))
    np.testing.assert_allclose(
        weighted.partial_moments(edges[:-1], edges[1:], edges[1:]),
        repeated.partial_moments(edges[:-1], edges[1:], edges[1:]),
        rtol=1e-14,
        atol=1e-300,
    )
    assert weighted.std == pytest.approx(repeated.std, rel=1e-14)
    assert weighted.mean == pytest.approx(repeated.mean, rel=1e-14, abs=1e-14 * weighted.std)


@given(samples=samples_drawn, seed=st.integers(0, 9))
def test_the_order_of_the_samples_plays_no_part(samples, seed):
    weights = np.random.default_rng(seed).integers(1, 9, len(samples))
    order = np.random.default_rng(seed).permutation(len(samples))
    one, other = Empirical(samples, weights), Empirical(np.array(samples)[order], weights[order])
    x = np.array(samples)
    np.testing.assert_allclose(one.cdf(x), other.cdf(x), rtol=1e-15)
    np.testing.assert_allclose(one.std, other.std, rtol=1e-14)


@given(samples=samples_drawn, exponent=st.integers(-20, 20), sign=st.sampled_from([-1.0, 1.0]))
def test_scaling_the_data_scales_the_law(samples, exponent, sign):
    factor = sign * 2.0**exponent
    source, scaled = Empirical(samples), Empirical(factor * np.array(samples))
    np.testing.assert_allclose(scaled.std, source.std * abs(factor), rtol=1e-14)
    np.testing.assert_allclose(scaled.mean, source.mean * factor, rtol=1e-13, atol=1e-14 * scaled.std)


@given(samples=samples_drawn, data=st.data())
def test_quantiles_invert_the_distribution_function_from_both_sides(samples, data):
    source = Empirical(samples)
    x = data.draw(st.one_of(st.sampled_from(samples), st.floats(-2e6, 2e6)))
    q = data.draw(st.one_of(st.sampled_from(source.cdf(samples).tolist()), st.floats(0, 1)))
    if q > 0:
        assert (source.ppf(q) <= x) == (q <= source.cdf(x))
    if q < 1:
        assert (source.isf(q) <= x) == (source.sf(x) <= q)


def test_quantiles_and_tails_are_those_of_the_sorted_samples():
    rng = np.random.default_rng(0)
    x = np.sort(rng.standard_normal(10 * BLOCK + 3))
    source = Empirical(rng.permutation(x))
    ranks = np.arange(1, x.size + 1) / x.size
    np.testing.assert_array_equal(source.ppf(ranks), x)
    np.testing.assert_array_equal(source.cdf(x), ranks)
    np.testing.assert_array_equal(source.sf(x), np.arange(x.size - 1, -1, -1) / x.size)
    np.testing.assert_array_equal(source.isf(source.sf(x)), x)
    assert source.support == (x[0], x[-1])
    assert np.isnan(source.ppf([-0.1, 1.1, np.nan])).all()
    assert np.isnan(source.cdf(np.nan))
    assert np.isnan(source.sf(np.nan))


@given(
    bits=st.lists(st.integers(0, 2**16 - 1), min_size=3, max_size=60),
    name=st.sampled_from(["float16", "bfloat16"]),
)
def test_half_precision_data_are_counted_as_the_numbers_they_are(bits, name):
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    with np.errstate(invalid="ignore"):
        x = np.array(bits, np.uint16).view(dtype).astype(np.float64)
    x = x[np.abs(x) < 1e30]
    x = np.concatenate([x, [1.0, 1.0, -2.0]])
    half, double = Empirical(x.astype(dtype)), Empirical(x)
    np.testing.assert_array_equal(half.values, np.unique(x))
    assert half.distinct == double.distinct
    np.testing.assert_allclose(half.cdf(x), double.cdf(x), rtol=1e-15)
    np.testing.assert_allclose(half.std, double.std, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32])
def test_every_type_of_number_gives_the_law_of_its_values(dtype):
    x = np.random.default_rng(1).integers(0, 100, 3000).astype(dtype)
    source, plain = Empirical(x), Empirical(x.astype(np.float64))
    assert source.distinct == plain.distinct == source.values.size
    assert (source.mean, source.std) == (plain.mean, plain.std)


def test_float32_data_stay_float32_and_cost_little_more():
    x = np.random.default_rng(2).standard_normal(100_000).astype(np.float32)
    source = Empirical(x)
    assert source.values.dtype == np.float32
    assert source.weights.size == 0
    assert source.values.nbytes + source._tree.nbytes < 4.6 * x.size
    x[:] = 7.0
    assert source.std == pytest.approx(1.0, abs=5 / math.sqrt(2 * x.size))  # five standard errors


def test_equal_values_are_merged_where_that_halves_the_work():
    assert Empirical([1.0, 2.0, 1.0, 2.0]).values.tolist() == [1.0, 2.0]
    assert Empirical([1.0, 2.0, 1.0, 2.0]).weights.tolist() == [2.0, 2.0]
    assert Empirical([1.0, 2.0, 1.0, 3.0]).values.tolist() == [1.0, 1.0, 2.0, 3.0]
    assert Empirical([0.0, -0.0, 1.0, 1.0]).distinct == 2


def test_weights_of_half_precision_data_are_summed_without_drift():
    samples = np.tile(np.array([1, 2], np.float16), 50_000)
    weights = np.random.default_rng(4).random(samples.size)
    exact = [math.fsum(weights[0::2]), math.fsum(weights[1::2])]
    np.testing.assert_allclose(Empirical(samples, weights).weights, exact, rtol=2.5e-16)


def test_a_sample_without_weight_is_left_out():
    source = Empirical([5.0, 1.0, 2.0, -9.0], [0, 1, 3, 0])
    assert source.support == (1.0, 2.0)
    assert source.mean == 1.75
    assert Empirical(np.array([1, 2, 3], np.float16), [1, 1, 0]).support == (1.0, 2.0)


@pytest.mark.parametrize("size", [1000, 100_000])
def test_the_law_of_data_approaches_the_law_they_were_drawn_from(size):
    law = Normal()
    source = Empirical(np.random.default_rng(3).standard_normal(size))
    x = np.linspace(-3, 3, 61)
    # The largest deviation exceeds this with probability 1e-6 (Dvoretzky-Kiefer-Wolfowitz).
    band = math.sqrt(math.log(2e6) / (2 * size))
    assert np.abs(source.cdf(x) - law.cdf(x)).max() < band
    assert np.abs(source.partial_moments(-np.inf, x)[0] - special.ndtr(x)).max() < band


def test_atoms_have_no_density():
    source = Empirical([0.0, 1.0])
    assert source.discrete
    assert not source.symmetric
    assert not source.log_concave
    assert source.differential_entropy() == -np.inf
    for method in (source.pdf, source.logpdf, source.distortion_density):
        with pytest.raises(TypeError, match="atoms and no density"):
            method(0.0)
    assert repr(source) == "Empirical(2 values, mean=0.5, std=0.5)"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("weights", [None, np.arange(6).reshape(2, 3)])
def test_a_sample_that_is_not_finite_is_named_with_its_position(weights, value, dtype):
    x = np.arange(6.0).reshape(2, 3)
    position = (1, 2) if weights is None else (0, 0)  # of weight zero, and yet not overlooked
    x[position] = value
    place = ", ".join(map(str, position))
    with pytest.raises(ValueError, match=rf"samples must be finite, but samples\[{place}\] is {value}"):
        Empirical(x.astype(getattr(ml_dtypes, dtype, dtype)), weights)


@pytest.mark.parametrize(
    ("samples", "weights", "message"),
    [
        ([], None, "at least two values, but hold 0"),
        ([1.0], None, "at least two values, but hold 1"),
        (np.ones((3, 4)), None, "must not be constant, but every one .* is 1.0"),
        ([1.0, 2.0, 3.0], [0, 1, 0], "must not be constant, but every one .* is 2.0"),
        ([0.0, -0.0], None, "must not be constant"),
        ([1.0, 2.0], [1.0], r"shape of samples, \(2,\), but have \(1,\)"),
        ([1.0, 2.0], [1.0, -1.0], "must not be negative; the smallest is -1.0"),
        ([1.0, 2.0], [0.0, 0.0], "positive, finite sum, but it is 0.0"),
        ([1.0, 2.0], [1e308, 1e308], "positive, finite sum, but it is inf"),
        ([1.0, 2.0], [1.0, np.nan], r"weights must be finite, but weights\[1\] is nan"),
        ([-1e300, 1e300], None, "squares of samples must stay within the range"),
        ([0.0, 1e-300], None, "squares of samples must stay within the range"),
    ],
)
def test_data_that_make_no_law_are_refused(samples, weights, message):
    with pytest.raises(ValueError, match=message):
        Empirical(samples, weights)


@pytest.mark.parametrize(
    ("samples", "weights", "name"),
    [
        (["a", "b"], None, "samples"),
        ([1j, 2], None, "samples"),
        ([True, False], None, "samples"),
        ([1, 2], ["1", "2"], "weights"),
    ],
)
def test_data_that_are_not_numbers_are_refused(samples, weights, name):
    with pytest.raises(TypeError, match=f"{name} must be an array of float16"):
        Empirical(samples, weights)


@pytest.mark.parametrize(
    ("lower", "upper", "about", "message"),
    [
        (1.0, 0.0, 0.0, "lower must not lie above upper"),
        (np.nan, 0.0, 0.0, "NaN"),
        (0.0, 1.0, np.inf, "about must be finite"),
    ],
)
def test_impossible_intervals_are_refused(lower, upper, about, message):
    with pytest.raises(ValueError, match=message):
        Empirical([0.0, 1.0]).partial_moments(lower, upper, about)
