"""Affine blocks: the exact law against closed forms and seeded simulations."""

import math
import time
from functools import lru_cache

import numpy as np
import pytest
from scipy import stats

from bitlaw.theory.formats.number_types import number_type
from bitlaw.theory.formats.predictions.affine_law import affine_block
from bitlaw.theory.sources import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Mixture,
    Normal,
    StudentT,
    Uniform,
    from_scipy,
)

SOURCES = {
    "normal": Normal(),
    "laplace": Laplace(0.5),
    "student-t": StudentT(5),
    "generalised-normal": GeneralisedNormal(1.5),
    "mixture": Mixture([Normal(1.0), Normal(3.0)], [0.9, 0.1]),
}
# Values of a simulation, and standard errors within which its mean must lie.
VALUES, BAND = 1 << 18, 4.5


def restored(x, levels, zero="integer", number=None, rounding="nearest", multiplier=1.0):
    """Blocks (rows) stored and restored step by step, and their codes."""
    a, b = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    step = multiplier * (b - a) / (levels - 1)
    if number is not None:
        step = number.round(step, rounding)
    unit = np.where(step > 0, step, np.inf)
    if zero == "integer":
        shift = np.clip(np.rint(-a / unit), 0, levels - 1)
        code = np.clip(np.rint(x / unit) + shift, 0, levels - 1)
        return step * (code - shift), code
    offset = a if zero == "exact" else zero.round(a)
    code = np.clip(np.rint((x - offset) / unit), 0, levels - 1)
    return step * code + offset, code


@lru_cache
def sample(source):
    """Values of a law, drawn by its quantiles."""
    return source.ppf(np.random.default_rng(0).random(VALUES))


def simulated(source, block_size, levels, **options):
    """Mean squared error with its standard error, and the shares of the codes with theirs."""
    x = sample(source)[: VALUES // block_size * block_size].reshape(-1, block_size)
    y, code = restored(x, levels, **options)
    errors = ((x - y) ** 2).mean(axis=1)
    shares = np.array([np.mean(code == q, axis=1) for q in range(levels)])
    count = math.sqrt(len(errors))
    return errors.mean(), errors.std() / count, shares.mean(axis=1), shares.std(axis=1) / count


@pytest.mark.parametrize("zero", ["integer", "exact"])
@pytest.mark.parametrize(("block_size", "levels"), [(3, 4), (16, 2), (64, 16), (128, 3), (1024, 16)])
@pytest.mark.parametrize("name", sorted(SOURCES))
def test_error_and_codes_agree_with_a_simulation(name, block_size, levels, zero):
    law = affine_block(SOURCES[name], block_size, levels, zero=zero)
    error, band, shares, bands = simulated(SOURCES[name], block_size, levels, zero=zero)
    assert abs(law.distortion - error) < BAND * band
    if block_size <= 128:  # fewer blocks do not tell the bands of rare codes
        np.testing.assert_array_less(np.abs(law.probabilities - shares), BAND * bands + 20 / VALUES)
    assert law.approximations == ()


@pytest.mark.parametrize("name", ["normal", "laplace", "mixture"])
def test_256_levels_agree_with_a_simulation(name):
    law = affine_block(SOURCES[name], 64, 256)
    error, band, _, _ = simulated(SOURCES[name], 64, 256)
    assert abs(law.distortion - error) < BAND * band


def test_a_tensor_in_one_block_agrees_with_a_simulation():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((24, 65536))
    errors = np.mean((x - restored(x, 16)[0]) ** 2, axis=1)
    law = affine_block(Normal(), 65536, 16)
    # With 24 blocks the error of the band itself matters: Student's t of 23 degrees, 1e-5 two-sided.
    assert abs(law.distortion - errors.mean()) < 5.6 * errors.std(ddof=1) / math.sqrt(24)


ROUNDED = {
    "bfloat16 step": {"number": number_type("bfloat16")},
    "coarse step": {"number": number_type("e4m3")},
    "coarse step down": {"number": number_type("e4m3"), "rounding": "down", "multiplier": 0.8},
    "power of two up": {"number": number_type("e8m0"), "rounding": "up"},
    "bfloat16 offset": {"zero": number_type("bfloat16")},
    "coarse offset": {"zero": number_type("e4m3")},
    "both bfloat16": {"zero": number_type("bfloat16"), "number": number_type("bfloat16")},
    "both coarse": {"zero": number_type("e5m2"), "number": number_type("e5m2"), "rounding": "up"},
    "clipped": {"multiplier": 0.6},
    "clipped offset": {"zero": "exact", "multiplier": 0.6},
}


@pytest.mark.parametrize("levels", [4, 16])
@pytest.mark.parametrize("name", sorted(ROUNDED))
def test_rounding_of_step_and_offset_agrees_with_a_simulation(name, levels):
    law = affine_block(Normal(), 32, levels, **ROUNDED[name])
    error, band, _, _ = simulated(Normal(), 32, levels, **ROUNDED[name])
    assert abs(law.distortion - error) < BAND * band


@pytest.mark.parametrize("name", ["coarse step", "coarse offset"])
def test_ignoring_a_coarse_rounding_would_be_seen(name):
    error, band, _, _ = simulated(Normal(), 32, 16, **ROUNDED[name])
    plain = {"zero": "exact"} if "offset" in name else {}
    assert abs(affine_block(Normal(), 32, 16, **plain).distortion - error) > BAND * band


def test_many_valued_numbers_are_named_as_an_approximation():
    both = affine_block(Normal(), 32, 16, **ROUNDED["both bfloat16"]).approximations
    assert len(both) == 2
    assert all("bfloat16" in sentence for sentence in both)
    assert affine_block(Normal(), 32, 16, **ROUNDED["both coarse"]).approximations == ()


@pytest.mark.parametrize("block_size", [2, 3, 10, 1000])
@pytest.mark.parametrize("levels", [2, 5, 16])
def test_uniform_law_has_a_closed_form(block_size, levels):
    # Between the extremes the law is uniform again, so the others' error is s^2 / 12, and the range of B
    # uniforms on (0, 1) follows Beta(B - 1, 2): E[r^2] = B (B - 1) / ((B + 1) (B + 2)).
    width = math.sqrt(12.0)
    b = block_size
    square = width**2 * b * (b - 1) / ((b + 1) * (b + 2))
    expected = (b - 2) / b * square / (levels - 1) ** 2 / 12
    law = affine_block(Uniform(1.0), b, levels, zero="exact")
    assert law.distortion == pytest.approx(expected, rel=1e-6, abs=1e-25)


def test_end_codes_hold_at_least_the_extremes():
    law = affine_block(Normal(), 16, 8, zero="exact")
    assert law.probabilities.sum() == pytest.approx(1.0, abs=1e-14)
    assert law.probabilities[0] > 1 / 16
    assert law.probabilities[0] == pytest.approx(law.probabilities[-1], rel=1e-6)
    p = law.probabilities
    assert law.entropy == pytest.approx(-np.sum(p * np.log2(p)), rel=1e-12)


@pytest.mark.parametrize("zero", ["integer", "exact"])
def test_error_scales_with_the_square_of_the_data(zero):
    one, large = (affine_block(Normal(std), 32, 8, zero=zero) for std in (1.0, 1e4))
    assert large.distortion == pytest.approx(1e8 * one.distortion, rel=1e-9)
    np.testing.assert_allclose(large.probabilities, one.probabilities, rtol=1e-9)


def test_only_an_integer_offset_feels_a_shift_of_the_data():
    centred = affine_block(Normal(), 32, 8, zero="exact").distortion
    shifted = from_scipy(stats.norm(10.0))
    assert affine_block(shifted, 32, 8, zero="exact").distortion == pytest.approx(centred, rel=1e-6)
    # All elements lie far above 7 steps, and are restored as that: the error is about the mean's square.
    assert affine_block(shifted, 32, 8).distortion > 10.0


def test_halving_the_step_quarters_the_error_at_high_rates():
    coarse, fine = (affine_block(Normal(), 64, levels).distortion for levels in (129, 257))
    assert coarse / fine == pytest.approx(4.0, rel=2e-2)


def test_steps_that_underflow_restore_zero():
    law = affine_block(Normal(1e-4), 32, 16, number=number_type("e4m3"))
    assert law.distortion == pytest.approx(1e-8, rel=1e-6)


def test_a_prediction_takes_a_fraction_of_a_second():
    affine_block(Normal(), 64, 256)
    start = time.process_time()
    affine_block(Normal(), 64, 256)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (TypeError, "source must be a Source with a density", (Empirical(np.arange(5.0)), 8, 4), {}),
        (TypeError, "source must be a Source with a density", ("normal", 8, 4), {}),
        (ValueError, "block_size must be at least 2, got 1", (Normal(), 1, 4), {}),
        (ValueError, "block_size must be positive", (Normal(), math.nan, 4), {}),
        (ValueError, "levels must be between 2", (Normal(), 8, 1), {}),
        (ValueError, "zero must be one of", (Normal(), 8, 4), {"zero": "int"}),
        (
            ValueError,
            "zero must be a number type with a sign",
            (Normal(), 8, 4),
            {"zero": number_type("e8m0")},
        ),
        (TypeError, "number must be a NumberType", (Normal(), 8, 4), {"number": "bfloat16"}),
        (ValueError, "rounding must be one of", (Normal(), 8, 4), {"rounding": "even"}),
        (ValueError, "multiplier must be positive", (Normal(), 8, 4), {"multiplier": 0.0}),
    ],
    ids=["discrete", "text", "one", "nan", "levels", "zero", "unsigned", "number", "rounding", "multiplier"],
)
def test_wrong_arguments_are_named(error, message, arguments, options):
    with pytest.raises(error, match=message):
        affine_block(*arguments, **options)
