import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import Normal
from bitlaw.theory.quantisers import VectorQuantiser, lbg, measure
from bitlaw.theory.quantisers import vector_kernels as kernels

STARTS = ("splitting", "k-means++")


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(1, 40))
def test_no_codeword_is_nearer_than_the_one_chosen(seed, dimension, size):
    codebook, x = normal(seed, size, dimension), normal(seed + 1, 70, dimension)
    weights = np.random.default_rng(seed + 2).random((70, dimension))
    quantiser = VectorQuantiser(codebook)
    cost = (weights[:, None] * (x[:, None] - codebook) ** 2).sum(axis=2)
    chosen = quantiser.encode(x, weights)
    assert np.allclose(cost[np.arange(70), chosen], cost.min(axis=1), rtol=1e-12)
    assert (quantiser(x) == codebook[quantiser.encode(x)]).all()


def test_kernel_runs_uncompiled_to_the_same_words():
    x, codebook, weights = normal(0, 20, 3), normal(1, 5, 3), np.ones((20, 3))
    index, error = np.zeros(20, np.int32), np.empty(20)
    plain, plain_error = np.zeros(20, np.int32), np.empty(20)
    kernels.nearest_codewords(x, weights, codebook, index, error)
    kernels.nearest_in_block.py_func(x, weights, codebook, plain, plain_error)
    assert (index == plain).all()
    assert np.allclose(error, plain_error, rtol=1e-15)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("dimension", [2, 4, 8])
def test_a_trained_codebook_satisfies_both_of_lloyds_conditions(start, dimension):
    x = normal(3, 3000, dimension)
    quantiser = lbg(x, 16, start=start, tolerance=1e-12, iterations=1000)
    index = quantiser.encode(x)
    centroids = np.stack([x[index == i].mean(axis=0) for i in range(16)])
    assert np.allclose(quantiser.codebook, centroids, atol=1e-9)
    assert quantiser.design.status == "converged"
    assert quantiser.training_distortion == pytest.approx(quantiser.distortion(x), rel=1e-12)


@pytest.mark.parametrize("start", STARTS)
def test_four_words_in_the_plane_are_two_bits_of_a_scalar_quantiser(start):
    # The best four words on a Gaussian pair are the product of two one-bit quantisers, 1 - 2 / pi.
    quantiser = lbg(normal(5, 2**16, 2), 4, start=start)
    measured = measure(quantiser, Normal(), samples=2**17)
    assert abs(measured.distortion - (1 - 2 / np.pi)) < 4 * measured.distortion_error + 2e-4
    assert measured.rate == quantiser.rate == 1


@pytest.mark.parametrize("start", STARTS)
def test_the_training_error_is_too_good_and_says_so(start):
    quantiser = lbg(normal(6, 2000, 4), 128, start=start)
    measured = measure(quantiser, Normal(), samples=2**16)
    assert quantiser.training_distortion < 0.9 * measured.distortion


def test_more_dimensions_come_nearer_to_the_bound():
    gaps = []
    for dimension in (2, 4, 8):
        quantiser = lbg(normal(7, 2**13, dimension), 2**dimension)
        gaps.append(measure(quantiser, Normal(), samples=2**16).gap_bits)
    assert gaps[0] > gaps[1] + 0.01 > gaps[2] + 0.02


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(STARTS))
def test_every_codeword_is_used(seed, start):
    x = normal(seed, 60, 2)
    quantiser = lbg(x, 20, start=start, seed=seed)
    assert len(np.unique(quantiser.encode(x))) == 20


def test_an_unused_word_of_the_start_moves_to_where_the_error_is():
    # All but ten vectors are equal: k-means++ and splitting both begin with words in one place.
    x = np.concatenate([np.zeros((1000, 2)), 1 + normal(0, 10, 2) / 100])
    quantiser = lbg(x, 5, iterations=500)
    assert len(np.unique(quantiser.codebook, axis=0)) == 5
    assert quantiser.training_distortion < 1e-5


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_whole_number_weights_are_repetitions(seed):
    generator = np.random.default_rng(seed)
    x, count = generator.normal(size=(50, 2)), generator.integers(1, 4, 50)
    weighted = lbg(x, 4, weights=count, tolerance=1e-9)
    repeated = lbg(np.repeat(x, count, axis=0), 4, tolerance=1e-9)
    assert np.allclose(weighted.codebook, repeated.codebook, atol=1e-7)
    assert weighted.training_distortion == pytest.approx(repeated.training_distortion)


def test_coordinate_weights_are_a_change_of_scale():
    x = normal(8, 500, 3)
    scale = np.array([1.0, 2.0, 5.0])
    weighted = lbg(x, 8, weights=np.broadcast_to(scale**2, x.shape), tolerance=1e-9)
    scaled = lbg(x * scale, 8, tolerance=1e-9)
    assert np.allclose(weighted.codebook * scale, scaled.codebook, atol=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale_carry_over_to_the_codebook(seed, shift, scale):
    x = normal(seed, 80, 2)
    plain, moved = lbg(x, 4, tolerance=1e-6), lbg(x * scale + shift, 4, tolerance=1e-6)
    assert moved.training_distortion == pytest.approx(plain.training_distortion * scale**2, rel=1e-3)


def test_as_many_words_as_vectors_leave_no_error():
    x = normal(9, 32, 2)
    assert lbg(x, 32, iterations=1000).training_distortion < 1e-20


def test_a_vector_without_weight_has_no_say():
    x = np.concatenate([normal(10, 100, 2), [[1e6, 1e6]]])
    weights = np.ones(101)
    weights[-1] = 0
    assert np.abs(lbg(x, 4, weights=weights).codebook).max() < 10


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros(4), 1), ValueError, r"samples must have shape \(vectors, dimension\)"),
        ((np.zeros((0, 2)), 1), ValueError, "samples must have shape .* not be empty"),
        (([[0.0, np.nan]], 1), ValueError, r"samples must be finite, but samples\[0, 1\] is nan"),
        ((np.zeros((3, 2)), 4), ValueError, "size must be between 1 and 3, got 4"),
        ((np.zeros((3, 2)), 1.0), TypeError, "size must be an integer"),
        ((np.array([["a", "b"]]), 1), TypeError, "samples must be an array of"),
    ],
)
def test_bad_samples_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        lbg(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": np.ones(2)}, r"weights must have shape \(3,\) or \(3, 2\), got \(2,\)"),
        ({"weights": [-1.0, 1, 1]}, "weights must not be negative"),
        ({"weights": np.zeros(3)}, "nor all zero"),
        ({"weights": [np.inf, 1, 1]}, r"weights\[0\] is inf"),
        ({"start": "random"}, "start must be one of"),
        ({"tolerance": 0.0}, "tolerance must be positive"),
        ({"iterations": 0}, "iterations must be between 1"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        lbg(normal(0, 3, 2), 2, **options)


def test_bad_vectors_and_indices_are_named():
    quantiser = VectorQuantiser(normal(0, 4, 3))
    with pytest.raises(ValueError, match=r"x must have shape \(vectors, 3\)"):
        quantiser.encode(np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"indices must be in \[0, 4\)"):
        quantiser.decode([-1])
    with pytest.raises(TypeError, match="indices must be integers"):
        quantiser.decode([1.0])
    with pytest.raises(ValueError, match="codebook must have shape"):
        VectorQuantiser(np.zeros(3))
