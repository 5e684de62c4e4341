"""The Kolmogorov-Smirnov distance: the brute-force supremum, from a fraction of the evaluations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bitlaw.theory.fitting.kolmogorov_smirnov import ks_distance
from bitlaw.theory.sources import Empirical, Normal


def brute_force(values, cdf):
    """Both sides of every jump, with the plain definition of the empirical distribution function."""
    values = np.sort(values)
    at = np.array([np.mean(values <= x) for x in values])
    before = np.array([np.mean(values < x) for x in values])
    law = cdf(values)
    return max(np.max(at - law), np.max(law - before))


@given(
    seed=st.integers(0, 2**32),
    size=st.integers(2, 400),
    std=st.floats(0.05, 20),
    decimals=st.integers(0, 6),
)
def test_distance_is_the_brute_force_supremum(seed, size, std, decimals):
    values = np.round(np.random.default_rng(seed).standard_normal(size), decimals)
    values[0] = 5.0  # never constant
    cdf = Normal(std=std).cdf
    assert ks_distance(Empirical(values), cdf) == pytest.approx(brute_force(values, cdf), rel=1e-12)


@given(seed=st.integers(0, 2**32), size=st.integers(3000, 30_000), std=st.sampled_from([0.9, 1.0, 1.5]))
def test_distance_of_many_values_is_that_of_scipy(seed, size, std):
    values = np.random.default_rng(seed).standard_normal(size)
    found = ks_distance(Empirical(values), Normal(std=std).cdf)
    assert found == pytest.approx(stats.kstest(values, Normal(std=std).cdf).statistic, rel=1e-12)


@given(seed=st.integers(0, 2**32), levels=st.integers(2, 40))
def test_merged_equal_values_count_as_often_as_they_occur(seed, levels):
    values = np.random.default_rng(seed).integers(0, levels, 600) - levels / 2
    values[:2] = [0.25, -0.25]
    cdf = Normal(std=levels / 4).cdf
    assert ks_distance(Empirical(values), cdf) == pytest.approx(brute_force(values, cdf), rel=1e-12)
    assert ks_distance(Empirical(values.astype(np.float16)), cdf) == pytest.approx(
        brute_force(values, cdf), rel=1e-12
    )


def test_a_spike_between_the_first_points_looked_at_is_found():
    values = np.sort(np.random.default_rng(0).uniform(size=100_000))
    values[40_010:40_060] = values[40_010]  # 50 equal values inside one of 1024 parts
    found = ks_distance(Empirical(values), lambda x: x)
    assert found == pytest.approx(stats.kstest(values, "uniform").statistic, rel=1e-12)


def test_a_million_values_need_few_evaluations():
    values = np.random.default_rng(1).standard_normal(1_000_000)
    evaluations = []

    def cdf(x):
        evaluations.append(x.size)
        return Normal().cdf(x)

    ks_distance(Empirical(values), cdf)
    assert sum(evaluations) < 20_000


def test_distance_to_the_true_law_follows_kolmogorov():
    # sqrt(n) D has the Kolmogorov law: 200 distances, their own KS distance to it below the 1e-6 quantile
    rng = np.random.default_rng(2)
    scaled = [
        np.sqrt(2000) * ks_distance(Empirical(rng.standard_normal(2000)), Normal().cdf) for _ in range(200)
    ]
    assert stats.kstest(scaled, stats.kstwobign.cdf).pvalue > 1e-6
