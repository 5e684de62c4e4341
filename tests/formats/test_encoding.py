"""Codes, scales and restored values are those of the documented arithmetic, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory.formats.codecs import block_codec, block_statistics, conversion, parallel
from bitlaw.theory.formats.codecs.blocks import blocks_of
from bitlaw.theory.formats.codecs.encoding import decode, encode
from bitlaw.theory.formats.codecs.rounding import rounded_scales
from bitlaw.theory.formats.number_types import number_type
from bitlaw.theory.formats.spec import parse_format
from tests.formats import naive
from tests.formats.encoding_cases import (
    ELEMENTS,
    NAMED,
    NUMBERS,
    TYPES,
    assert_as_documented,
    dtype_of,
    expected,
)

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


@settings(max_examples=250)
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
    found = conversion.narrowed(x, np.dtype(np.float16), False)
    np.testing.assert_array_equal(found.view(np.uint16), x.astype(np.float16).view(np.uint16))
    wide = conversion.widened(np.resize(found, 1 << 17))
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
    monkeypatch.setattr(parallel, "_cores", lambda: cores)
    assert encode(format, x) == first
    np.testing.assert_array_equal(decode(encode(format, x)), decode(first))


@pytest.mark.parametrize("columns", [1001, 1024, 3000])
def test_squares_of_large_blocks_are_added_by_halves(small_tiles, columns):
    small_tiles(32)
    x = np.random.default_rng(columns).standard_cauchy((30, columns)).astype(np.float32)
    found = block_statistics.block_squares(x.reshape(-1), blocks_of(x.shape, "channel"))
    assert found.tolist() == [naive.halved_sum(row.astype(np.float64) ** 2) for row in x]


def test_a_large_root_mean_square_is_added_by_halves():
    x = np.random.default_rng(4).standard_normal((1 << 21) + 12345).astype(np.float32)
    terms = np.zeros(1 << 22)
    terms[: x.size] = x.astype(np.float64) ** 2
    while terms.size > 1:
        terms = terms[: terms.size // 2] + terms[terms.size // 2 :]
    encoded = encode(parse_format("int4,scale=rms:float32"), x)
    assert encoded.scales == np.float32(math.sqrt(terms[0] / x.size))
