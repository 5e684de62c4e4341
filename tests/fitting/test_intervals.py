"""Confidence intervals cover their parameter at the stated rate, also where the family is wrong."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bitlaw.theory.fitting import fit
from bitlaw.theory.sources import GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform

from .laws import draw, values

RATE = 0.95


def coverage_band(repetitions):
    """Counts that a binomial of rate 0.95 leaves with probability 1e-3."""
    return stats.binom.interval(1 - 1e-3, repetitions, RATE)


def count_covered(law, family, expected, size, repetitions, seed):
    """How often each interval contains its expected value."""
    rng = np.random.default_rng(seed)
    covered = dict.fromkeys(expected, 0)
    for _ in range(repetitions):
        intervals = fit(draw(law, size, rng), family).intervals
        for name, value in expected.items():
            covered[name] += intervals[name][0] <= value <= intervals[name][1]
    return covered


@pytest.mark.parametrize(
    ("family", "law", "repetitions"),
    [
        ("normal", Normal(std=0.02), 800),
        ("laplace", Laplace(std=3.0), 800),
        ("logistic", Logistic(std=1.0), 800),
        ("uniform", Uniform(std=2.0), 800),
        ("student_t", StudentT(3.5, std=1.0), 150),
        ("student_t", StudentT(8.0, std=0.1), 150),
        ("generalised_normal", GeneralisedNormal(0.8, std=5.0), 150),
        ("generalised_normal", GeneralisedNormal(2.5, std=1.0), 150),
    ],
)
def test_intervals_cover_the_true_parameters_at_the_stated_rate(family, law, repetitions):
    expected = {name: getattr(law, name) for name in ("std", "df", "beta") if hasattr(law, name)}
    low, high = coverage_band(repetitions)
    for name, count in count_covered(law, family, expected, 2000, repetitions, seed=17).items():
        assert low <= count <= high, name


def test_intervals_cover_the_nearest_member_where_the_family_is_wrong():
    # The normal law nearest to Laplace data has their standard deviation.  The inverse Fisher information
    # takes the kurtosis for 3 where it is 6: its intervals are too narrow by sqrt((3 - 1) / (6 - 1)).
    repetitions, size = 800, 2000
    low, high = coverage_band(repetitions)
    covered = count_covered(Laplace(std=1.0), "normal", {"std": 1.0}, size, repetitions, seed=18)
    assert low <= covered["std"] <= high
    rng = np.random.default_rng(18)
    fisher = stats.norm.ppf((1 + RATE) / 2) / math.sqrt(2 * size)
    laws = [fit(draw(Laplace(std=1.0), size, rng), "normal") for _ in range(repetitions)]
    errors = np.log([found.parameters["std"] for found in laws])
    assert np.sum(np.abs(errors) < fisher) < low


def test_the_interval_of_df_reaches_the_normal_law_where_data_are_normal():
    # one-sided: 1/df = 0 lies below the interval with probability 2.5 percent
    rng, repetitions = np.random.default_rng(19), 200
    fits = [fit(rng.standard_normal(1000), "student_t") for _ in range(repetitions)]
    reached = sum(found.intervals["df"][1] == math.inf for found in fits)
    low, _ = stats.binom.interval(1 - 1e-3, repetitions, (1 + RATE) / 2)
    assert reached >= low


@pytest.mark.parametrize("family", ["normal", "laplace", "logistic", "student_t", "generalised_normal"])
def test_intervals_shrink_with_the_square_root_of_the_number_of_values(family):
    rng = np.random.default_rng(20)
    widths = []
    for size in (2000, 200_000):
        low, high = fit(draw(Logistic(std=1.0), size, rng), family).intervals["std"]
        widths.append(math.log(high / low))
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.25)


@given(array=values(least=20), copies=st.integers(2, 20))
def test_copies_of_the_data_narrow_the_interval_as_if_they_were_independent(array, copies):
    single, many = (fit(a, "laplace").intervals["std"] for a in (array, np.tile(array, copies)))
    width = math.log(many[1] / many[0]) * math.sqrt(copies)
    assert width == pytest.approx(math.log(single[1] / single[0]), rel=1e-6)


def test_the_interval_of_a_normal_std_is_the_sandwich_in_closed_form():
    array = draw(Laplace(std=1.0), 500, np.random.default_rng(21))
    found = fit(array, "normal")
    kurtosis = np.mean(array**4) / np.mean(array**2) ** 2
    margin = stats.norm.ppf(0.975) * math.sqrt((kurtosis - 1) / 4 / array.size)
    std = found.parameters["std"]
    expected = (std * math.exp(-margin), std * math.exp(margin))
    assert found.intervals["std"] == pytest.approx(expected, rel=1e-5)


def test_what_the_data_say_nothing_of_has_an_interval_without_end():
    low, high = fit([0.0, 0.0, 1.0], "generalised_normal").intervals["beta"]
    assert (low, high) == (0.0, math.inf)


def test_data_without_spread_of_magnitude_have_an_interval_of_no_width():
    low, high = fit([1.0, -1.0] * 50, "normal").intervals["std"]
    assert high - low < 1e-6
