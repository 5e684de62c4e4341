"""Encoding is a search among the thresholds, whatever the type, the layout and the codebook."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.quantisers import ScalarQuantiser, _encoders
from bitlaw.theory.quantisers import codec as codec_module

TYPES = ["float16", "bfloat16", "float32", "float64"]
# One size through numpy's search, one through the kernels on one core, one on several.
SMALL, LARGE, HUGE = 1000, codec_module.SMALL + 5, 2 * codec_module.PIECE + 3
MAX_FLOAT32 = float(np.finfo(np.float32).max)


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)


def searched(thresholds, x):
    return np.searchsorted(thresholds, np.asarray(x).astype(np.float64), side="left")


def quantiser_of(thresholds):
    t = np.sort(np.asarray(thresholds, dtype=np.float64))
    return ScalarQuantiser(np.arange(t.size + 1.0), t)


def codebook(levels, family, rng):
    """Thresholds of several kinds: even, crowded at zero, heavy-tailed, and crowded at a far point."""
    t = {
        "even": lambda: np.linspace(-3, 3, levels - 1),
        "floating": lambda: rng.choice([-1, 1], levels - 1) * 2.0 ** rng.uniform(-60, 4, levels - 1),
        "heavy": lambda: rng.standard_cauchy(levels - 1),
        "far": lambda: 1.0 + 1e-12 * np.arange(levels - 1.0),
    }[family]()
    return np.sort(t)


def around(thresholds, dtype):
    """Values of a type on the thresholds and the two on either side of each."""
    with np.errstate(over="ignore", under="ignore"):
        near = thresholds.astype(dtype)
    bits = near.view(f"uint{8 * dtype.itemsize}")
    near = np.concatenate(
        [near, (bits + bits.dtype.type(1)).view(dtype), (bits - bits.dtype.type(1)).view(dtype)]
    )
    with np.errstate(invalid="ignore"):
        return near[np.isfinite(near)]


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("family", ["even", "floating", "heavy", "far"])
@pytest.mark.parametrize("levels", [1, 2, 3, 16, 17, 256, 257, 5000, 65536])
def test_encoding_counts_thresholds_for_every_type_and_codebook(levels, family, name):
    rng = np.random.default_rng(levels)
    dtype = dtype_of(name)
    thresholds = codebook(levels, family, rng)
    noise = np.clip(3 * rng.standard_cauchy(LARGE), -6e4, 6e4).astype(dtype)
    x = np.concatenate([around(thresholds[:2000], dtype), noise])
    index = quantiser_of(thresholds).encode(x)
    assert index.dtype == (np.uint8 if levels <= 256 else np.uint16)
    np.testing.assert_array_equal(index, searched(thresholds, x))


thresholds_drawn = st.lists(
    st.one_of(
        st.floats(-4, 4),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(
            [0.0, -0.0, 5e-324, -5e-324, 1e-45, -1e-45, 1e300, -1e300, MAX_FLOAT32, -MAX_FLOAT32]
        ),
    ),
    min_size=0,
    max_size=60,
)


@given(thresholds=thresholds_drawn, name=st.sampled_from(TYPES), repeat=st.integers(1, 3))
def test_values_at_and_next_to_thresholds_fall_into_the_cells_of_float64_comparison(thresholds, name, repeat):
    quantiser = quantiser_of(thresholds * repeat)
    dtype = dtype_of(name)
    edges = np.array([0.0, -0.0, 1.0, np.finfo(np.float16).max, -np.finfo(np.float16).max]).astype(dtype)
    x = np.concatenate([around(quantiser.thresholds, dtype), edges])
    if name in ("float32", "float64"):
        x = np.concatenate([x, np.array([np.finfo(dtype).max, np.finfo(dtype).min], dtype)])
    expected = searched(quantiser.thresholds, x)
    np.testing.assert_array_equal(quantiser.encode(x), expected)
    np.testing.assert_array_equal(quantiser.encode(np.resize(x, LARGE)), np.resize(expected, LARGE))


@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40), t=st.floats(allow_nan=False))
def test_a_float32_exceeds_a_threshold_exactly_when_it_exceeds_the_threshold_rounded_down(bits, t):
    x = np.array(bits, np.uint32).view(np.float32)
    x = x[np.isfinite(x)]
    t = np.clip(t, -1.7e308, 1.7e308)
    index = quantiser_of([t]).encode(np.resize(np.append(x, np.float32(0)), LARGE))
    np.testing.assert_array_equal(index[: x.size], x.astype(np.float64) > t)


@given(
    points=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40, unique=True),
    size=st.sampled_from([SMALL, LARGE]),
    seed=st.integers(0, 99),
)
def test_quantising_twice_changes_nothing(points, size, seed):
    quantiser = ScalarQuantiser(np.sort(points))
    once = quantiser(1e5 * np.random.default_rng(seed).standard_normal(size))
    np.testing.assert_array_equal(quantiser(once), once)


@given(points=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=300, unique=True))
def test_every_codepoint_is_its_own_code(points):
    quantiser = ScalarQuantiser(np.sort(points))
    # Codepoints one unit in the last place apart have a midpoint that rounds to one of them.
    np.testing.assert_array_equal(quantiser(quantiser.codepoints), quantiser.codepoints)


@given(data=st.data(), shape=st.lists(st.integers(0, 5), max_size=4))
def test_the_shape_of_the_data_is_kept(data, shape):
    x = np.array(
        data.draw(st.lists(st.floats(-3, 3), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    )
    quantiser = quantiser_of([-1.0, 0.0, 1.0])
    index = quantiser.encode(x.reshape(shape))
    assert index.shape == tuple(shape)
    assert quantiser.decode(index).shape == tuple(shape)


@pytest.mark.parametrize("size", [SMALL, LARGE, HUGE])
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("levels", [16, 300])
def test_memory_layout_plays_no_part(levels, name, size):
    rng = np.random.default_rng(size)
    thresholds = codebook(levels, "even", rng)
    quantiser = quantiser_of(thresholds)
    plain = rng.standard_normal((7, 2 * size // 7)).astype(dtype_of(name))
    frozen = plain.copy()
    frozen.flags.writeable = False
    layouts = [plain, np.asfortranarray(plain), plain[:, ::2], plain.T, plain[::-1], frozen]
    assert quantiser.encode(np.asfortranarray(plain)).flags.f_contiguous or size == SMALL
    for x in [*layouts, plain.astype(plain.dtype.newbyteorder()) if name != "bfloat16" else plain]:
        index = quantiser.encode(x)
        np.testing.assert_array_equal(index, searched(thresholds, x))
        np.testing.assert_array_equal(quantiser.decode(index), quantiser.codepoints[searched(thresholds, x)])


@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("family", ["even", "floating", "heavy"])
def test_one_comparison_nearly_always_finds_the_cell(family, name):
    thresholds = codebook(2000, family, np.random.default_rng(0))
    *_, steps = _encoders.finder(thresholds, np.dtype(name)).tables
    assert steps <= 2


def test_empty_and_single_values_are_arrays_like_others():
    quantiser = quantiser_of([0.0])
    assert quantiser.encode([]).shape == (0,)
    assert quantiser.decode(np.empty((3, 0), np.uint8)).shape == (3, 0)
    assert quantiser.decode([]).shape == (0,)
    assert quantiser.encode(0.5).shape == ()
    assert quantiser.decode(1) == 1.0
    np.testing.assert_array_equal(quantiser.encode([-1, 0, 1]), [0, 0, 1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("levels", [16, 300])
@pytest.mark.parametrize("columns", [20, LARGE, HUGE])
def test_a_value_that_is_not_finite_is_named_with_its_position(columns, levels, name, value):
    x = np.zeros((3, columns), dtype_of(name))
    x[1, columns - 2] = x[2, 0] = value
    quantiser = quantiser_of(np.linspace(-1, 1, levels - 1))
    for layout in (x, np.asfortranarray(x)):
        with pytest.raises(ValueError, match=rf"x\[1, {columns - 2}\] is {value}"):
            quantiser.encode(layout)
    with pytest.raises(ValueError, match=r"x\[\(\)\] is nan"):
        quantiser.encode(np.nan)


@pytest.mark.parametrize("x", [["a"], [1j], [True], [None], np.zeros(3, ml_dtypes.float8_e4m3fn)])
def test_data_of_another_kind_are_refused(x):
    with pytest.raises(TypeError, match="x must be an array of float16"):
        quantiser_of([0.0]).encode(x)


@pytest.mark.parametrize("size", [5, LARGE, HUGE])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("result", TYPES)
def test_decoding_looks_codepoints_up(result, dtype, size):
    points = np.linspace(-2, 2, 100)
    index = np.random.default_rng(1).integers(0, 100, size).astype(dtype)
    values = ScalarQuantiser(points).decode(index.reshape(1, -1), dtype_of(result))
    assert values.dtype == dtype_of(result)
    np.testing.assert_array_equal(values[0], points.astype(dtype_of(result))[index.astype(int)])


@pytest.mark.parametrize("size", [5, LARGE, HUGE])
@pytest.mark.parametrize(
    ("dtype", "wrong"), [(np.uint8, 100), (np.uint16, 65535), (np.int8, -1), (np.int64, 2**40)]
)
def test_an_index_out_of_range_is_named_with_its_position(dtype, wrong, size):
    index = np.zeros((2, size), dtype)
    index[1, 3] = wrong
    with pytest.raises(ValueError, match=rf"index must lie in 0 to 99, but index\[1, 3\] is {wrong}"):
        ScalarQuantiser(np.arange(100.0)).decode(index)


@pytest.mark.parametrize("index", [[0.0], [True], ["0"]])
def test_an_index_must_be_an_integer(index):
    with pytest.raises(TypeError, match="index must be an array of integers"):
        ScalarQuantiser([0.0, 1.0]).decode(index)


def test_decoding_refuses_types_that_cannot_hold_the_codepoints():
    quantiser = ScalarQuantiser([0.0, 1e5])
    with pytest.raises(ValueError, match="float16 cannot hold all codepoints"):
        quantiser.decode([0], np.float16)
    with pytest.raises(TypeError, match="dtype must be one of float16, bfloat16"):
        quantiser.decode([0], np.int32)


@given(x=st.floats(-1e30, 1e30))
def test_decoding_to_bfloat16_rounds_once(x):
    value = float(ScalarQuantiser([x]).decode(0, ml_dtypes.bfloat16))
    with np.errstate(invalid="ignore"):
        grid = np.arange(65536, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float64)
    grid = grid[np.isfinite(grid)]
    nearest = grid[np.abs(grid - x) == np.abs(grid - x).min()]
    assert value in nearest


def test_rounding_through_float32_would_miss_the_nearest_bfloat16():
    just_above_a_tie = 1 + 2.0**-8 + 2.0**-40
    assert float(ScalarQuantiser([just_above_a_tie]).decode(0, ml_dtypes.bfloat16)) == 1 + 2.0**-7
    just_below_a_tie = -(1 + 3 * 2.0**-8 - 2.0**-40)
    assert float(ScalarQuantiser([just_below_a_tie]).decode(0, ml_dtypes.bfloat16)) == -(1 + 2.0**-7)


def test_more_codepoints_than_indices_are_refused_when_encoding():
    quantiser = ScalarQuantiser(np.arange(65537.0))
    with pytest.raises(ValueError, match="at most 16 bits, but there are 65537 codepoints"):
        quantiser.encode(1.0)


def test_several_threads_may_encode_at_once():
    from concurrent.futures import ThreadPoolExecutor

    x = np.random.default_rng(0).standard_normal(HUGE).astype(np.float32)
    quantiser = quantiser_of([-1.0, 0.0, 1.0])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(quantiser.encode, [x] * 8))
    for result in results:
        np.testing.assert_array_equal(result, searched(quantiser.thresholds, x))
