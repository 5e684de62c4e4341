"""What encoding must keep: symmetry, order, blocks apart from each other, least error of searches, exact sizes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Normal, predict
from bitlaw.theory.formats.codecs.encoding import decode, encode, quantise
from bitlaw.theory.formats.codecs.plan import plan_of
from bitlaw.theory.formats.predictions.layout import layout_of
from bitlaw.theory.formats.predictions.stored_bits import stored_bits
from bitlaw.theory.formats.spec import parse_format

# A block's largest magnitude is restored as s * reach, from which the same s is found again: where the number
# type of scales is fine beside the element's steps and rounds to nearest.  In mxfp4, powers of two rounded down,
# the extreme becomes 4 or 6 times s, and both find s again.
IDEMPOTENT = [
    "int4,block=8,scale=absmax:float32",
    "int4,block=8",
    "int8,block=channel",
    "e2m1,block=16,scale=absmax:float16",
    "e4m3,block=32",
    "nf4,block=64",
    "q8_0",
    "q4_0",
    "iq4_nl,block=32,scale=signmax",
    "int4,block=3x4",
    "e2m1,block=tensor",
    "mxfp4",
]


@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(IDEMPOTENT),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_quantising_twice_changes_nothing_for_fine_extreme_scales(seed, name, dtype):
    format = parse_format(name)
    once = quantise(format, np.random.default_rng(seed).standard_normal((6, 64)).astype(dtype))
    np.testing.assert_array_equal(quantise(format, once), once)


@pytest.mark.parametrize("name", ["int4,block=8,scale=rms", "int4,block=8,scale=absmax:e8m0"])
def test_quantising_twice_changes_what_mean_or_coarse_scales_hold(name):
    format = parse_format(name)
    once = quantise(format, np.random.default_rng(0).standard_normal((60, 64)).astype(np.float32))
    assert np.mean(quantise(format, once) != once) > 0


SYMMETRIC = [
    "int4sym,block=8",
    "e2m1,block=16,scale=absmax:e4m3,group=tensor",
    "e4m3,block=channel",
    "int3half,block=5,scale=rms",
    "ternary",
    "binary",
    "mxfp4",
    "sf4,block=4,scale=signmax",
    "int4,block=8,scale=signmax",
]


@given(seed=st.integers(0, 10**6), name=st.sampled_from(SYMMETRIC[:-2]))
def test_codes_of_the_negative_mirror_for_symmetric_elements(seed, name):
    format = parse_format(name)
    x = np.random.default_rng(seed).standard_normal((6, 40)).astype(np.float32)
    codes, mirrored = encode(format, x), encode(format, -x)
    levels = plan_of(format, x.shape, np.dtype(np.float32)).codec.levels
    np.testing.assert_array_equal(mirrored.codes, levels - 1 - codes.codes)
    np.testing.assert_array_equal(quantise(format, -x), -quantise(format, x))


@given(seed=st.integers(0, 10**6), name=st.sampled_from(SYMMETRIC[-2:]))
def test_signed_maxima_make_any_element_symmetric(seed, name):
    x = np.random.default_rng(seed).standard_normal((6, 40)).astype(np.float32)
    one, other = encode(parse_format(name), x), encode(parse_format(name), -x)
    np.testing.assert_array_equal(other.codes, one.codes)
    np.testing.assert_array_equal(other.scales, -one.scales)


@given(
    seed=st.integers(0, 10**6), name=st.sampled_from(["nf4", "q4_1", "mxfp4", "int4,block=64,search=block"])
)
def test_blocks_know_nothing_of_each_other(seed, name):
    format = parse_format(name)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((6, format.block)).astype(np.float32)
    order = rng.permutation(6)
    one, other = encode(format, x), encode(format, x[order])
    np.testing.assert_array_equal(other.codes, one.codes[order])
    np.testing.assert_array_equal(other.scales, one.scales[order])


def test_codes_ascend_with_the_elements_of_a_block():
    x = np.sort(np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32), axis=1)
    for name in ("nf4", "int8,block=64", "q4_1,block=64", "e4m3,block=64,scale=rms"):
        assert (np.diff(encode(parse_format(name), x).codes.astype(int), axis=1) >= 0).all()


def test_integer_zeros_between_two_codes_go_to_the_even_one():
    x = np.array([[-2.5, 0.0, 12.5], [-3.5, 0.0, 11.5], [3.0, 4.0, 15.0], [-15.0, -4.0, -3.0]], np.float32)
    encoded = encode(parse_format("uint4,block=3,scale=minmax:float32"), x)
    np.testing.assert_array_equal(encoded.scales, np.ones((4, 1)))
    np.testing.assert_array_equal(encoded.zeros, [[2], [4], [0], [15]])
    np.testing.assert_array_equal(encoded.codes, [[0, 2, 14], [0, 4, 15], [3, 4, 15], [0, 11, 12]])


def test_outliers_are_restored_by_their_own_number_and_leave_zeros_to_their_block():
    x = np.random.default_rng(1).standard_normal((8, 32)).astype(np.float32)
    x[2, 3], x[5, 7] = 1000.5, -70.7
    encoded = encode(parse_format("int4,block=32,outliers=0.8%:bfloat16"), x)
    np.testing.assert_array_equal(encoded.outlier_positions, [2 * 32 + 3, 5 * 32 + 7])
    np.testing.assert_array_equal(encoded.outlier_values, [1000.0, -70.5])
    rest = x.copy()
    rest[2, 3] = rest[5, 7] = 0
    plain = encode(parse_format("int4,block=32"), rest)
    np.testing.assert_array_equal(encoded.codes, plain.codes)
    np.testing.assert_array_equal(encoded.scales, plain.scales)
    restored = decode(plain)
    restored[2, 3], restored[5, 7] = 1000.0, -70.5
    np.testing.assert_array_equal(decode(encoded), restored)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rotations_are_undone_around_blocks(dtype):
    format = parse_format("int8,block=16,rotation=hadamard:seed=3")
    x = np.random.default_rng(2).standard_normal((5, 33)).astype(dtype)
    encoded, rotation = encode(format, x), format.rotation
    turned = rotation.apply(x)
    assert encoded.codes.shape == turned.shape != x.shape
    inner = quantise(parse_format("int8,block=16"), turned)
    restored = rotation.undo(inner, 33).astype(dtype)
    np.testing.assert_array_equal(decode(encoded), restored)
    # Steps of 1/127 of a block's extreme, below 4 at 16 normal elements.
    assert np.abs(restored - x).max() < 4 / 127 * 5


@pytest.mark.parametrize("name", ["nf4,scale=rms", "e0m5,scale=rms", "int8,scale=rms", "e3m2,scale=rms"])
def test_the_search_of_a_tensor_goes_on_beyond_its_grid(name):
    x = np.random.default_rng(5).standard_normal((1024, 1024))
    difference = x - quantise(parse_format(f"{name},search=tensor"), x)
    asked = predict(f"{name},search=tensor", Normal(), shape=x.shape)
    assert np.sqrt(np.mean(difference**2) / np.mean(x**2)) == pytest.approx(asked.R, rel=0.02)
    trials = [predict(f"{name},multiplier={asked.factor * f}", Normal()).R for f in (0.9, 1.1)]
    assert asked.R < min(trials)


def test_the_best_factor_of_a_ternary_tensor_is_that_of_theory():
    # One threshold t = a / 2 for codepoints 0 and a: the best three-level quantiser of a normal law has
    # a = 1.2240 (Max 1960, N = 3); 2^18 samples know it to about 0.003.
    x = np.random.default_rng(5).standard_normal(1 << 18).astype(np.float32)
    scale = encode(parse_format("ternary,scale=rms:float32,search=tensor"), x).scales[0]
    assert abs(scale - 1.224) < 0.015


def test_vectors_take_the_nearest_codeword_and_do_not_cross_blocks():
    format = parse_format("vq2x3:normal,block=8,scale=rms:float32")
    x = np.random.default_rng(6).standard_normal((4, 20)).astype(np.float32)
    encoded = encode(format, x)
    assert encoded.codes.shape == (4, 3 + 3 + 2)
    book = format.element.vector_quantiser().codebook.astype(np.float32).astype(np.float64)
    restored = decode(encoded)
    scales = encoded.scales
    pieces = [(0, 3), (3, 6), (6, 8), (8, 11), (11, 14), (14, 16), (16, 19), (19, 20)]
    for row in range(4):
        for k, (start, stop) in enumerate(pieces):
            scale = scales[row, start // 8]
            u = (x[row, start:stop] / scale).astype(np.float64)
            distances = np.sum((book[:, : stop - start] - u) ** 2, axis=1)
            code = int(encoded.codes[row, k])
            assert distances[code] == distances.min()
            np.testing.assert_array_equal(
                restored[row, start:stop], scale * book[code, : stop - start].astype(np.float32)
            )
    assert encoded.element_bits == 4 * 8 * 6


@pytest.mark.parametrize(
    "name",
    ["vq2x2:normal,scale=rms", "vq2x3:normal,block=9,scale=absmax", "vq1x4:normal,block=2x8,scale=rms"],
)
@pytest.mark.parametrize("shape", [(5, 36), (3, 4, 7), (11,), (1,), (0, 3)])
def test_vectors_of_any_shape_are_restored(name, shape):
    format = parse_format(name)
    x = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
    restored = quantise(format, x)
    assert restored.shape == shape
    if x.size > 30:
        assert np.mean((restored - x) ** 2) < 0.5 * np.mean(x**2)


@pytest.mark.parametrize(
    ("name", "shape", "bits"),
    [
        ("int4,block=32", (3, 64), 4 * 192 + 16 * 6),
        ("int4,block=32", (3, 65), 8 * math.ceil(4 * 195 / 8) + 16 * 9),
        ("int3,block=channel,scale=absmax:float32", (7, 5), 8 * 14 + 32 * 7),
        ("ternary,block=tensor,search=none", (7, 6), 8 * 9 + 32),
        ("binary,block=channel", (3, 5), 16 + 32 * 3),
        ("e2m1,block=4x4,scale=absmax:e8m0", (2, 5, 6), 4 * 60 + 8 * 2 * 2 * 2),
        ("nvfp4", (4, 32), 4 * 128 + 8 * 8 + 32),
        ("q4_k", (2, 256), 4 * 512 + 2 * 8 * math.ceil(6 * 16 / 8) + 2 * 2 * 16),
        ("int4_g64_asym", (2, 64), 4 * 128 + 16 * 2 + 4 * 2),
        ("e4m3,scale=none", (3, 3), 72),
        ("int4", (), 8 + 16),
    ],
)
def test_bits_are_those_of_the_arithmetic_on_paper(name, shape, bits):
    x = np.random.default_rng(8).standard_normal(shape)
    encoded = encode(parse_format(name), x)
    assert encoded.bits == bits
    assert encoded.bits_per_element == bits / max(1, math.prod(shape))


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple),
    name=st.sampled_from(
        [
            "int3,block=7",
            "nvfp4",
            "q4_k",
            "ternary",
            "int4,block=3x5",
            "nf4_dq",
            "q4_1,group=3",
            "binary",
            "int5,block=7,group=2",
        ]
    ),
)
def test_bits_are_those_that_are_predicted_for_the_shape(shape, name):
    format = parse_format(name)
    encoded = encode(format, np.ones(shape, np.float32))
    predicted = stored_bits(format, layout_of(format, shape), shape)
    assert encoded.element_bits == predicted.codes
    assert encoded.scale_bits == predicted.scales + predicted.zeros + predicted.groups


def test_outliers_and_entropy_are_counted():
    x = np.random.default_rng(9).standard_normal((64, 64)).astype(np.float32)
    plain = encode(parse_format("int4,block=32"), x)
    kept = encode(parse_format("int4,block=32,outliers=1%:float16:bitmap"), x)
    assert kept.bits == plain.bits + 64 * 64 + 16 * 41
    coded = encode(parse_format("int4,block=32,code=entropy"), x)
    share = np.bincount(coded.codes.reshape(-1)) / x.size
    entropy = -sum(p * math.log2(p) for p in share if p)
    assert coded.entropy() == pytest.approx(entropy, rel=1e-12)
    assert coded.bits == math.ceil(coded.entropy() * x.size) + 16 * 128
    assert 3.3 < coded.entropy() < 3.9
    assert encode(parse_format("int4"), np.zeros(0)).entropy() == 0.0


def test_shapes_of_scales_count_the_blocked_axes_in_blocks():
    x = np.ones((2, 10, 21), np.float32)
    for block, shape in [
        ("5", (2, 10, 5)),
        ("channel", (2, 10, 1)),
        ("tensor", (1,)),
        ("4x10", (2, 3, 3)),
        ("99", (2, 10, 1)),
    ]:
        assert encode(parse_format(f"int4,block={block}"), x).scales.shape == shape
