from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import Laplace, Normal, StudentT
from bitlaw.theory.quantisers import EntropyCodedLattice, lattice, lattice_quantiser, measure
from bitlaw.theory.quantisers.lattices.partition import fit_weights, log_partition

# Numbers of vectors by norm, in units where weights s^(k^2) collect s^(8 * norm / 2) and s^(8 * norm).
THETA = {
    "E8": {0: 1, 8: 240, 16: 2160, 24: 6720, 32: 17520, 40: 30240},
    "Leech": {0: 1, 32: 196_560, 48: 16_773_120, 64: 398_034_000},
}


@pytest.mark.parametrize("name", THETA)
def test_gaussian_weights_sum_to_the_theta_series(name):
    values, s = np.arange(-8, 9), 0.3
    weights = s ** (values[None, :] ** 2.0)
    series = sum(count * s**power for power, count in THETA[name].items())
    assert np.expm1(log_partition(name, values, weights)) == pytest.approx(series - 1, rel=1e-6)


@given(st.integers(0, 2**32), st.sampled_from(["Z", "A2", "D4"]))
def test_code_lengths_make_a_code_of_all_points_with_no_word_to_spare(seed, name):
    chosen = lattice(name)
    values = np.arange(-8, 8)
    axes = 2 if name == "A2" else 1
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(16, 0.3), size=axes) + 1e-9
    quantiser = EntropyCodedLattice(chosen, 1.0, values, weights, np.tile(1.0 * values, (axes, 1)))
    every = np.stack(np.meshgrid(*[values] * chosen.dimension, indexing="ij"), axis=-1)
    every = every.reshape(-1, chosen.dimension)
    total = np.exp2(-quantiser.bits(every[chosen.contains(every)])).sum()
    assert total == pytest.approx(1, rel=1e-9)


def frequencies_of(name, values, weights):
    """How often each value comes up at a coordinate: the slope of log Z, by central differences."""
    step = 1e-5
    up, down = (
        np.array([log_partition(name, values, weights * np.exp(h * (values == v))) for v in values])
        for h in (step, -step)
    )
    return (up - down)[None, :] / (2 * step * lattice(name).dimension)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from(["D4", "E8", "Leech"]))
def test_fitted_weights_have_the_frequencies_asked_for(seed, name):
    values = np.arange(-8, 9)
    # Frequencies that some product measure has: draw one, and take its own.
    weights = np.exp(-0.1 * values**2 + 0.5 * np.random.default_rng(seed).normal(size=17))[None, :]
    wanted = np.maximum(frequencies_of(name, values, weights), 1e-12)
    start = np.full((1, 17), 1 / 17)
    fitted = fit_weights(name, lattice(name).dimension, values, start, wanted / wanted.sum())
    assert np.abs(frequencies_of(name, values, fitted) - wanted).max() < 1e-5


@pytest.mark.parametrize("name", ["Z", "A2", "D4", "E8", "Leech"])
def test_at_three_bits_the_gap_is_that_of_the_second_moment(name):
    quantiser = lattice_quantiser(name, Normal(), rate=3.0, samples=2**16)
    measured = measure(quantiser, Normal(), samples=2**17)
    assert abs(measured.rate - 3) < 0.002 + 6 * measured.rate_error
    assert abs(measured.gap_bits - lattice(name).gap_bits) < 0.003 + 4 * measured.gap_error


@pytest.mark.parametrize("source", [Laplace(), StudentT(5)])
def test_other_laws_pay_the_same_at_high_rate(source):
    measured = measure(lattice_quantiser("E8", source, rate=4.0, samples=2**16), source, samples=2**17)
    assert abs(measured.shannon_gap_bits - lattice("E8").gap_bits) < 0.005 + 4 * measured.gap_error


def test_the_integers_are_the_uniform_scalar_quantiser():
    # Uniform thresholds with centroids at 1 bit on a Gaussian: independent 30-digit computation.
    measured = measure(lattice_quantiser("Z", Normal(), rate=1.0), Normal(), samples=2**18)
    tangent = measured.distortion + 0.4424282 * (measured.rate - 1)
    assert abs(tangent - 0.34833864) < 4 * (measured.distortion_error + 0.44 * measured.rate_error)


def test_a_wrong_code_costs_more_bits():
    right = lattice_quantiser("D4", Normal(), scale=1.0, samples=2**14)
    wrong = replace(right, weights=right.weights**0.5)
    rates = [measure(q, Normal(), samples=2**14).rate for q in (right, wrong)]
    assert rates[1] > rates[0] + 0.1


@given(st.sampled_from(["Z", "A2", "D4", "E8", "Leech"]), st.integers(0, 2**32))
def test_decoding_what_was_encoded_stays_within_the_cell(name, seed):
    quantiser = _quantiser(name)
    x = np.random.default_rng(seed).normal(size=(3, quantiser.block_length))
    k = quantiser.encode(x)
    # On the lattice itself the error is a Voronoi cell's; centroids move it by less than a step.
    assert (
        ((x / quantiser.scale - quantiser.lattice.points(k)) ** 2).sum(axis=1)
        <= quantiser.lattice.covering_radius**2 + 1e-9
    ).all()
    errors, bits = quantiser.errors_and_bits(x)
    assert np.allclose(errors, ((quantiser(x) - x) ** 2).sum(axis=1))
    assert (bits > 0).all()


_CACHE = {}


def _quantiser(name):
    if name not in _CACHE:
        _CACHE[name] = lattice_quantiser(name, Normal(), scale=0.4, samples=4096)
    return _CACHE[name]


def test_values_beyond_the_code_are_clipped():
    quantiser = _quantiser("E8")
    far = quantiser.encode(np.full((1, 8), 1e12))
    assert far.max() <= quantiser.values[-1]
    assert np.isfinite(quantiser.bits(far)).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "give exactly one of rate and scale"),
        ({"rate": 1.0, "scale": 1.0}, ValueError, "give exactly one of rate and scale"),
        ({"rate": 0.01}, ValueError, "rate must be between 0.05 and 12 bits"),
        ({"scale": -1.0}, ValueError, "scale must be positive"),
        ({"scale": 1.0, "samples": 3}, ValueError, "samples must be between 4096"),
    ],
)
def test_bad_requests_for_a_design_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        lattice_quantiser("D4", Normal(), **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.arange(4)}, "values must be at least 16 consecutive integers"),
        ({"weights": np.ones((1, 3))}, "weights must be finite, shape"),
        ({"weights": np.zeros((1, 17))}, "weights must be positive"),
        ({"codepoints": np.full((1, 17), np.nan)}, "codepoints must be finite"),
        ({"scale": 0.0}, "scale must be positive"),
    ],
)
def test_inconsistent_quantisers_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(lattice_quantiser("D4", Normal(), scale=2.0, samples=4096), **change)


def test_bad_coordinates_are_named():
    quantiser = _quantiser("D4")
    with pytest.raises(ValueError, match="coordinates must be in"):
        quantiser.decode([[10**6, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"coordinates must have shape \(..., 4\)"):
        quantiser.decode([[0, 0, 0]])
    with pytest.raises(TypeError, match="coordinates must be integers"):
        quantiser.bits([[0.5, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"x must be finite"):
        quantiser.encode([[np.nan, 0, 0, 0]])
