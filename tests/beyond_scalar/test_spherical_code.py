import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Normal
from bitlaw.theory.quantisers import SphericalCode, lattice, measure, spherical_code

CODES = {
    "Z": SphericalCode(lattice("Z"), 5, 0.7, [0.2]),
    "A2": SphericalCode(lattice("A2"), 37, 0.5),
    "D4": SphericalCode(lattice("D4"), 200, 0.6, [0.5] * 4),
    "E8": SphericalCode(lattice("E8"), 300, 0.9),
    "E8 shifted": SphericalCode(lattice("E8"), 256, 0.9, [0.25] * 8),
}


@given(st.sampled_from(sorted(CODES)), st.integers(0, 2**32), st.floats(0.1, 10))
def test_no_word_is_nearer_than_the_one_chosen(name, seed, spread):
    code = CODES[name]
    x = spread * np.random.default_rng(seed).normal(size=(20, code.block_length))
    chosen = ((code(x) - x) ** 2).sum(axis=1)
    every = ((code.codebook[None] - x[:, None]) ** 2).sum(axis=2)
    assert np.allclose(chosen, every.min(axis=1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CODES)
def test_every_word_is_its_own_index(name):
    code = CODES[name]
    assert (code.encode(code.codebook) == np.arange(code.count)).all()


@pytest.mark.parametrize("name", CODES)
def test_words_are_the_lattice_points_nearest_to_the_centre(name):
    code = CODES[name]
    lengths = np.linalg.norm(code.codebook / code.scale, axis=1)
    assert (np.diff(lengths) > -1e-9).all()
    # Random lattice points in the ball are words.
    x = np.random.default_rng(0).normal(size=(2000, code.block_length))
    points = code.lattice.points(code.lattice.nearest(x)) + code.shift
    inside = points[np.linalg.norm(points, axis=1) < lengths[-1] - 1e-9]
    gaps = np.abs(code.codebook[None] / code.scale - inside[:, None]).max(axis=2).min(axis=1)
    assert len(inside) > 5
    assert gaps.max() < 1e-9


def test_shells_of_e8_hold_240_2160_and_6720_points():
    code = SphericalCode(lattice("E8"), 9121, 1.0)
    norms, counts = np.unique(np.round((code.codebook**2).sum(axis=1), 9), return_counts=True)
    assert norms.tolist() == [0, 2, 4, 6]
    assert counts.tolist() == [1, 240, 2160, 6720]


def test_the_first_shell_of_leech_is_a_code():
    code = SphericalCode(lattice("Leech"), 196_561, 0.7)
    x = np.concatenate([code.codebook[::40_000], np.zeros((1, 24))]) * 1.01
    assert code.encode(x).tolist() == [*range(0, 196_561, 40_000), 0]
    assert code.rate == pytest.approx(np.log2(196_561) / 24)


def test_the_scale_found_is_better_than_its_neighbours():
    code = spherical_code("D4", Normal(), count=256, samples=2**14)
    at = {f: SphericalCode(lattice("D4"), 256, code.scale * f) for f in (0.93, 1.0, 1.07)}
    distortion = {f: measure(c, Normal(), samples=2**16).distortion for f, c in at.items()}
    assert distortion[1.0] < min(distortion[0.93], distortion[1.07])


def test_a_cut_of_e8_gains_what_is_known_over_scalar_quantisation():
    # 2401 words are 1.404 bits; Lloyd-Max needs 2^1.404 levels and interpolates to about 0.24 there.
    measured = measure(spherical_code("E8", Normal(), count=2401, samples=2**13), Normal(), samples=2**15)
    assert measured.rate == pytest.approx(np.log2(2401) / 8)
    assert 0.15 < measured.gap_bits - 4 * measured.gap_error
    assert measured.gap_bits + 4 * measured.gap_error < 0.26


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("E8", 0, 1.0), ValueError, "count must be between 1"),
        (("E8", 2.5, 1.0), TypeError, "count must be an integer"),
        (("E8", 5, 0.0), ValueError, "scale must be positive"),
        (("E8", 5, 1.0, [0.0]), ValueError, r"shift must be finite, shape \(8,\)"),
        (("Leech", 196_562, 1.0), ValueError, "count must be at most 196561 for Leech"),
        (("Leech", 5, 1.0, [0.5] * 24), ValueError, "shift must be zero for Leech"),
    ],
)
def test_impossible_codes_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SphericalCode(lattice(arguments[0]), *arguments[1:])


def test_bad_vectors_and_indices_are_named():
    code = CODES["A2"]
    with pytest.raises(ValueError, match=r"x must have shape \(vectors, 2\), got \(3,\)"):
        code.encode(np.zeros(3))
    with pytest.raises(ValueError, match=r"x must be finite, but x\[0, 1\] is inf"):
        code.encode([[0.0, np.inf]])
    with pytest.raises(ValueError, match=r"indices must be in \[0, 37\)"):
        code.decode([37])
