"""The measured error of a quantiser: that of encoding and decoding, with an honest standard error."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bitlaw.theory.fitting import measure_error, prepare
from bitlaw.theory.quantisers import ScalarQuantiser
from bitlaw.theory.sources import GeneralisedNormal, Logistic, Normal

from .laws import draw, values


def brute_force(quantiser, array):
    """R and its standard error from every value, one by one."""
    array = np.asarray(array, dtype=np.float64).ravel()
    squares = (array - quantiser.decode(quantiser.encode(array))) ** 2
    power = np.mean(array**2)
    ratio = np.mean(squares) / power
    deviation = math.sqrt(np.mean((squares - ratio * array**2) ** 2) / array.size) / power
    return math.sqrt(ratio), deviation / (2 * math.sqrt(ratio)) if ratio else math.nan


@st.composite
def quantisers(draw_from):
    levels = draw_from(st.integers(1, 40))
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32)))
    spread = draw_from(st.sampled_from([0.01, 1.0, 5.0]))
    return ScalarQuantiser(np.sort(rng.standard_normal(levels)) * spread)


@given(array=values(), quantiser=quantisers())
def test_error_is_that_of_encoding_and_decoding_every_value(array, quantiser):
    found = measure_error(quantiser, array)
    relative, standard_error = brute_force(quantiser, array)
    assert found.relative == pytest.approx(relative, rel=1e-12)
    assert found.standard_error == pytest.approx(standard_error, rel=1e-6, nan_ok=True)


@given(array=values(), quantiser=quantisers(), exponent=st.integers(-40, 40))
def test_units_do_not_matter(array, quantiser, exponent):
    scaled = quantiser.scaled(2.0**exponent)
    found, other = measure_error(quantiser, array), measure_error(scaled, np.ldexp(array, exponent))
    assert found.relative == pytest.approx(other.relative, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int16])
def test_every_type_is_measured_as_its_values(dtype):
    array = (draw(Normal(std=2.0), 30_000, np.random.default_rng(1))).astype(dtype)
    quantiser = ScalarQuantiser(np.linspace(-5, 5, 16))
    found = measure_error(quantiser, array)
    assert (found.relative, found.standard_error) == pytest.approx(brute_force(quantiser, array), rel=1e-6)
    assert found.relative == pytest.approx(brute_force(quantiser, array)[0], rel=1e-12)


def test_a_value_on_a_threshold_belongs_to_the_cell_below():
    quantiser = ScalarQuantiser([0.0, 1.0], [0.25])
    assert measure_error(quantiser, [0.25, 1.0]).relative == pytest.approx(0.25 / math.sqrt(1 + 0.25**2))


def test_a_perfect_codebook_has_no_error_and_no_standard_error():
    found = measure_error(ScalarQuantiser([-1.0, 2.0]), [-1.0, 2.0, 2.0])
    assert found.relative == 0.0
    assert math.isnan(found.standard_error)


@pytest.mark.parametrize("law", [Normal(), GeneralisedNormal(1.0), Logistic()])
def test_the_standard_error_is_that_of_repeated_draws(law):
    # z of the true R: mean within 4 / sqrt(repetitions) of 0 and variance within its chi-squared band
    quantiser = ScalarQuantiser(np.linspace(-4, 4, 8))
    edges = np.concatenate([[-np.inf], quantiser.thresholds, [np.inf]])
    true = math.sqrt(np.sum(law.partial_moments(edges[:-1], edges[1:], about=quantiser.codepoints)[2]))
    rng, repetitions = np.random.default_rng(2), 200
    found = [measure_error(quantiser, draw(law, 10_000, rng)) for _ in range(repetitions)]
    z = np.array([(one.relative - true) / one.standard_error for one in found])
    assert abs(np.mean(z)) < 4 / math.sqrt(repetitions)
    low, high = np.array(stats.chi2.interval(1 - 1e-3, repetitions - 1)) / (repetitions - 1)
    assert low < np.var(z, ddof=1) < high


def test_what_is_no_quantiser_is_refused():
    with pytest.raises(TypeError, match="quantiser must be a ScalarQuantiser, got list"):
        measure_error([0.0, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"samples\[1\] is nan"):
        measure_error(ScalarQuantiser([0.0]), [1.0, np.nan])


def test_prepared_values_give_the_same_error():
    array = draw(Normal(), 1000, np.random.default_rng(3))
    quantiser = ScalarQuantiser([-1.0, 0.0, 1.0])
    assert measure_error(quantiser, prepare(array)) == measure_error(quantiser, array)
