import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Laplace, Normal, ScalarQuantiser, StudentT, entropy_constrained, evaluate, uniform
from bitlaw.theory.quantisers import optimised_rounding, rounding_gain
from bitlaw.theory.quantisers.optimised_rounding import _lower_hull

from .naive import rounding_index

GRID = ScalarQuantiser(0.5 * np.arange(-8, 9))


@st.composite
def codes(draw):
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(1, 30))
    codepoints = np.sort(generator.normal(size=levels).round(draw(st.integers(0, 3))))
    lengths = generator.exponential(3, levels)
    if draw(st.booleans()) and levels > 1:
        lengths[generator.integers(levels)] = np.inf
    return ScalarQuantiser(codepoints), lengths, draw(st.sampled_from([0.0, 1e-3, 0.1, 1.0, 100.0]))


@given(codes(), st.integers(0, 2**32))
def test_no_codepoint_costs_less_than_the_one_chosen(code, seed):
    quantiser, lengths, slope = code
    x = 3 * np.random.default_rng(seed).normal(size=200)
    index = optimised_rounding(quantiser, lengths, slope).encode(x)
    coded = np.isfinite(lengths)
    price = np.where(coded, slope * np.where(coded, lengths, 0.0), np.inf)
    cost = (x - quantiser.codepoints[index]) ** 2 + price[index]
    least = rounding_index(quantiser.codepoints, price, 1.0, x)
    assert np.allclose(cost, least, rtol=1e-9, atol=1e-9)


@given(codes())
def test_rounding_what_was_rounded_changes_nothing_at_slope_zero(code):
    quantiser, lengths, _ = code
    rounding = optimised_rounding(quantiser, np.where(np.isfinite(lengths), lengths, 50.0), 0.0)
    assert (rounding(quantiser.codepoints) == quantiser.codepoints).all()
    x = np.linspace(-4, 4, 301)
    assert (rounding(x) == quantiser(x)).all()


@given(st.floats(0, 3), st.floats(0, 3), st.integers(0, 2**32))
def test_a_higher_price_never_buys_more_bits(one, other, seed):
    lengths = np.random.default_rng(seed).exponential(4, GRID.levels)
    low, high = (optimised_rounding(GRID, lengths, s).evaluate(Normal()) for s in sorted((one, other)))
    assert high.rate <= low.rate + 1e-12
    assert high.distortion >= low.distortion - 1e-12


@given(st.floats(0, 3), st.integers(0, 2**32))
def test_the_cost_is_never_above_that_of_nearest_rounding(slope, seed):
    lengths = np.random.default_rng(seed).exponential(4, GRID.levels)
    found = optimised_rounding(GRID, lengths, slope).evaluate(Normal())
    plain = evaluate(GRID, Normal())
    assert (
        found.distortion + slope * found.rate
        <= plain.distortion + slope * plain.probabilities @ lengths + 1e-12
    )


def test_kernel_runs_uncompiled_to_the_same_hull():
    q, price = np.sort(np.random.default_rng(0).normal(size=20)), np.random.default_rng(1).random(20)
    kept, plain = np.zeros(20, np.int64), np.zeros(20, np.int64)
    meets, plain_meets = np.zeros(19), np.zeros(19)
    count = _lower_hull(q, price, kept, meets)
    assert count == _lower_hull.py_func(q, price, plain, plain_meets)
    assert (kept[:count] == plain[:count]).all()
    assert (meets[: count - 1] == plain_meets[: count - 1]).all()


@pytest.mark.parametrize("source", [Normal(), Laplace()])
def test_the_entropy_constrained_design_is_a_fixed_point(source):
    design = entropy_constrained(source, rate=1.5)
    found = evaluate(design, source)
    used = found.probabilities > 1e-12
    lengths = -np.log2(np.maximum(found.probabilities, 1e-300))
    rounding = optimised_rounding(design, lengths, design.design.slope)
    wanted = design.thresholds[used[1:] & used[:-1]]
    got = rounding.quantiser.thresholds
    nearest = np.abs(got[:, None] - wanted).min(axis=0)
    assert nearest.max() < 1e-6 * source.std
    assert rounding.evaluate(source).distortion == pytest.approx(found.distortion, rel=1e-6)


def test_evaluation_agrees_with_a_sample():
    lengths = -np.log2(evaluate(GRID, Normal()).probabilities)
    rounding = optimised_rounding(GRID, lengths, 0.1)
    found = rounding.evaluate(Normal())
    x = np.random.default_rng(3).normal(size=200_000)
    index = rounding.encode(x)
    error, bits = (x - rounding.decode(index)) ** 2, lengths[index]
    assert abs(error.mean() - found.distortion) < 4 * error.std() / np.sqrt(len(x))
    assert abs(bits.mean() - found.rate) < 4 * bits.std() / np.sqrt(len(x))
    assert found.entropy <= found.rate


# 30-digit values of nearest rounding (uniform midpoints) and of the entropy-constrained optimum.
REFERENCE = {
    (Normal, 0.5): (0.7639772125023164, 0.6173361646769145),
    (Normal, 1.0): (0.46817230270396937, 0.3482612797036164),
    (Normal, 2.0): (0.097640870913617, 0.08892346149087063),
    (Laplace, 0.5): (0.5843889202910709, 0.48599339361606547),
    (Laplace, 1.0): (0.31787966726878136, 0.26177641556981107),
}


@pytest.mark.parametrize(("law", "rate"), REFERENCE)
def test_the_gain_lies_between_reference_values_of_nearest_and_free_quantisers(law, rate):
    gain = rounding_gain(law(), rate)
    nearest, free = REFERENCE[law, rate]
    assert gain.nearest == pytest.approx(nearest, rel=1e-7)
    assert gain.entropy_constrained == pytest.approx(free, rel=1e-7)
    # A fixed grid gets within one part in a thousand of free codepoints.
    assert free * (1 - 1e-6) <= gain.optimised <= free * 1.001
    assert gain.gain_bits == pytest.approx(0.5 * np.log2(gain.nearest / gain.optimised))


def test_the_gain_vanishes_at_high_rate():
    gains = [rounding_gain(StudentT(5), rate).gain_bits for rate in (1.0, 2.0, 4.0)]
    assert (np.diff(gains) < 0).all()
    assert 0 < gains[-1] < 0.01


def test_the_reported_optimum_is_what_its_own_parts_evaluate_to():
    gain = rounding_gain(Laplace(), 1.0)
    grid = ScalarQuantiser(gain.optimised_step * np.arange(-30, 31))
    lengths = -np.log2(np.maximum(evaluate(grid, Laplace()).probabilities, 1e-300))
    for _ in range(300):
        rounding = optimised_rounding(grid, lengths, gain.slope)
        found = rounding.evaluate(Laplace())
        lengths = np.full(61, np.inf)
        lengths[rounding.kept] = -np.log2(found.probabilities)
    assert found.entropy == pytest.approx(1.0, abs=2e-4)
    assert found.distortion + gain.slope * (found.entropy - 1) == pytest.approx(gain.optimised, rel=1e-6)


@pytest.mark.parametrize(
    ("lengths", "slope", "error", "message"),
    [
        (np.ones(3), 0.1, ValueError, r"lengths must have shape \(17,\), got \(3,\)"),
        (np.full(17, np.nan), 0.1, ValueError, "lengths must be numbers >= 0"),
        (np.full(17, -1.0), 0.1, ValueError, "lengths must be numbers >= 0"),
        (np.full(17, np.inf), 0.1, ValueError, "at least one of them finite"),
        (np.ones(17), -0.1, ValueError, "slope must be finite and not negative"),
        (np.ones(17), np.inf, ValueError, "slope must be finite and not negative"),
        (["a"] * 17, 0.1, TypeError, "lengths must be an array of"),
    ],
)
def test_bad_codes_are_named(lengths, slope, error, message):
    with pytest.raises(error, match=message):
        optimised_rounding(GRID, lengths, slope)


def test_bad_rates_are_named():
    with pytest.raises(ValueError, match=r"rate must be between 0\.05 and 8 bits, got 9"):
        rounding_gain(Normal(), 9)
    with pytest.raises(TypeError, match="rate must be a number"):
        rounding_gain(Normal(), "1")


def test_values_that_are_no_numbers_are_named_like_everywhere():
    with pytest.raises(ValueError, match="nan"):
        optimised_rounding(uniform(Normal(), levels=4), np.ones(4), 0.1).encode([np.nan])
