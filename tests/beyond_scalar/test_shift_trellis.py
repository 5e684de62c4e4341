import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Laplace, Normal
from bitlaw.theory.quantisers import ShiftTrellisQuantiser, measure, shift_trellis
from bitlaw.theory.quantisers.trellises import shift_kernels as kernels

from .naive import best_shift_error, shift_values


@st.composite
def quantisers(draw):
    bits = draw(st.integers(1, 2))
    window = draw(st.integers(2 * bits, 2 * bits + 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return ShiftTrellisQuantiser(bits, generator.normal(size=2**window) * 10.0 ** draw(st.integers(-6, 6)))


@given(quantisers(), st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_viterbi_finds_what_exhaustive_search_finds(quantiser, x):
    unit = np.sqrt(np.mean(quantiser.codepoints**2))
    x = np.array(x) * unit
    error = float(np.sum((quantiser(x) - x) ** 2))
    assert error <= best_shift_error(quantiser, x) * (1 + 1e-5) + 1e-5 * unit**2


@given(quantisers(), st.lists(st.integers(0, 1), min_size=1, max_size=30))
def test_decoding_reads_the_newest_bits_of_the_stream(quantiser, symbols):
    assert (quantiser.decode(symbols) == shift_values(quantiser, symbols)).all()


@given(quantisers(), st.integers(1, 300), st.integers(0, 2**32))
def test_measured_errors_are_those_of_the_decoder(quantiser, length, seed):
    x = np.random.default_rng(seed).normal(size=(2, length))
    errors, bits = quantiser.errors_and_bits(x)
    assert np.allclose(errors, ((quantiser(x) - x) ** 2).sum(axis=1), rtol=1e-12, atol=0)
    assert (bits == quantiser.bits * length).all()


def test_kernel_runs_uncompiled_to_the_same_windows():
    x = np.random.default_rng(0).normal(size=70).astype(np.float32)
    code = np.random.default_rng(1).normal(size=(2, 2, 4)).astype(np.float32)
    out, plain = np.empty((1, 70), np.int32), np.empty(70, np.int32)
    kernels.encode_windows(x[None], code, out)
    kernels._encode_one.py_func(x, code, plain)
    assert (out[0] == plain).all()


def test_a_window_of_16_bits_brings_2_bits_on_a_gaussian_under_0_069():
    measured = measure(shift_trellis(Normal(), 2, window=16), Normal(), samples=2**16)
    assert measured.distortion + measured.distortion_error < 0.069
    assert measured.rate == 2
    assert measured.gap_bits - 4 * measured.gap_error > 0


@pytest.mark.parametrize("window", [6, 8, 10])
def test_two_more_bits_of_window_lower_the_distortion(window):
    short, long = (
        measure(shift_trellis(Normal(), 2, window=w, iterations=0), Normal(), samples=2**17)
        for w in (window, window + 2)
    )
    noise = np.hypot(short.distortion_error, long.distortion_error)
    assert short.distortion - long.distortion > 4 * noise


def test_the_latin_start_is_better_than_any_of_three_random_orders():
    latin = shift_trellis(Normal(), 2, window=8, iterations=0)
    ours = measure(latin, Normal(), samples=2**16)
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(latin.codepoints)
        other = measure(ShiftTrellisQuantiser(2, shuffled), Normal(), samples=2**16)
        assert other.distortion - ours.distortion > 4 * other.distortion_error


def test_training_lowers_the_distortion_of_a_heavy_tail_on_other_draws():
    start, trained = (
        measure(shift_trellis(Laplace(), 2, window=8, iterations=i), Laplace(), samples=2**17) for i in (0, 5)
    )
    assert start.distortion - trained.distortion > 4 * start.distortion_error


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_changes_nothing(scale):
    x = np.random.default_rng(0).normal(size=(4, 50))
    quantiser = shift_trellis(Normal(), 1, window=6, iterations=0)
    scaled = ShiftTrellisQuantiser(1, quantiser.codepoints * scale)
    assert (scaled.encode(x * scale) == quantiser.encode(x)).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, np.zeros(3)), ValueError, r"codepoints must have shape \(2\^L,\) with 2 <= L <= 18, got \(3,\)"),
        ((2, np.zeros(8)), ValueError, "with 4 <= L <= 18"),
        ((1, np.zeros((2, 2))), ValueError, "codepoints must have shape"),
        ((1, [0.0, np.inf, 0.0, 0.0]), ValueError, r"codepoints\[1\] is inf"),
        ((0, np.zeros(4)), ValueError, "bits must be between 1 and 8, got 0"),
        ((1.0, np.zeros(4)), TypeError, "bits must be an integer"),
    ],
)
def test_inconsistent_quantisers_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ShiftTrellisQuantiser(*arguments)


def test_bad_data_are_named():
    quantiser = ShiftTrellisQuantiser(1, np.arange(4.0))
    with pytest.raises(ValueError, match=r"x must be finite, but x\[2\] is nan"):
        quantiser.encode([0.0, 1.0, np.nan])
    with pytest.raises(ValueError, match=r"x must be .* not empty"):
        quantiser.encode(np.empty((0, 4)))
    with pytest.raises(ValueError, match=r"symbols must be in \[0, 2\)"):
        quantiser.decode([0, 2])
    with pytest.raises(TypeError, match="symbols must be integers"):
        quantiser.decode([0.5])
    with pytest.raises(ValueError, match="x must have sequences of at most 32768 values"):
        ShiftTrellisQuantiser(1, np.zeros(2**16)).encode(np.zeros(40_000))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rate": 9}, ValueError, "rate must be between 1 and 8, got 9"),
        ({"rate": 2, "window": 3}, ValueError, "window must be between 4 and 18, got 3"),
        ({"rate": 2, "iterations": -1}, ValueError, "iterations must be between 0"),
        ({"rate": 2, "samples": 3}, ValueError, "samples must be between 4096"),
    ],
)
def test_bad_requests_for_a_design_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        shift_trellis(Normal(), **arguments)
