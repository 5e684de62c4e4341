"""Exact evaluation: against sampling, against plain sums, and its invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import (
    Empirical,
    Laplace,
    Normal,
    ScalarQuantiser,
    StudentT,
    compand,
    evaluate,
    lloyd_max,
    rate_distortion,
    uniform,
)
from bitlaw.theory.quantisers.evaluation import entropy_bits
from tests.laws import rescaled, symmetric

few = st.integers(2, 24)


@st.composite
def codebooks(draw):
    """Ascending codepoints with free thresholds between them."""
    gaps = draw(st.lists(st.floats(0.01, 2.0), min_size=1, max_size=12))
    codepoints = draw(st.floats(-3, 3)) + np.cumsum([0.0, *gaps])
    share = np.array(draw(st.lists(st.floats(0.05, 0.95), min_size=len(gaps), max_size=len(gaps))))
    return ScalarQuantiser(codepoints, codepoints[:-1] + share * np.diff(codepoints))


@given(codebooks(), symmetric)
def test_cells_add_up(quantiser, source):
    result = evaluate(quantiser, source)
    assert result.probabilities.sum() == pytest.approx(1.0, abs=1e-13)
    assert result.cell_distortions.sum() == pytest.approx(result.distortion, rel=1e-15)
    assert (result.cell_distortions >= 0).all()


@given(codebooks(), symmetric)
def test_entropy_lies_between_zero_and_the_rate(quantiser, source):
    result = evaluate(quantiser, source)
    assert 0 <= result.entropy <= result.rate * (1 + 1e-14)


@given(codebooks(), symmetric, st.floats(-3, 3).map(lambda e: 10**e))
def test_distortion_scales_with_the_square_and_entropy_not_at_all(quantiser, source, factor):
    before, after = evaluate(quantiser, source), evaluate(quantiser.scaled(factor), rescaled(source, factor))
    assert after.distortion == pytest.approx(factor**2 * before.distortion, rel=1e-11)
    assert after.entropy == pytest.approx(before.entropy, rel=1e-9, abs=1e-12)
    assert after.snr_db == pytest.approx(before.snr_db, abs=1e-9)


@given(codebooks(), symmetric)
def test_a_mirrored_quantiser_does_the_same_to_a_symmetric_law(quantiser, source):
    mirrored = ScalarQuantiser(-quantiser.codepoints[::-1], -quantiser.thresholds[::-1])
    before, after = evaluate(quantiser, source), evaluate(mirrored, source)
    np.testing.assert_array_equal(after.probabilities, before.probabilities[::-1])
    np.testing.assert_array_equal(after.cell_distortions, before.cell_distortions[::-1])


@given(codebooks(), symmetric)
def test_moving_to_the_centroids_saves_what_is_said(quantiser, source):
    result = evaluate(quantiser, source)
    edges = np.concatenate([[-np.inf], quantiser.thresholds, [np.inf]])
    mass, first, _ = source.partial_moments(edges[:-1], edges[1:], quantiser.codepoints)
    shift = np.divide(first, mass, out=np.zeros_like(mass), where=mass > 1e-200)
    moved = quantiser.codepoints + shift
    if (np.diff(moved) < 0).any():
        return
    better = evaluate(ScalarQuantiser(moved, quantiser.thresholds), source).distortion
    assert better == pytest.approx(
        result.distortion * (1 - result.centroid_gain), rel=1e-9, abs=1e-12 * source.std**2
    )


@given(codebooks(), symmetric)
def test_midpoint_thresholds_never_lose(quantiser, source):
    nearest = ScalarQuantiser(quantiser.codepoints)
    assert evaluate(nearest, source).distortion <= evaluate(quantiser, source).distortion * (1 + 1e-12)


@given(st.integers(0, 2**32 - 1), few)
def test_integration_agrees_with_sampling(seed, levels):
    count = 20_000
    rng = np.random.default_rng(seed)
    quantiser = compand(Laplace(), levels)
    x = rng.laplace(scale=0.5**0.5, size=count)
    errors = (x - quantiser(x)) ** 2
    result = evaluate(quantiser, Laplace())
    # 5.5 standard errors: one in 2e7 for a normal mean, the skew of squared errors allowed for.
    assert abs(errors.mean() - result.distortion) < 5.5 * errors.std() / np.sqrt(count)
    shares = np.bincount(quantiser.encode(x), minlength=levels) / count
    band = 5.5 * np.sqrt(result.probabilities * (1 - result.probabilities) / count) + 8 / count
    assert (np.abs(shares - result.probabilities) < band).all()


def test_the_sampling_band_would_catch_a_one_per_cent_error():
    count = 4_000_000
    x = np.random.default_rng(1).standard_normal(count)
    quantiser = lloyd_max(Normal(), 8)
    errors = (x - quantiser(x)) ** 2
    exact = evaluate(quantiser, Normal()).distortion
    band = 5.5 * errors.std() / np.sqrt(count)
    assert abs(errors.mean() - exact) < band < abs(errors.mean() - 1.01 * exact)


@given(st.integers(0, 2**32 - 1), few)
def test_data_are_evaluated_by_their_own_sums(seed, levels):
    x = np.random.default_rng(seed).standard_t(5, size=400)
    quantiser = lloyd_max(Normal(), levels)
    result = evaluate(quantiser, Empirical(x))
    assert result.distortion == pytest.approx(np.mean((x - quantiser(x)) ** 2), rel=1e-12)
    shares = np.bincount(quantiser.encode(x), minlength=levels) / x.size
    np.testing.assert_allclose(result.probabilities, shares, atol=1e-12)
    assert result.entropy == pytest.approx(entropy_bits(shares), rel=1e-12)


@pytest.mark.parametrize("source", [Laplace(0.1), StudentT(5, 3.0)], ids=str)
def test_the_gap_to_the_rate_distortion_function_is_positive(source):
    result = evaluate(lloyd_max(source, 6), source)
    shannon = source.differential_entropy() - 0.5 * np.log2(2 * np.pi * np.e * result.distortion)
    assert 0 < result.gap_bits <= result.entropy - max(shannon, 0.0) + 1e-9


def test_the_gap_of_a_gaussian_design_is_that_of_the_closed_form():
    result = evaluate(lloyd_max(Normal(2.0), 16), Normal(2.0))
    assert result.gap_bits == pytest.approx(result.entropy - 0.5 * np.log2(4 / result.distortion), abs=1e-9)
    assert result.gap_bits == pytest.approx(
        result.entropy - rate_distortion(Normal(2.0), result.distortion).rate
    )


def test_one_codepoint_at_the_mean_leaves_the_variance():
    result = evaluate(ScalarQuantiser([0.0]), StudentT(5, std=3.0))
    assert result.distortion == pytest.approx(9.0, rel=1e-13)
    assert result.entropy == pytest.approx(0.0, abs=1e-15)
    assert result.snr_db == pytest.approx(0.0, abs=1e-12)


def test_a_dead_cell_counts_nothing():
    with_dead = ScalarQuantiser([-1.0, 1.0, 500.0])
    result = evaluate(with_dead, Normal())
    assert result.probabilities[2] == 0.0
    assert result.entropy == pytest.approx(1.0)
    assert np.isfinite(result.centroid_residual)


def test_data_that_lie_on_the_codepoints_have_no_error():
    result = evaluate(ScalarQuantiser([0.0, 1.0]), Empirical([0.0, 1.0, 1.0]))
    assert result.distortion == 0.0
    assert result.snr_db == np.inf


def test_repeated_codepoints_are_two_codes():
    result = evaluate(ScalarQuantiser([-1.0, 0.0, 0.0, 1.0]), Normal())
    assert result.probabilities[1] == pytest.approx(result.probabilities[2])
    assert result.entropy > evaluate(ScalarQuantiser([-1.0, 0.0, 1.0]), Normal()).entropy


def test_residuals_notice_a_moved_threshold():
    quantiser = lloyd_max(Normal(), 4)
    moved = ScalarQuantiser(quantiser.codepoints, quantiser.thresholds + 0.01)
    half_gap = np.min(np.diff(quantiser.codepoints)) / 2
    assert evaluate(moved, Normal()).threshold_residual == pytest.approx(0.01 / half_gap, rel=1e-12)
    assert evaluate(moved, Normal()).centroid_residual > 1e-3


def test_the_signal_to_noise_ratio_is_in_decibels_of_power():
    # Max (1960): 4 levels on a Gaussian give 0.1175 of the variance, which is 9.30 dB.
    assert evaluate(lloyd_max(Normal(3.0), 4), Normal(3.0)).snr_db == pytest.approx(9.3003, abs=5e-5)


def test_a_uniform_grid_is_not_at_its_centroids():
    assert evaluate(uniform(Normal(), 8), Normal()).centroid_residual > 0.01


def test_what_is_not_a_quantiser_is_refused():
    with pytest.raises(TypeError, match="quantiser must be a ScalarQuantiser, got list"):
        evaluate([0.0, 1.0], Normal())


def test_what_is_not_a_source_is_refused():
    with pytest.raises(TypeError, match="source must be a Source, got ndarray"):
        evaluate(ScalarQuantiser([0.0, 1.0]), np.zeros(3))
