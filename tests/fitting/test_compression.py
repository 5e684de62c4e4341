"""Compressed data: exact low moments, and every smooth sum within the proved bound."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.fitting import compression
from bitlaw.theory.fitting.compression import BINS_PER_OCTAVE, EXACT_SIZE, compress

NO_WEIGHTS = np.empty(0)

# The bound of the module: per value, times the largest |x^4 f''''(x)|.
PER_VALUE = 1 / 1536 / BINS_PER_OCTAVE**4


def sample(seed, size, spread=1.0):
    rng = np.random.default_rng(seed)
    values = np.sort(rng.standard_normal(size) * np.exp(spread * rng.standard_normal(size)))
    unit = 2.0 ** math.frexp(np.abs(values).max())[1]
    return values, unit


def test_few_values_are_kept_as_they_are():
    values = np.array([-3.0, 0.0, 0.5])
    magnitudes, weights = compress(values, NO_WEIGHTS, 4.0)
    assert magnitudes.tolist() == [0.75, 0.0, 0.125]
    assert weights.tolist() == [1.0, 1.0, 1.0]
    assert compress(values, np.array([2.0, 1.0, 5.0]), 4.0)[1].tolist() == [2.0, 1.0, 5.0]


@given(seed=st.integers(0, 2**32), spread=st.floats(0, 3), zeros=st.integers(0, 500))
def test_compression_keeps_mass_and_three_moments(seed, spread, zeros):
    values, unit = sample(seed, EXACT_SIZE + 1, spread)
    values = np.sort(np.append(values, np.zeros(zeros)))
    magnitudes, weights = compress(values, NO_WEIGHTS, unit)
    assert magnitudes.size < values.size
    assert weights[magnitudes == 0].sum() == zeros
    for power in range(4):
        exact = math.fsum(np.abs(values / unit) ** power)
        assert math.fsum(weights * magnitudes**power) == pytest.approx(exact, rel=1e-13)


@given(seed=st.integers(0, 2**32), spread=st.floats(0, 2), scale=st.floats(0.01, 10))
def test_sums_of_smooth_functions_stay_within_the_proved_bound(seed, spread, scale):
    values, unit = sample(seed, 2 * EXACT_SIZE, spread)
    magnitudes, weights = compress(values, NO_WEIGHTS, unit)
    z, points = values / scale, magnitudes * unit / scale
    rounding = 1e-14 * values.size
    for function, fourth in [
        (lambda x: np.log1p(x * x), 12.0),
        (lambda x: np.abs(x) ** 0.5, 0.5 * 0.5 * 1.5 * 2.5 * np.mean(np.abs(z) ** 0.5)),
        (lambda x: np.abs(x) ** 4, 24 * np.mean(z**4)),
    ]:
        error = math.fsum(function(z)) - math.fsum(weights * function(points))
        # x^4 f'''' varies by less than 4 percent within a bin of width x / 128
        bound = 1.04 * PER_VALUE * fourth * values.size
        assert abs(error) <= bound + rounding * (1 + np.mean(np.abs(function(z))))


def test_fewer_bins_would_break_the_bound(monkeypatch):
    values, unit = sample(3, 2 * EXACT_SIZE)
    exact = math.fsum((values / unit) ** 4)
    monkeypatch.setattr(compression, "_bin", lambda magnitude: -math.frexp(magnitude)[1])
    kernel = compression._bin_moments
    monkeypatch.setattr(compression, "_bin_moments", getattr(kernel, "py_func", kernel))
    magnitudes, weights = compress(values, NO_WEIGHTS, unit)
    assert abs(math.fsum(weights * magnitudes**4) / exact - 1) > 100 * 24 * PER_VALUE


@given(seed=st.integers(0, 2**32), weighted=st.booleans(), single=st.booleans())
def test_bin_sums_equal_those_of_plain_python(seed, weighted, single):
    values, unit = sample(seed, 60, 2.0)
    values = np.append(values, [0.0, 0.0]).astype(np.float32 if single else np.float64)
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 2, values.size) if weighted else NO_WEIGHTS
    zeros, mass, mean, second, third = compression._bin_moments(values, weights, 1 / unit)
    masses = weights if weighted else np.ones(values.size)
    assert zeros == pytest.approx(masses[values == 0].sum())
    bins = {}
    for value, weight in zip(values, masses, strict=True):
        if value != 0:
            mantissa, exponent = math.frexp(abs(float(value)) / unit)
            place = -exponent * BINS_PER_OCTAVE + math.floor((2 * mantissa - 1) * BINS_PER_OCTAVE)
            bins.setdefault(place, []).append((Fraction(abs(float(value)) / unit), Fraction(float(weight))))
    assert set(np.flatnonzero(mass)) == set(bins)
    for place, members in bins.items():
        total = sum(weight for _, weight in members)
        centre = sum(value * weight for value, weight in members) / total
        assert mass[place] == pytest.approx(float(total), rel=1e-14)
        assert mean[place] == pytest.approx(float(centre), rel=1e-14)
        for power, found in ((2, second), (3, third)):
            moment = float(sum(weight * (value / centre - 1) ** power for value, weight in members))
            assert found[place] == pytest.approx(moment, rel=1e-9, abs=1e-16 * float(total))


def test_magnitudes_across_the_range_of_float64_neither_overflow_nor_vanish():
    values = np.sort(np.exp(np.random.default_rng(4).uniform(-700, 0, 3 * EXACT_SIZE)))
    magnitudes, weights = compress(values, NO_WEIGHTS, 1.0)
    assert weights.sum() == pytest.approx(values.size)
    assert np.sum(weights * np.log(magnitudes)) == pytest.approx(np.sum(np.log(values)), rel=1e-9)


def test_equal_values_are_one_point():
    values = np.sort(np.repeat([-0.7, 0.3], EXACT_SIZE))
    magnitudes, weights = compress(values, NO_WEIGHTS, 1.0)
    assert sorted(zip(magnitudes, weights, strict=True)) == [
        (pytest.approx(0.3, rel=1e-15), EXACT_SIZE),
        (pytest.approx(0.7, rel=1e-15), EXACT_SIZE),
    ]
