import numpy as np
import pytest

from bitlaw.theory import Laplace, Normal, StudentT
from bitlaw.theory.quantisers import entropy_constrained_trellis, measure

# Slopes that land near 0.5, 1, 2, 3 and 4 bits.
SLOPES = {0.5: 0.58, 1.0: 0.34, 2.0: 0.092, 3.0: 0.023, 4.0: 0.0057}
SOURCES = {"Normal": Normal(), "Laplace": Laplace(), "StudentT": StudentT(5)}


@pytest.mark.parametrize("family", SOURCES)
@pytest.mark.parametrize("nominal", SLOPES)
def test_the_trellis_is_within_a_tenth_of_a_bit_of_the_bound(family, nominal):
    source = SOURCES[family]
    design = entropy_constrained_trellis(source, slope=SLOPES[nominal], states=32, samples=2**14)
    measured = measure(design, source, samples=2**16)
    assert abs(measured.rate - nominal) < 0.2
    # The Shannon lower bound lies below the rate-distortion function: its gap is the larger one.
    assert measured.shannon_gap_bits + 4 * measured.gap_error < 0.1


def test_eight_states_are_within_a_tenth_of_a_bit_on_a_gaussian():
    design = entropy_constrained_trellis(Normal(), slope=0.092, states=8, samples=2**16)
    measured = measure(design, Normal(), samples=2**17)
    assert measured.gap_bits + 4 * measured.gap_error < 0.1
    assert measured.gap_bits - 4 * measured.gap_error > 0.05  # 8 states do not reach what 256 do


def test_more_states_come_nearer_to_the_bound():
    gaps = []
    for states in (4, 16, 64):
        design = entropy_constrained_trellis(Normal(), slope=0.023, states=states, samples=2**16)
        gaps.append(measure(design, Normal(), samples=2**17).gap_bits)
    # The same draws for all: their common noise cancels.
    assert gaps[0] > gaps[1] + 0.01 > gaps[2] + 0.02


@pytest.mark.parametrize("rate", [0.5, 2.3])
def test_a_rate_that_is_asked_for_is_met_on_other_draws(rate):
    design = entropy_constrained_trellis(Laplace(), rate=rate, states=4, samples=2**15)
    measured = measure(design, Laplace(), samples=2**17)
    # The training set of 2^15 is stratified, but its own rate still has half the noise of a plain one.
    assert abs(measured.rate - rate) < 0.002 + 6 * measured.rate_error


def test_rate_falls_and_distortion_rises_with_the_slope():
    found = [
        measure(entropy_constrained_trellis(Normal(), slope=s, samples=2**14), Normal(), samples=2**15)
        for s in (0.01, 0.03, 0.1, 0.3)
    ]
    assert (np.diff([m.rate for m in found]) < 0).all()
    assert (np.diff([m.distortion for m in found]) > 0).all()


def test_code_lengths_fit_the_frequencies_they_are_used_with():
    design = entropy_constrained_trellis(Normal(), slope=0.1, samples=2**16)
    x = np.random.default_rng(9).normal(size=(64, 1024))
    indices = design.encode(x)
    codebooks = design.codebooks(indices)
    for codebook in (0, 1):
        count = np.bincount(indices[codebooks == codebook], minlength=design.levels)
        entropy = -np.sum(count[count > 0] / count.sum() * np.log2(count[count > 0] / count.sum()))
        mean_length = np.sum(count * design.lengths[codebook]) / count.sum()
        # Gibbs: never shorter than the entropy; and no longer than a fit to 2^15 values can miss.
        assert 0 <= mean_length - entropy < 20 * design.levels / count.sum()


def test_scaling_the_source_scales_the_design():
    small, large = (
        entropy_constrained_trellis(Normal(std=s), slope=0.1 * s * s, samples=4096) for s in (1.0, 1024.0)
    )
    assert np.allclose(small.codepoints * 1024, large.codepoints, rtol=1e-6, atol=1e-3)
    assert np.allclose(small.lengths, large.lengths, atol=1e-9)


def test_a_price_beyond_the_variance_buys_nothing():
    design = entropy_constrained_trellis(Normal(), slope=5.0, samples=4096)
    measured = measure(design, Normal(), samples=2**14)
    assert measured.rate < 0.05
    assert measured.distortion > 0.9


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "give exactly one of rate and slope"),
        ({"rate": 1.0, "slope": 1.0}, ValueError, "give exactly one of rate and slope"),
        ({"rate": 0.0}, ValueError, "rate must be positive"),
        ({"rate": 11.0}, ValueError, "rate must be between 0.05 and 10 bits, got 11"),
        ({"slope": -1.0}, ValueError, "slope must be positive"),
        ({"slope": float("nan")}, ValueError, "slope must be positive"),
        ({"slope": "0.1"}, TypeError, "slope must be a number"),
        ({"slope": 0.1, "states": 7}, ValueError, "states must be a power of two"),
        ({"slope": 0.1, "samples": 1}, ValueError, "samples must be between 4096"),
    ],
)
def test_bad_requests_for_a_design_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        entropy_constrained_trellis(Normal(), **arguments)
