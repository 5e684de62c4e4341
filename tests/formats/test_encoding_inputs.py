"""Every array has a documented answer: layouts, empty and single ones, zeros, extremes, and those refused."""

import math
import pickle

import ml_dtypes
import numpy as np
import pytest

from bitlaw.theory.formats.codecs.encoded import Encoded
from bitlaw.theory.formats.codecs.encoding import decode, encode, quantise
from bitlaw.theory.formats.spec import parse_format
from tests.formats.encoding_cases import NAMED, TYPES, assert_as_documented, dtype_of


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("text", ["int4,block=16", "q4_1", "nvfp4", "int4,block=3x5", "int4,outliers=2%"])
def test_memory_layout_plays_no_part(text, dtype):
    format = parse_format(text)
    plain = np.random.default_rng(5).standard_normal((6, 5, 40)).astype(dtype_of(dtype))
    frozen = plain.copy()
    frozen.flags.writeable = False
    wide = np.zeros((12, 5, 80), plain.dtype)
    wide[::2, :, ::2] = plain
    first = encode(format, plain)
    for x in (np.asfortranarray(plain), frozen, wide[::2, :, ::2], plain[::-1][::-1], plain.T.copy().T):
        assert encode(format, x) == first
    if dtype != "bfloat16":
        assert encode(format, plain.astype(plain.dtype.newbyteorder())) == first


@pytest.mark.parametrize(
    "text", [*NAMED, "ternary", "binary", "fp8_e4m3", "int4,block=2x3", "int4,outliers=10%"]
)
def test_empty_and_single_arrays_are_arrays_like_others(text):
    format = parse_format(text)
    for shape in [(0,), (3, 0), (0, 4), (2, 0, 3)]:
        encoded = encode(format, np.zeros(shape, np.float32))
        restored = decode(encoded)
        assert restored.shape == shape
        assert restored.dtype == np.float32
        assert encoded.scales.size == 0
        assert encoded.element_bits == 0
        assert math.isnan(encoded.bits_per_element)
    for x in (2.5, [2.5], [[2.5]]):
        restored = quantise(format, x)
        assert restored.shape == np.shape(x)
        # a power of two scale may be off by its rounding, a code by half a step
        assert abs(float(restored.reshape(())) - 2.5) <= 0.7


@pytest.mark.parametrize(
    "text", [*NAMED, "fp8_e4m3", "int4,scale=rms", "ternary", "e4m3,scale=absmax:e8m0:up"]
)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_blocks_are_restored_as_zeros(text, zero):
    x = np.full((4, 70), zero, np.float32)
    np.testing.assert_array_equal(quantise(parse_format(text), x), np.zeros((4, 70)))


@pytest.mark.parametrize("text", ["int3half,block=4,scale=absmax:float32", "binary,block=4"])
def test_a_scale_of_zero_restores_zeros_without_a_codepoint_at_zero(text):
    np.testing.assert_array_equal(quantise(parse_format(text), np.zeros((2, 8))), np.zeros((2, 8)))


@pytest.mark.parametrize("number", ["float32", "bfloat16", "float16", "e4m3", "e8m0"])
@pytest.mark.parametrize("magnitude", [1e-45, 1e-40, 1e-30, 1e30, 3.4e38])
@pytest.mark.parametrize("element", ["int4", "e4m3", "nf4"])
def test_magnitudes_at_the_ends_of_float32_are_restored_as_documented(element, number, magnitude):
    x = (magnitude * np.array([[1.0, -0.5, 0.25, 0.0, -1.0, 0.7, 0.1, 0.9]])).astype(np.float32)
    format = parse_format(f"{element},block=4,scale=absmax:{number}")
    assert_as_documented(format, x)
    assert np.isfinite(quantise(format, x)).all()


@pytest.mark.parametrize("statistic", ["absmax", "rms", "signmax"])
def test_doubles_beyond_float32_saturate_the_scale(statistic):
    x = np.array([1e300, -1e300, 1e299, 0.0])
    restored = quantise(parse_format(f"int4,block=4,scale={statistic}:float32"), x)
    largest = float(np.finfo(np.float32).max)
    assert 7 * largest <= abs(restored[0]) <= 8 * largest
    assert np.sign(restored).tolist() == [1, -1, 1, 0]


def test_restored_values_are_cut_to_the_range_of_the_type():
    x = np.array([65504.0, -65504.0, 1.0], np.float16)
    restored = quantise(parse_format("int4,block=3,scale=absmax:e4m3:up,multiplier=1.1"), x)
    assert np.isfinite(restored).all()
    big = np.array([3.3e38, -3.3e38], np.float32)
    assert np.isfinite(
        quantise(parse_format("e4m3,block=2,scale=absmax:bfloat16:up,multiplier=1.2"), big)
    ).all()


def test_integers_are_taken_as_doubles():
    x = np.arange(-8, 8)
    restored = quantise(parse_format("int8,block=4,scale=absmax:float32"), x)
    assert restored.dtype == np.float64
    np.testing.assert_array_equal(
        restored, quantise(parse_format("int8,block=4,scale=absmax:float32"), x.astype(float))
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "text",
    [
        "int4,block=4",
        "int4,scale=rms",
        "q4_1",
        "q4_0",
        "nvfp4",
        "int4,scale=none",
        "int4,outliers=5%",
        "int4,rotation=hadamard",
        "int4,search=tensor",
        "int4,block=2x2,search=block",
    ],
)
def test_a_value_that_is_not_finite_is_named_with_its_position(text, dtype, value):
    x = np.ones((3, 8), dtype_of(dtype))
    x[1, 6] = x[2, 0] = value
    for layout in (x, np.asfortranarray(x)):
        with pytest.raises(ValueError, match=rf"array\[1, 6\] is {value}"):
            encode(parse_format(text), layout)


@pytest.mark.parametrize("x", [["a"], [1j], [True], [None], np.zeros(3, ml_dtypes.float8_e4m3fn)])
def test_data_of_another_kind_are_refused(x):
    with pytest.raises(TypeError, match="array must be an array of float16"):
        encode(parse_format("int4"), x)


def test_a_negative_scale_needs_a_number_with_a_sign():
    with pytest.raises(ValueError, match="unsigned e8m0"):
        encode(parse_format("int4,block=4,scale=absmax:e8m0,reach=-7"), np.ones(4))


@pytest.mark.parametrize(
    "name", ["nf4", "q4_k", "nvfp4", "int4,block=8,outliers=2%,rotation=hadamard", "ternary"]
)
def test_an_encoded_array_survives_saving(name, tmp_path):
    x = np.random.default_rng(6).standard_normal((4, 60)).astype(np.float32)
    encoded = encode(parse_format(name), x)
    np.savez(tmp_path / "encoded.npz", **encoded.to_arrays())
    with np.load(tmp_path / "encoded.npz") as arrays:
        loaded = Encoded.from_arrays(dict(arrays))
    assert loaded == encoded
    assert pickle.loads(pickle.dumps(encoded)) == encoded
    assert encoded != encode(parse_format(name), -x)
    np.testing.assert_array_equal(decode(loaded), quantise(parse_format(name), x))
    assert not encoded.codes.flags.writeable


def test_arrays_that_do_not_fit_are_refused():
    encoded = encode(parse_format("int4sym,block=8"), np.ones((4, 8), np.float32))
    arrays = encoded.to_arrays()
    with pytest.raises(ValueError, match=r"these came: .*'more'"):
        Encoded.from_arrays(arrays | {"more": np.ones(1)})
    with pytest.raises(ValueError, match="these came"):
        Encoded.from_arrays({"codes": arrays["codes"]})
    grouped = encode(parse_format("nvfp4"), np.ones((4, 32), np.float32)).to_arrays()
    with pytest.raises(ValueError, match="group_scales must be 1 for this format and shape, got 2"):
        decode(Encoded.from_arrays(grouped | {"group_scales": np.ones(2, np.float32)}))
    for wrong, text in [
        ({"codes": np.full((4, 8), 15, np.uint8)}, "codes must lie in 0 to 14, but one is 15"),
        ({"codes": np.ones((4, 7), np.uint8)}, "codes must be 32 of uint8, got 28"),
        ({"scales": np.ones((4, 2), np.float32)}, "scales must be 4"),
    ]:
        with pytest.raises(ValueError, match=text):
            decode(Encoded.from_arrays(arrays | wrong))


@pytest.mark.parametrize("deviation", [1.0, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize(
    ("text", "mantissa"),
    [
        ("bf16", 7),
        ("bfloat16,scale=absmax", 7),
        ("bfloat16,block=32,scale=signmax", 7),
        ("e6m9,block=32,scale=absmax:float16", 9),
        ("float16,scale=absmax", 10),
        ("e5m10,block=32,scale=absmax:float32", 10),
    ],
)
def test_sixteen_bits_lose_what_their_mantissa_leaves_out_whatever_the_size_of_the_weights(
    text, mantissa, deviation
):
    x = np.random.default_rng(3).normal(0, deviation, (64, 256)).astype(np.float32)
    error = float(np.sqrt(np.mean((parse_format(text).quantise(x) - x) ** 2, dtype=np.float64)) / deviation)
    # Steps uniform over a binade: between 1/sqrt(12) of the step relative to the binade's ends.
    step = 2.0**-mantissa / np.sqrt(12)
    assert step / 2 < error < step


@pytest.mark.parametrize("text", ["bf16", "bfloat16"])
@pytest.mark.parametrize("deviation", [1.0, 1e-3, 1e-30])
def test_weights_that_are_bfloat16_already_are_kept_by_bf16(text, deviation):
    x = np.random.default_rng(4).normal(0, deviation, (64, 256)).astype(ml_dtypes.bfloat16)
    encoded = encode(parse_format(text), x.astype(np.float32))
    np.testing.assert_array_equal(decode(encoded), x.astype(np.float32))
    assert encoded.bits == 16 * x.size


@pytest.mark.parametrize("text", ["fp16", "float16"])
def test_fp16_is_the_type_itself(text):
    x = np.random.default_rng(5).normal(0, 1e-3, (64, 256)).astype(np.float32)
    difference = parse_format(text).quantise(x) - x.astype(np.float16).astype(np.float32)
    # Halves between two numbers, which go down here and to the even number there, are all that may differ.
    assert np.count_nonzero(difference) <= 0.01 * x.size
    np.testing.assert_array_equal(parse_format(text).quantise(x.astype(np.float16)), x.astype(np.float16))
