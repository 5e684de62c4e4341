"""Clustering of data: fixed points of Lloyd's iteration near the optimum, and the optimum when asked."""

import importlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.quantisers import globally_optimal, kmeans, lloyd_max
from bitlaw.theory.quantisers._centroids import cells_of
from bitlaw.theory.sources import Empirical, Normal

# The package exports the function under the name of its module.
module = importlib.import_module("bitlaw.theory.quantisers.kmeans")


def error(quantiser, samples, weights=None):
    samples = np.asarray(samples, dtype=np.float64)
    return float(np.average((samples - quantiser(samples)) ** 2, weights=weights))


samples_drawn = st.lists(st.integers(-300, 300).map(lambda k: k / 8), min_size=8, max_size=60).filter(
    lambda x: len(set(x)) >= 8
)


@given(samples=samples_drawn, levels=st.integers(2, 8))
def test_every_codepoint_is_the_mean_of_the_samples_nearest_to_it(samples, levels):
    quantiser = kmeans(Empirical(samples), levels)
    samples = np.array(samples)
    nearest = np.abs(samples[:, None] - quantiser.codepoints).argmin(axis=1)
    means = [samples[nearest == k].mean() for k in range(levels)]
    np.testing.assert_allclose(quantiser.codepoints, means, rtol=1e-12, atol=1e-12)
    assert quantiser.design.status == "converged"
    assert quantiser.design.residual < 1e-12


@given(samples=samples_drawn, levels=st.integers(2, 8), exact=st.booleans(), seed=st.integers(0, 9))
def test_the_order_of_the_samples_changes_nothing(samples, levels, exact, seed):
    order = np.random.default_rng(seed).permutation(len(samples))
    one = kmeans(Empirical(samples), levels, exact=exact)
    assert one == kmeans(Empirical(np.array(samples)[order]), levels, exact=exact)


@given(
    seed=st.integers(0, 10_000),
    levels=st.integers(2, 40),
    exponent=st.integers(-30, 30),
    shift=st.integers(-50, 50),
    exact=st.booleans(),
)
def test_clusters_follow_a_change_of_units(seed, levels, exponent, shift, exact):
    samples = np.random.default_rng(seed).standard_t(3, 3000)
    one = kmeans(Empirical(samples), levels, exact=exact)
    other = kmeans(Empirical(samples * 2.0**exponent + shift * 2.0**exponent), levels, exact=exact)
    back = other.codepoints * 2.0**-exponent - shift
    np.testing.assert_allclose(back, one.codepoints, atol=1e-11)


@given(samples=samples_drawn, levels=st.integers(2, 8), exact=st.booleans(), data=st.data())
def test_a_weight_is_a_number_of_repetitions(samples, levels, exact, data):
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(samples), max_size=len(samples)))
    weighted = kmeans(Empirical(samples, weights), levels, exact=exact)
    repeated = kmeans(Empirical(np.repeat(samples, weights), None), levels, exact=exact)
    # Equally good partitions may be told apart by rounding alone: the errors agree, the codepoints need not.
    assert error(weighted, samples, weights) == pytest.approx(
        error(repeated, samples, weights), rel=1e-9, abs=1e-12
    )


@given(seed=st.integers(0, 10_000), levels=st.integers(2, 200), df=st.sampled_from([2.1, 3.0, 30.0]))
def test_the_optimum_is_never_above_the_iteration_and_that_little_above_the_optimum(seed, levels, df):
    samples = np.random.default_rng(seed).standard_t(df, 20_000)
    source = Empirical(samples)
    found, best = error(kmeans(source, levels), samples), error(kmeans(source, levels, exact=True), samples)
    assert best <= found * (1 + 1e-12)
    assert found <= best * 1.01


@given(samples=samples_drawn)
def test_more_levels_are_never_worse_and_each_saves_less(samples):
    distortions = [globally_optimal(Empirical(samples), k).distortion for k in range(1, 9)]
    savings = -np.diff(distortions)
    assert (savings >= -1e-12).all()
    assert (np.diff(savings) <= 1e-9).all()
    assert distortions[0] == pytest.approx(np.var(samples), rel=1e-12)


@given(samples=samples_drawn, levels=st.integers(1, 8))
def test_the_bound_lies_below_the_distortion_and_touches_it(samples, levels):
    optimum = globally_optimal(Empirical(samples), levels)
    assert optimum.lower_bound <= optimum.distortion
    assert optimum.lower_bound >= optimum.distortion - 1e-12 * np.var(samples)
    assert optimum.distortion == pytest.approx(error(optimum.quantiser, samples), rel=1e-12, abs=1e-300)


def test_large_data_are_clustered_within_a_thousandth_of_the_optimum():
    samples = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    source = Empirical(samples)
    for levels in (16, 256):
        found = error(kmeans(source, levels), samples)
        assert globally_optimal(source, levels).lower_bound <= found
        assert found <= 1.001 * globally_optimal(source, levels).distortion


@pytest.mark.parametrize("levels", [2, 4, 16])
def test_codepoints_of_samples_serve_the_law_they_were_drawn_from(levels):
    law, size = Normal(), 100_000
    samples = np.random.default_rng(levels).standard_normal(size)
    found = kmeans(Empirical(samples), levels, exact=True)
    best = lloyd_max(law, levels)
    squares = (samples - best(samples)) ** 2
    band = 5 * squares.std() / np.sqrt(size)  # five standard errors of the mean squared error
    ideal = cells_of(law, best.codepoints).distortion
    assert error(found, samples) <= squares.mean() <= ideal + band
    # The law's error of the samples' optimum differs from the samples' error of it by no more than that.
    assert ideal <= cells_of(law, found.codepoints).distortion <= ideal + 2 * band


def test_as_many_levels_as_values_leave_no_error():
    samples = [3.0, 1.0, 2.0, 2.0, 7.0]
    for quantiser in (kmeans(Empirical(samples), 4), kmeans(Empirical(samples), 4, exact=True)):
        assert quantiser.codepoints.tolist() == [1.0, 2.0, 3.0, 7.0]
        assert error(quantiser, samples) == 0.0
    assert globally_optimal(Empirical(samples), 4).lower_bound == 0.0


def test_data_with_few_distinct_values_are_cut_exactly_without_asking():
    samples = np.random.default_rng(1).standard_normal(50_000).astype(np.float16)
    quantiser = kmeans(Empirical(samples), 300)
    assert quantiser.design.certificate == "none"  # 4,800 bins, and more distinct values
    samples = samples[:1500]
    quantiser = kmeans(Empirical(samples), 30)
    assert quantiser.design.certificate == "dynamic programming"
    exact = kmeans(Empirical(samples), 30, exact=True)
    np.testing.assert_allclose(quantiser.codepoints, exact.codepoints, rtol=1e-12)


def test_values_crowded_into_a_few_bins_still_fill_every_cell():
    crowd = np.linspace(0, 1e-9, 4000)
    samples = np.concatenate([crowd, [1.0, 2.0]])
    weights = np.concatenate([np.full(4000, 1e-12), [1.0, 1.0]])
    quantiser = kmeans(Empirical(samples, weights), 100)
    assert np.unique(quantiser.encode(samples)).size == 100


def test_bins_of_the_start_follow_the_cube_root_of_the_density():
    source = Empirical(np.random.default_rng(5).standard_normal(1_000_000))
    cuts = module._cube_root_quantiles(source, 256)
    # The cube root of a normal density is normal, of sqrt(3) times the width (cut at the samples' ends).
    share = Normal(std=3**0.5).cdf(cuts)
    ends = Normal(std=3**0.5).cdf(np.array(source.support))
    expected = ends[0] + np.arange(1, 256) / 256 * (ends[1] - ends[0])
    assert np.abs(share - expected).max() < 0.01


def test_an_empty_cell_is_moved_to_where_the_error_is():
    source = Empirical([0.0, 1.0, 10.0, 11.0, 30.0])
    cells = cells_of(source, np.array([0.5, 5.0, 5.2, 20.0]))
    assert not cells.filled
    moved = cells_of(source, module._refilled(cells))
    assert moved.distortion < cells.distortion
    settled, _, reached = module._iterate(source, np.array([0.5, 5.0, 5.2, 20.0]), 0.0, 100)
    assert reached
    assert settled.filled


def test_the_iteration_says_when_it_was_cut_short():
    source = Empirical(np.random.default_rng(2).standard_normal(100_000))
    short = kmeans(source, 64, max_iterations=1)
    assert short.design.status == "iteration limit"
    assert short.design.iterations == 1
    assert short.design.residual > 1e-12
    loose = kmeans(source, 64, tolerance=0.1)
    assert loose.design.status == "converged"
    assert loose.design.residual <= 0.1


def test_distortion_falls_with_every_step():
    source = Empirical(np.random.default_rng(3).standard_normal(10_000))
    states = [module._iterate(source, np.linspace(-3, 3, 12), 0.0, n)[0].distortion for n in range(1, 30)]
    assert all(later <= earlier * (1 + 1e-14) for earlier, later in itertools.pairwise(states))


@pytest.mark.parametrize(
    ("samples", "levels", "options", "message"),
    [
        ([1.0, 2.0, 2.0], 3, {}, "at most the number of distinct values, 2, got 3"),
        ([1.0, 2.0, 2.0], 3, {"exact": True}, "at most the number of distinct values, 2, got 3"),
        ([1.0, 2.0], 1, {}, "levels must be between 2 and 65536, got 1"),
        ([1.0, 2.0], 2, {"tolerance": -1.0}, "tolerance must be at least 0"),
        ([1.0, 2.0], 2, {"tolerance": np.nan}, "tolerance must be at least 0"),
        ([1.0, 2.0], 2, {"max_iterations": 0}, "max_iterations must be at least 1"),
    ],
)
def test_impossible_clusterings_are_refused(samples, levels, options, message):
    with pytest.raises(ValueError, match=message):
        kmeans(Empirical(samples), levels, **options)


def test_only_data_can_be_clustered():
    with pytest.raises(TypeError, match="source must be Empirical, got Normal"):
        kmeans(Normal(), 4)
    with pytest.raises(TypeError, match="levels must be an integer"):
        kmeans(Empirical([1.0, 2.0]), 2.0)
