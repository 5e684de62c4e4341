"""Maximum-likelihood fits: stationary, never beaten, indifferent to order, sign and units."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bitlaw.theory.fitting import FAMILIES, compression, fit, fit_all, prepare

from .laws import GENERATORS, draw, family_source, values

LIMITS = {"student_t": (2.05, 1e4), "generalised_normal": (0.2, 64.0)}
SCALE_FAMILIES = ("normal", "laplace", "logistic")


def scipy_logpdf(found):
    """The fitted law as scipy.stats has it: an independent density."""
    std = found.parameters["std"]
    if found.family == "normal":
        return stats.norm(scale=std).logpdf
    if found.family == "laplace":
        return stats.laplace(scale=std / math.sqrt(2)).logpdf
    if found.family == "logistic":
        return stats.logistic(scale=std * math.sqrt(3) / math.pi).logpdf
    if found.family == "uniform":
        half = std * math.sqrt(3) * (1 + 1e-15)
        return stats.uniform(-half, 2 * half).logpdf
    if found.family == "student_t":
        df = found.parameters["df"]
        return stats.t(df, scale=std * math.sqrt((df - 2) / df)).logpdf
    beta = found.parameters["beta"]
    return stats.gennorm(
        beta, scale=std * math.exp((math.lgamma(1 / beta) - math.lgamma(3 / beta)) / 2)
    ).logpdf


def has_fit(array, family):
    return family != "student_t" or np.mean(array == 0) < 0.67


# What a maximum is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@given(array=values(), data=st.data())
def test_no_member_of_the_family_is_more_likely(family, array, data):
    assume(has_fit(array, family))
    found = fit(array, family)
    std = found.parameters["std"] * math.exp(data.draw(st.floats(-2, 2)))
    low, high = LIMITS.get(family, (1, 1))
    shape = math.exp(data.draw(st.floats(math.log(low), math.log(high))))
    shape = min(max(shape, low), high)
    rival = np.sum(family_source(family, std, shape).logpdf(array))
    assert rival <= found.log_likelihood + 1e-9 * array.size * (1 + abs(found.log_likelihood / array.size))


@pytest.mark.parametrize("family", FAMILIES)
@given(array=values())
def test_log_likelihood_is_the_sum_of_the_log_density_of_scipy(family, array):
    assume(has_fit(array, family))
    found = fit(array, family)
    assert found.log_likelihood == pytest.approx(
        np.sum(scipy_logpdf(found)(array)), rel=1e-9, abs=1e-9 * array.size
    )
    parameters = len(found.parameters)
    assert found.aic == pytest.approx(2 * parameters - 2 * found.log_likelihood)
    assert found.cross_entropy == pytest.approx(-found.log_likelihood / array.size / math.log(2))


@pytest.mark.parametrize("family", [*SCALE_FAMILIES, "student_t", "generalised_normal"])
@pytest.mark.parametrize("law", GENERATORS)
def test_gradient_of_the_likelihood_is_zero(family, law):
    array = draw(GENERATORS[law], 3000, np.random.default_rng(11))
    found = fit(array, family)
    std = found.parameters["std"]
    shape = next((value for name, value in found.parameters.items() if name != "std"), math.nan)

    def mean_log_density(log_std, log_shape):
        return np.mean(
            family_source(family, std * math.exp(log_std), shape * math.exp(log_shape)).logpdf(array)
        )

    step = 1e-4
    slope = (mean_log_density(step, 0) - mean_log_density(-step, 0)) / (2 * step)
    assert abs(slope) < 1e-6
    if family in LIMITS:
        step = 1e-3 if found.bound == "" else 0
        slope = mean_log_density(0, step) - mean_log_density(0, -step)
        assert abs(slope) < 1e-8
    assert found.bound in (("", "upper") if family in LIMITS else ("",))


@pytest.mark.parametrize(
    ("family", "law"),
    [
        ("laplace", stats.laplace),
        ("logistic", stats.logistic),
        ("student_t", stats.t),
        ("generalised_normal", stats.gennorm),
    ],
)
def test_fit_agrees_with_the_numerical_optimiser_of_scipy(family, law):
    array = draw(GENERATORS[family], 2000, np.random.default_rng(5))
    *shape, _, scale = law.fit(array, floc=0)
    found = fit(array, family)
    assert found.log_likelihood >= np.sum(law.logpdf(array, *shape, 0, scale)) - 1e-9
    assert found.parameters["std"] == pytest.approx(law(*shape, scale=scale).std(), rel=1e-3)
    for value, name in zip(shape, ("df" if family == "student_t" else "beta",), strict=False):
        assert found.parameters[name] == pytest.approx(value, rel=1e-3)


def test_closed_forms():
    array = np.array([-1.0, 2.0, 0.0, -4.0, 3.0])
    assert fit(array, "normal").parameters["std"] == pytest.approx(math.sqrt(6))
    assert fit(array, "laplace").parameters["std"] == pytest.approx(2 * math.sqrt(2))
    assert fit(array, "uniform").parameters["std"] == pytest.approx(4 / math.sqrt(3))
    assert fit(array, "normal").sample_mean == 0.0
    assert fit(array + 1, "normal").sample_mean == pytest.approx(1.0)


@given(array=values())
def test_a_uniform_law_never_excludes_its_largest_value(array):
    assert fit(array, "uniform").source.support[1] >= np.abs(array).max()


# Recovery -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_akaike_picks_the_generating_family(family):
    array = draw(GENERATORS[family], 20_000, np.random.default_rng(3))
    assert fit_all(array)[0].family == family


@pytest.mark.parametrize("family", FAMILIES)
def test_distance_to_the_generating_family_is_within_kolmogorovs_law(family):
    # Fitting only shrinks the distance: 1.95 / sqrt(n) is exceeded with probability 1e-3 without it.
    array = draw(GENERATORS[family], 20_000, np.random.default_rng(4))
    distances = {found.family: found.ks_distance for found in fit_all(array)}
    assert distances[family] < 1.95 / math.sqrt(array.size)
    assert distances["uniform" if family == "laplace" else "laplace"] > 1.95 / math.sqrt(array.size)


@given(array=values(least=20))
def test_all_fits_are_ordered_by_akaike_and_have_sound_numbers(array):
    fits = fit_all(array)
    assert [found.aic for found in fits] == sorted(found.aic for found in fits)
    assert {found.family for found in fits} >= set(FAMILIES) - {"student_t"}
    for found in fits:
        assert 0 < found.ks_distance <= 1
        assert found.count == array.size
        for name, value in found.parameters.items():
            low, high = found.intervals[name]
            assert 0 <= low <= value <= high
            assert getattr(found.source, name) == value


# Symmetries -----------------------------------------------------------------------------------------------


def assert_same_law(found, other, scale=1.0, rel=1e-9):
    assert found.parameters["std"] * scale == pytest.approx(other.parameters["std"], rel=rel)
    for name in set(found.parameters) - {"std"}:
        assert found.parameters[name] == pytest.approx(other.parameters[name], rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@given(array=values(), exponent=st.floats(-30, 30))
def test_scaling_the_data_scales_the_law_alone(family, array, exponent):
    assume(has_fit(array, family))
    scale = 10.0**exponent
    found, scaled = fit(array, family), fit(array * scale, family)
    assert_same_law(found, scaled, scale, rel=1e-6)
    expected = found.log_likelihood - array.size * math.log(scale)
    assert scaled.log_likelihood == pytest.approx(expected, abs=1e-9 * array.size)
    assert scaled.ks_distance == pytest.approx(found.ks_distance, abs=1e-6)


@given(array=values(), family=st.sampled_from(FAMILIES), exponent=st.integers(-100, 100))
def test_powers_of_two_scale_to_the_last_bit(array, family, exponent):
    assume(has_fit(array, family))
    found, scaled = fit(array, family), fit(np.ldexp(array, exponent), family)
    assert np.ldexp(found.parameters["std"], exponent) == scaled.parameters["std"]
    for name in set(found.parameters) - {"std"}:
        assert found.parameters[name] == scaled.parameters[name]


@given(array=values(), family=st.sampled_from(FAMILIES), seed=st.integers(0, 2**32))
def test_order_and_shape_do_not_matter(array, family, seed):
    assume(has_fit(array, family))
    shuffled = np.random.default_rng(seed).permutation(array).reshape(1, -1, 1)
    found, other = fit(array, family), fit(shuffled, family)
    assert found.to_dict() == other.to_dict()


@given(array=values(), family=st.sampled_from(FAMILIES), seed=st.integers(0, 2**32))
def test_signs_do_not_matter_to_the_law(array, family, seed):
    assume(has_fit(array, family))
    flipped = array * np.random.default_rng(seed).choice([-1.0, 1.0], array.size)
    assume(np.unique(flipped).size > 1)
    found, other = fit(array, family), fit(flipped, family)
    assert_same_law(found, other)
    assert other.log_likelihood == pytest.approx(found.log_likelihood, rel=1e-9, abs=1e-9 * array.size)
    mirrored = fit(-array, family)
    assert mirrored.ks_distance == pytest.approx(found.ks_distance, rel=1e-6)
    assert mirrored.sample_mean == pytest.approx(
        -found.sample_mean, rel=1e-9, abs=1e-12 * np.abs(array).max()
    )


@given(array=values(), family=st.sampled_from(FAMILIES), copies=st.integers(2, 5))
def test_repeating_the_data_changes_the_likelihood_alone(array, family, copies):
    assume(has_fit(array, family))
    found, repeated = fit(array, family), fit(np.tile(array, copies), family)
    assert_same_law(found, repeated)
    expected = copies * found.log_likelihood
    assert repeated.log_likelihood == pytest.approx(expected, rel=1e-9, abs=1e-9 * repeated.count)
    assert repeated.ks_distance == pytest.approx(found.ks_distance, rel=1e-6)


# Compression and types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("law", ["student_t", "uniform", "generalised_normal"])
def test_compression_moves_neither_parameters_nor_likelihood(family, law, monkeypatch):
    array = draw(GENERATORS[law], 40_000, np.random.default_rng(6))
    found = fit(array, family)
    monkeypatch.setattr(compression, "EXACT_SIZE", array.size)
    exact = fit(array, family)
    assert prepare(array).magnitudes.size == array.size
    assert_same_law(found, exact, rel=1e-9)
    assert found.log_likelihood == pytest.approx(exact.log_likelihood, abs=1e-3)


@pytest.mark.parametrize(
    "dtype", [np.float16, ml_dtypes.bfloat16, np.float32, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
)
def test_narrow_types_are_fitted_as_their_values(dtype):
    array = draw(GENERATORS["logistic"], 10_000, np.random.default_rng(7)).astype(dtype)
    found, wide = fit(array, "student_t"), fit(array.astype(np.float64), "student_t")
    assert_same_law(found, wide)
    assert found.log_likelihood == pytest.approx(wide.log_likelihood, rel=1e-9)
    assert found.count == 10_000


def test_integers_and_nested_lists_are_data():
    assert fit([[1, -1], [3, -3]], "normal").parameters["std"] == pytest.approx(math.sqrt(5))


# Edges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5000, 200_000])
def test_tails_without_variance_stop_at_the_lower_bound(size):
    found = fit(stats.cauchy.rvs(size=size, random_state=1), "student_t")
    assert (found.bound, found.parameters["df"]) == ("lower", 2.05)
    assert found.intervals["df"][0] == 2.0
    assert found.intervals["df"][1] < 2.2


def test_light_tails_stop_at_the_upper_bound_where_the_law_is_normal():
    array = np.random.default_rng(2).uniform(-1, 1, 5000)
    found, normal = fit(array, "student_t"), fit(array, "normal")
    assert (found.bound, found.parameters["df"]) == ("upper", 1e4)
    assert found.intervals["df"][1] == math.inf
    assert found.to_dict()["intervals"]["df"][1] is None
    assert 0 < normal.log_likelihood - found.log_likelihood < 1e-4 * array.size
    assert normal.aic < found.aic
    wide = fit(array, "generalised_normal")
    assert (wide.bound, wide.parameters["beta"]) == ("upper", 20.0)
    assert wide.intervals["beta"][1] == math.inf


def test_zeros_are_data_until_they_leave_the_likelihood_no_maximum():
    array = np.random.default_rng(3).standard_normal(1000)
    array[:500] = 0.0
    assert {found.family for found in fit_all(array)} == set(FAMILIES)
    array[:680] = 0.0
    assert {found.family for found in fit_all(array)} == set(FAMILIES) - {"student_t"}
    with pytest.raises(ValueError, match=r"student_t has no maximum-likelihood fit: 68\.0% of the values"):
        fit(array, "student_t")


def test_two_magnitudes_alike_are_fitted_by_every_family():
    fits = {found.family: found for found in fit_all([1.0, -1.0, 1.0])}
    assert set(fits) == set(FAMILIES)
    assert fits["normal"].parameters["std"] == 1.0


def test_values_of_extreme_size_neither_overflow_nor_vanish():
    array = draw(GENERATORS["student_t"], 500, np.random.default_rng(8))
    for scale in (1e-140, 1e140):
        found = fit(array * scale, "student_t")
        assert found.parameters["std"] / scale == pytest.approx(fit(array, "student_t").parameters["std"])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([[1.0, 2.0], [np.nan, 3.0]], r"finite, but samples\[1, 0\] is nan"),
        ([1.0, 2.0, -np.inf], r"finite, but samples\[2\] is -inf"),
        ([], "at least two values, but hold 0"),
        ([3.0], "at least two values, but hold 1"),
        ([2.5, 2.5, 2.5], r"must not be constant, but every one .* is 2\.5"),
        (np.zeros(100, np.float32), r"must not be constant, but every one .* is 0\.0"),
        (np.full(5, np.nan, ml_dtypes.float8_e4m3fn), r"finite, but samples\[0\] is nan"),
    ],
)
def test_data_that_no_law_fits_are_refused(array, message):
    with pytest.raises(ValueError, match=message):
        fit_all(array)


@pytest.mark.parametrize("array", [["a", "b"], [1 + 2j, 3.0], [True, False], [None, 1.0]])
def test_data_that_are_no_numbers_are_refused(array):
    with pytest.raises(TypeError, match="samples must be an array of"):
        fit(array, "normal")


def test_unknown_families_are_named():
    with pytest.raises(ValueError, match=r"family must be one of 'normal', .* got 'cauchy'"):
        fit([1.0, 2.0], "cauchy")
