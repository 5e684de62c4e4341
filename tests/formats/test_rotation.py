"""Rotations: Hadamard matrices, energy, the way back, and the order of additions."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats

from bitlaw.theory.formats.hadamard import core_matrix, factors, hadamard_matrix, next_length
from bitlaw.theory.formats.rotation import Rotation, parse_rotation

# Orders up to 200 that neither a power of two nor Paley's constructions reach, from the literature.
NOT_PALEY = {92, 116, 156, 172, 184, 188}


def test_known_orders_are_those_of_the_literature():
    known = {order for order in range(4, 201, 4) if factors(order)}
    assert set(range(4, 201, 4)) - known == NOT_PALEY


@pytest.mark.parametrize("order", [1, 12, 20, 28, 36, 52, 76, 108, 140, 148, 344])
def test_core_matrices_are_hadamard(order):
    matrix = core_matrix(order).astype(np.int64)
    assert set(np.unique(matrix)) <= {-1, 1}
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order, dtype=np.int64))


@pytest.mark.parametrize(
    ("length", "core"),
    [(4096, 1), (3072, 12), (2560, 20), (14336, 28), (11008, 344), (18944, 148), (13824, 108)],
)
def test_rows_of_language_models_have_factors(length, core):
    found = factors(length)
    assert found is not None
    assert found[0] == core
    assert found[0] << found[1] == length


@pytest.mark.parametrize("order", [0, 3, 6, 92])
def test_orders_that_are_not_known_are_refused(order):
    assert factors(order) is None
    with pytest.raises(ValueError, match="length must be the order of a known Hadamard matrix"):
        hadamard_matrix(order)
    with pytest.raises(ValueError, match="order must be 1 or an order of Paley"):
        core_matrix(order)


def test_padding_takes_the_next_known_length():
    assert next_length(92) == 96
    assert next_length(3) == 4
    assert next_length(50257) < 1.005 * 50257
    assert Rotation("hadamard").stored_length(92) == 96
    assert Rotation("hadamard").stored_length(4096) == 4096


@pytest.mark.parametrize("n", [1, 2, 4, 8, 64])
def test_powers_of_two_are_sylvesters(n):
    np.testing.assert_array_equal(hadamard_matrix(n), linalg.hadamard(n))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 12, 20, 24, 64, 112, 160])
def test_apply_is_the_product_with_the_matrix(n, dtype):
    x = np.random.default_rng(n).standard_normal((3, n)).astype(dtype)
    rotation = Rotation("hadamard", seed=5)
    expected = x.astype(np.float64) @ rotation.matrix(n).T
    y = rotation.apply(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, atol=50 * np.finfo(dtype).eps * math.sqrt(n))


def plain_order(x, rotation):
    """One row, one addition after another, in the promised order."""
    n, kind = len(x), x.dtype.type
    core, power = factors(n)
    row = [kind(value * sign) for value, sign in zip(x, rotation.signs(n).astype(x.dtype), strict=True)]
    length = 1 << power
    half = 1
    while half < length:
        for i in range(n):
            if not i % length & half:
                row[i], row[i + half] = row[i] + row[i + half], row[i] - row[i + half]
        half *= 2
    if core > 1:
        matrix, old = core_matrix(core), list(row)
        for i in range(core):
            for k in range(length):
                total = old[k] if matrix[i, 0] > 0 else -old[k]
                for j in range(1, core):
                    term = old[j * length + k]
                    total = total + term if matrix[i, j] > 0 else total - term
                row[i * length + k] = total
    return np.array([value * kind(1 / math.sqrt(n)) for value in row])


@pytest.mark.parametrize("n", [16, 24, 56, 80])
def test_additions_happen_in_the_promised_order_to_the_last_bit(n):
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    rotation = Rotation("hadamard", seed=2)
    np.testing.assert_array_equal(rotation.apply(x), plain_order(x, rotation))


ROTATIONS = [
    Rotation("hadamard"),
    Rotation("hadamard", 16, seed=1),
    Rotation("hadamard", 48, seed=9),
    Rotation("orthogonal"),
    Rotation("orthogonal", 24, seed=4),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rotation", ROTATIONS, ids=str)
def test_energy_is_kept_and_the_way_back_is_within_its_bound(rotation, dtype):
    x = np.random.default_rng(0).standard_t(3, (5, 7, 96)).astype(dtype)
    size = 96 if rotation.size == "row" else rotation.size
    blocks = x.reshape(-1, size)
    y = rotation.apply(x)
    bound = rotation.error_bound(size, dtype) * np.linalg.norm(blocks, axis=1)
    back = rotation.undo(y).reshape(-1, size)
    assert (np.linalg.norm(back - blocks, axis=1) <= bound).all()
    norms = np.linalg.norm(y.reshape(-1, size).astype(np.float64), axis=1)
    assert (np.abs(norms - np.linalg.norm(blocks.astype(np.float64), axis=1)) <= bound).all()
    assert not np.allclose(y, x)


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_any_row_comes_back(n, seed):
    x = np.random.default_rng(seed).standard_normal((2, n))
    rotation = Rotation("hadamard", seed=seed)
    y = rotation.apply(x)
    assert y.shape == (2, rotation.stored_length(n))
    np.testing.assert_allclose(np.sum(y**2, axis=1), np.sum(x**2, axis=1), rtol=1e-12)
    np.testing.assert_allclose(rotation.undo(y, length=n), x, atol=1e-12)


def test_bound_is_not_idle():
    x = np.random.default_rng(0).standard_normal((64, 4096)).astype(np.float32)
    rotation = Rotation("hadamard")
    error = np.linalg.norm(rotation.undo(rotation.apply(x)) - x, axis=1) / np.linalg.norm(x, axis=1)
    assert rotation.error_bound(4096, np.float32) / 100 < error.max() < rotation.error_bound(4096, np.float32)


def test_an_outlier_is_spread_evenly():
    x = np.zeros(256)
    x[17] = 16.0
    np.testing.assert_array_equal(np.abs(Rotation("hadamard").apply(x)), np.ones(256))


def test_blocks_turn_alike():
    x = np.random.default_rng(0).standard_normal(32)
    rotation = Rotation("hadamard", 16, seed=3)
    np.testing.assert_array_equal(rotation.apply(x)[16:], rotation.apply(x[16:]))


def test_signs_are_those_of_raw_words_and_do_not_change():
    signs = Rotation("hadamard", seed=3).signs(200)
    words = np.random.PCG64(3).random_raw(4)
    plain = [1 - 2 * (int(words[i // 64]) >> (i % 64) & 1) for i in range(200)]
    assert signs.tolist() == plain
    assert Rotation("hadamard").signs(8).tolist() == [-1, -1, -1, -1, -1, 1, -1, 1]
    assert abs(int(Rotation("hadamard", seed=1).signs(1 << 16).sum())) < 4.5 * 256


def test_seeds_give_different_rotations_and_equal_ones_the_same():
    x = np.random.default_rng(0).standard_normal(64)
    for kind in ("hadamard", "orthogonal"):
        np.testing.assert_array_equal(Rotation(kind, seed=1).apply(x), Rotation(kind, seed=1).apply(x))
        assert not np.array_equal(Rotation(kind, seed=1).apply(x), Rotation(kind, seed=2).apply(x))


def test_orthogonal_rotations_follow_the_haar_law():
    # The first entry of a Haar rotation of n: its square follows Beta(1/2, (n - 1) / 2), its sign is even.
    # Without moving the signs of the factorisation, LAPACK's entry is never positive.
    entries = np.array([Rotation("orthogonal", seed=seed).matrix(6)[0, 0] for seed in range(400)])
    assert stats.kstest(entries**2, stats.beta(0.5, 2.5).cdf).pvalue > 1e-5
    assert abs((entries > 0).mean() - 0.5) < 4.5 * 0.5 / 20


@pytest.mark.parametrize("kind", ["hadamard", "orthogonal"])
def test_small_types_are_computed_in_float32_and_integers_in_float64(kind):
    rotation = Rotation(kind)
    x = np.arange(8)
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32):
        assert rotation.apply(x.astype(dtype)).dtype == np.float32
    for dtype in (np.int8, np.int64, np.float64):
        assert rotation.apply(x.astype(dtype)).dtype == np.float64


def test_layout_and_emptiness_are_answered():
    x = np.random.default_rng(0).standard_normal((12, 16))
    rotation = Rotation("hadamard", 4)
    np.testing.assert_array_equal(rotation.apply(np.asfortranarray(x)), rotation.apply(x))
    np.testing.assert_array_equal(rotation.apply(x[:, ::2]), rotation.apply(x[:, ::2].copy()))
    frozen = x.copy()
    frozen.flags.writeable = False
    rotation.apply(frozen)
    np.testing.assert_array_equal(frozen, x)
    assert rotation.apply(np.empty((0, 16))).shape == (0, 16)
    assert Rotation("hadamard").apply(np.empty((3, 0))).shape == (3, 0)


@pytest.mark.parametrize("kind", ["hadamard", "orthogonal"])
@pytest.mark.parametrize("size", ["row", 1, 64, 128])
@pytest.mark.parametrize("seed", [0, 3])
def test_text_round_trips(kind, size, seed):
    rotation = Rotation(kind, size, seed)
    assert parse_rotation(str(rotation)) == rotation


def test_texts_are_short():
    assert str(Rotation("hadamard")) == "hadamard"
    assert str(Rotation("hadamard", 128, seed=3)) == "hadamard:128:seed=3"
    assert parse_rotation("orthogonal:64") == Rotation("orthogonal", 64)
    assert parse_rotation("hadamard:row") == Rotation("hadamard")


@pytest.mark.parametrize("text", ["", "fourier", "hadamard:x", "hadamard:4:8", "hadamard:seed=-1"], ids=repr)
def test_texts_that_are_no_rotation_are_refused(text):
    with pytest.raises(ValueError, match="rotation must be"):
        parse_rotation(text)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "kind must be one of", ("fourier",)),
        (
            ValueError,
            "size must be the order of a known Hadamard matrix, got 92; next is 96",
            ("hadamard", 92),
        ),
        (ValueError, "size must be at least 1", ("hadamard", 0)),
        (ValueError, "size must be a positive integer or 'row'", ("hadamard", "column")),
        (TypeError, "size must be an integer", ("hadamard", 8.0)),
        (TypeError, "seed must be an integer", ("hadamard", 8, True)),
        (ValueError, "seed must be at least 0", ("hadamard", 8, -1)),
        (ValueError, "size of an orthogonal rotation must be at most", ("orthogonal", 20000)),
    ],
    ids=["kind", "unknown", "zero", "text", "float", "bool", "negative", "large"],
)
def test_wrong_arguments_are_named(error, message, arguments):
    with pytest.raises(error, match=message):
        Rotation(*arguments)


def test_data_that_do_not_fit_are_refused():
    rotation = Rotation("hadamard", 8)
    with pytest.raises(ValueError, match="8 does not divide 12"):
        rotation.apply(np.zeros((2, 12)))
    with pytest.raises(ValueError, match=r"x\[1, 0\] is nan"):
        rotation.apply(np.array([[0.0] * 8, [math.nan] + [0.0] * 7]))
    with pytest.raises(ValueError, match="must have an axis to rotate"):
        rotation.apply(1.0)
    with pytest.raises(ValueError, match=r"y must have a last axis of 96 \(rotated 92\), got 64"):
        Rotation("hadamard").undo(np.zeros(64), length=92)
    with pytest.raises(ValueError, match="at most 16384, got 20000"):
        Rotation("orthogonal").apply(np.zeros(20000))
    with pytest.raises(TypeError, match="rotation must be text"):
        parse_rotation(3)
