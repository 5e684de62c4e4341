"""Codes, scales and restored values are those of the documented arithmetic, to the last bit."""

import math
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory.formats import _conversion, _parallel, block_codec, block_statistics
from bitlaw.theory.formats._plan import multiplier_of, nominal_size, quantiser_of, reach_of
from bitlaw.theory.formats.encoded import Encoded
from bitlaw.theory.formats.encoding import decode, encode, quantise
from bitlaw.theory.formats.number_types import number_type
from bitlaw.theory.formats.spec import parse_format
from tests.formats import naive

TYPES = ["float16", "bfloat16", "float32", "float64"]
ELEMENTS = [
    "int4",
    "int8",
    "int4sym",
    "int3half",
    "uint4",
    "e2m1",
    "e4m3",
    "nf4",
    "ternary",
    "binary",
    "iq4_nl",
    "int10",
]
NUMBERS = ["float32", "bfloat16", "float16", "e8m0", "e4m3", "e5m2", "ue5m3", "uint6"]
NAMED = [
    "nf4",
    "mxfp4",
    "mxfp8",
    "nvfp4",
    "q4_0",
    "q4_1",
    "q4_k",
    "q8_0",
    "iq4_nl",
    "int4_g64",
    "int4_g64_asym",
    "nf4_dq",
]


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)


def expected(format, array, factors=None):
    size = nominal_size(format, array.shape)
    reach = reach_of(format, size)
    quantiser = quantiser_of(format.element, format.scale.statistic, size)
    return naive.encode_quantise(format, array, quantiser, reach, multiplier_of(format, reach), factors)


def assert_as_documented(format, array, factors=None):
    codes, stored, zeros, outer, restored = expected(format, array, factors)
    encoded = encode(format, array)
    np.testing.assert_array_equal(encoded.scales.reshape(-1), np.array(stored, np.float32))
    np.testing.assert_array_equal(encoded.codes, codes)
    if zeros is not None:
        np.testing.assert_array_equal(encoded.zeros.reshape(-1), np.array(zeros, np.float32))
    if outer is not None:
        np.testing.assert_array_equal(encoded.group_scales, np.array(outer, np.float32))
    result = decode(encoded)
    assert result.dtype == restored.dtype
    np.testing.assert_array_equal(result, restored)
    np.testing.assert_array_equal(quantise(format, array), restored)


blocks_drawn = st.one_of(
    st.integers(1, 40).map(str),
    st.sampled_from(["channel", "tensor"]),
    st.tuples(st.integers(1, 5), st.integers(1, 9)).map(lambda sides: f"{sides[0]}x{sides[1]}"),
)


@st.composite
def formats_drawn(draw):
    element = draw(st.sampled_from(ELEMENTS))
    statistics = ["absmax", "rms", "none"]
    if element in ("int4", "uint4", "int8"):
        statistics.append("minmax")
    number = draw(st.sampled_from(NUMBERS))
    if number_type(number).signed:
        statistics.append("signmax")
    statistic = draw(st.sampled_from(statistics))
    parts = [element, f"block={draw(blocks_drawn)}", "search=none"]
    parts.append(f"scale={statistic}:{number}:{draw(st.sampled_from(['nearest', 'up', 'down']))}")
    if statistic == "minmax":
        parts.append(f"zero={draw(st.sampled_from(['integer', 'float16', 'uint6']))}")
    if draw(st.booleans()):
        parts.append(f"multiplier={draw(st.sampled_from(['0.7', '1.3']))}")
    if statistic in ("absmax", "minmax", "rms") and draw(st.booleans()):
        parts.append(f"group={draw(st.sampled_from(['1', '3', 'tensor']))}:float32")
    return parse_format(",".join(parts))


@st.composite
def arrays_drawn(draw):
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    shape[-1] *= draw(st.sampled_from([1, 1, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    dtype = dtype_of(draw(st.sampled_from(TYPES)))
    x = rng.standard_normal(shape) * 2.0 ** draw(st.integers(-12, 8)) + draw(st.sampled_from([0, 0, 3]))
    kind = draw(st.sampled_from(["plain", "integers", "zeros"]))
    if kind == "integers":  # ties of magnitude, and quotients on thresholds
        x = np.rint(2 * rng.standard_normal(shape))
    if kind == "zeros":
        x = x * (rng.random(shape) < 0.3)
    return x.astype(dtype)


@settings(max_examples=400)
@given(format=formats_drawn(), array=arrays_drawn())
def test_drawn_formats_encode_as_documented(format, array):
    assert_as_documented(format, array)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("dtype", TYPES)
def test_named_formats_encode_as_documented(name, dtype):
    x = np.random.default_rng(1).standard_t(3, (5, 100)).astype(dtype_of(dtype))
    assert_as_documented(parse_format(name), x)


def test_the_oracle_notices_a_planted_fault():
    format = parse_format("int4,block=8")
    x = np.random.default_rng(0).standard_normal((3, 40)).astype(np.float32)
    codes, *_ = expected(format, x)
    shifted = encode(parse_format("int4,block=8,multiplier=1.01"), x)
    assert np.mean(shifted.codes != codes) > 0.005
    assert np.array_equal(encode(format, x).codes, codes)


@pytest.mark.parametrize("number", [*NUMBERS, "e3m2", "e2m1", "e0m3", "e5m10", "e8m7", "ue4m3"])
@pytest.mark.parametrize("mode", ["nearest", "up", "down"])
def test_compiled_rounding_is_that_of_number_types(number, mode):
    from bitlaw.theory.formats._rounding import rounded_scales

    kind = number_type(number)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(500) * 2.0 ** rng.integers(-160, 140, 500)
    near = kind.smallest * np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 3.0])
    far = kind.largest * np.array([0.5, 0.99, 1.0, 1.01, 4.0, 1e60])
    halves = rng.integers(1, 200, 100) / 2 * kind.smallest
    x = np.concatenate([x, near, far, halves, [0.0, np.inf, 1e-310, 1e300]])
    x = np.concatenate([x, -x]) if kind.signed else np.abs(x)
    found = rounded_scales(x, kind, mode)
    exact = kind.round(x, mode).astype(np.float32)
    np.testing.assert_array_equal(found, exact)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(exact))


def test_every_float32_becomes_the_nearest_float16():
    bits = np.arange(0, 2**32, step=3271, dtype=np.uint64).astype(np.uint32)
    halves = np.arange(0, 0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    ties = (halves[:-1] + halves[1:]) / 2
    x = np.concatenate([bits.view(np.float32), halves, ties, np.nextafter(ties, np.float32(0)), -ties])
    x = x[np.isfinite(x) & (np.abs(x) < 65520)]
    found = _conversion.narrowed(x, np.dtype(np.float16), False)
    np.testing.assert_array_equal(found.view(np.uint16), x.astype(np.float16).view(np.uint16))
    wide = _conversion.widened(np.resize(found, 1 << 17))
    np.testing.assert_array_equal(wide[: found.size], found[: 1 << 17].astype(np.float32))


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of a few elements, so that small arrays take all the ways that large ones do."""

    def shrink(size):
        monkeypatch.setattr(block_statistics, "TILE", size)
        monkeypatch.setattr(block_statistics, "SMALLEST", min(size, 16))
        monkeypatch.setattr(block_codec, "TILE", size)
        monkeypatch.setattr(block_statistics, "FOLDED_ROW", 4)

    return shrink


@pytest.mark.parametrize("size", [32, 64, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        "int4",
        "int4,scale=signmax",
        "nf4,scale=rms",
        "uint4,scale=minmax",
        "int4,block=100,scale=rms",
        "int4,block=100",
        "int4,block=7",
        "e4m3,block=3x5,scale=rms",
        "int4,block=40x70,scale=signmax",
        "int4,block=channel,scale=signmax",
        "e2m1,block=16,scale=absmax:e4m3,group=tensor",
        "uint4,block=8,scale=minmax:uint6,zero=uint6,group=3:float16",
    ],
)
@pytest.mark.parametrize("shape", [(3, 200), (2, 9, 100), (1001,)])
def test_tiles_play_no_part(small_tiles, text, size, shape):
    small_tiles(size)
    x = np.rint(8 * np.random.default_rng(2).standard_normal(shape)).astype(np.float32) / 4
    assert_as_documented(parse_format(text), x)


@pytest.mark.parametrize("cores", [1, 2, 7])
@pytest.mark.parametrize(
    "text", ["int4,scale=rms", "int4,block=32", "nf4,block=32,search=tensor", "int4,search=block"]
)
def test_the_number_of_threads_plays_no_part(monkeypatch, small_tiles, cores, text):
    small_tiles(256)
    x = np.random.default_rng(3).standard_normal((16, 320)).astype(np.float32)
    format = parse_format(text)
    first = encode(format, x)
    monkeypatch.setattr(_parallel, "_cores", lambda: cores)
    assert encode(format, x) == first
    np.testing.assert_array_equal(decode(encode(format, x)), decode(first))


def test_a_large_root_mean_square_is_added_by_halves():
    x = np.random.default_rng(4).standard_normal((1 << 21) + 12345).astype(np.float32)
    terms = np.zeros(1 << 22)
    terms[: x.size] = x.astype(np.float64) ** 2
    while terms.size > 1:
        terms = terms[: terms.size // 2] + terms[terms.size // 2 :]
    encoded = encode(parse_format("int4,scale=rms:float32"), x)
    assert encoded.scales == np.float32(math.sqrt(terms[0] / x.size))


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
